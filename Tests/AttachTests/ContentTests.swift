import Content
import Glibc
import Import
import Model
import Platform
import Testing

@testable import Attach

/// Memory of this process in the place of a VMM's.
@safe
private final class OwnMemory {
    let bytes: UnsafeMutableRawPointer
    let pages: Int

    init(pages: Int) {
        self.pages = pages
        unsafe bytes = mmap(nil, pages * pageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    }

    deinit { unsafe munmap(bytes, pages * pageBytes) }

    var address: UInt64 { unsafe UInt64(UInt(bitPattern: bytes)) }

    func isThere(page: Int) -> Bool {
        var there: UInt8 = 0
        return unsafe mincore(bytes + page * pageBytes, pageBytes, &there) == 0 && there & 1 != 0
    }

    func set(page: Int, word: Int, to value: UInt64) {
        unsafe bytes.storeBytes(of: value, toByteOffset: page * pageBytes + word * 8, as: UInt64.self)
    }
}

private func batch(_ id: Int64, isPart: Bool = false, _ gfns: [GFN]) -> IterationBatch {
    var batch = IterationBatch(iteration: Iteration(id: id, startNs: id, endNs: id + 1))
    batch.isPart = isPart
    batch.harvests = [
        (
            Harvest(
                iteration: id, source: .tracefs, vcpu: 0, cause: .periodic, sinceNs: id, tsNs: id + 1,
                entryCount: gfns.count), gfns
        )
    ]
    return batch
}

private func slot(
    _ ns: Int64, id: UInt32 = 0, base: GFN, at address: UInt64, pages: Int, logs: Bool = true
) -> RingEvent {
    RingEvent(
        ns: ns, pid: 1, ring: 0,
        kind: .slot(
            id: id, flags: logs ? 1 : 0, address: base << 12, size: UInt64(pages * pageBytes), host: address))
}

private func addresses(_ events: RingEvent...) -> SlotAddresses {
    var slots = SlotAddresses()
    for event in events { slots.note(event) }
    return slots
}

@Suite struct VMMContentTests {
    private func contents() throws -> VMMContents { try VMMContents(ContentShare(parsing: "all"), pid: getpid()) }

    private func look(
        _ contents: inout VMMContents, _ batch: IterationBatch, _ slots: inout SlotAddresses,
        isOpen: (GFN) -> Bool = { _ in false }
    ) -> [PageContent] {
        var batch = batch
        contents.look(&batch, &slots, isOpen: isOpen)
        return batch.contents
    }

    @Test func `what pages of another process hold is what it wrote`() throws {
        let memory = OwnMemory(pages: 8)
        for page in 0..<8 { memory.set(page: page, word: 1, to: 0) }
        // The guest's pages 100 to 103 lie in the second half, 50 to 53 in the first.
        let half = UInt64(4 * pageBytes)
        var slots = addresses(
            slot(0, id: 1, base: 50, at: memory.address, pages: 4),
            slot(0, id: 2, base: 100, at: memory.address + half, pages: 4))
        var contents = try contents()
        memory.set(page: 5, word: 9, to: 0xdead_beef)

        let first = look(&contents, batch(1, [101, 50, 101]), &slots)
        #expect(first.map(\.gfn) == [50, 101])
        #expect(first.map(\.digest.isZero) == [true, false])
        // What they held before is not known.
        #expect(first.allSatisfy { $0.digest.change == nil })

        for word in 0..<3 { memory.set(page: 5, word: word, to: 7) }
        let second = look(&contents, batch(2, [101, 50]), &slots)
        #expect(second.map(\.gfn) == [50, 101])
        #expect(second.map(\.digest.change?.words) == [0, 3])
        #expect(second[0].digest.hash == first[0].digest.hash)
        #expect(contents.tally == VMMContents.Tally())

        // The slot has moved; the page is the same.
        memory.set(page: 5, word: 0, to: 8)
        slots.note(slot(4, id: 2, base: 200, at: memory.address + half, pages: 4))
        #expect(look(&contents, batch(5, [201]), &slots).map(\.digest.change?.words) == [1])
    }

    @Test func `an iteration in parts is looked at once, at its end`() throws {
        let memory = OwnMemory(pages: 4)
        for page in 0..<4 { memory.set(page: page, word: 1, to: 0) }
        var slots = addresses(slot(0, base: 0, at: memory.address, pages: 4))
        var contents = try contents()
        #expect(look(&contents, batch(1, isPart: true, [1, 2]), &slots).isEmpty)
        #expect(look(&contents, batch(1, [2, 3]), &slots).map(\.gfn) == [1, 2, 3])
    }

    @Test func `what cannot be looked at is counted, once an iteration`() throws {
        let memory = OwnMemory(pages: 2)
        memory.set(page: 0, word: 0, to: 1)
        // No slot, one whose memory is not there, and a page that the VMM never had or gave back.
        var slots = addresses(
            slot(0, id: 1, base: 100, at: 4096, pages: 1), slot(0, id: 2, base: 200, at: memory.address, pages: 2))
        var contents = try contents()
        #expect(look(&contents, batch(1, [7, 100, 201, 7, 200]), &slots).map(\.gfn) == [200])
        #expect(contents.tally.unseen == 3)
        #expect(!memory.isThere(page: 1))
        #expect(throws: AttachError.self) { _ = try VMMContents(ContentShare(oneIn: 1), pid: -1) }
    }

    @Test func `a page is looked at where it lay when it was written`() throws {
        let memory = OwnMemory(pages: 4)
        for page in 0..<4 { memory.set(page: page, word: 0, to: UInt64(page)) }
        var contents = try contents()
        // Written in a slot that moved away before the look, while another took its place.
        var slots = addresses(slot(0, id: 1, base: 100, at: memory.address, pages: 2))
        _ = look(&contents, batch(1, [100, 101]), &slots)
        slots.note(slot(12, id: 1, base: 500, at: memory.address, pages: 2))
        slots.note(slot(13, id: 2, base: 100, at: memory.address + UInt64(2 * pageBytes), pages: 2))
        memory.set(page: 1, word: 0, to: 77)
        let old = look(&contents, batch(10, [101]), &slots)
        #expect(old.map(\.gfn) == [101])
        #expect(old.map(\.digest.change?.words) == [1])
        // From now on the number is the other slot's.
        #expect(look(&contents, batch(20, [101]), &slots).map(\.digest.change) == [nil])
        #expect(contents.tally.unseen == 0)
    }

    @Test func `memory of a slot that went is not looked at, and not remembered`() throws {
        let memory = OwnMemory(pages: 2)
        for page in 0..<2 { memory.set(page: page, word: 0, to: 5) }
        var contents = try contents()
        var slots = addresses(slot(0, base: 100, at: memory.address, pages: 2))
        _ = look(&contents, batch(1, [100]), &slots)
        slots.note(slot(12, base: 100, at: 0, pages: 0))
        #expect(look(&contents, batch(10, [100]), &slots).isEmpty)
        #expect(contents.tally.unseen == 1)
        slots.note(slot(20, base: 100, at: memory.address, pages: 2))
        #expect(look(&contents, batch(30, [100]), &slots).map(\.digest.change) == [nil])
        // Deleted and made again between two looks, as QEMU does: the same memory.
        slots.note(slot(40, base: 100, at: 0, pages: 0))
        slots.note(slot(41, base: 100, at: memory.address, pages: 2))
        #expect(look(&contents, batch(50, [100]), &slots).map(\.digest.change?.words) == [0])
    }

    @Test func `a number that is two pages in two address spaces is not looked at`() throws {
        let memory = OwnMemory(pages: 4)
        for page in 0..<4 { memory.set(page: page, word: 0, to: 5) }
        var contents = try contents()
        // System management mode has most memory at the same place, and its own at another.
        var slots = addresses(
            slot(0, id: 0, base: 100, at: memory.address, pages: 4),
            slot(0, id: 1 << 16, base: 100, at: memory.address, pages: 1),
            slot(0, id: 1 << 16 | 1, base: 101, at: memory.address, pages: 1))
        #expect(look(&contents, batch(1, [100, 101, 102]), &slots).map(\.gfn) == [100, 102])
        #expect(contents.tally.unseen == 1)
        #expect(slots.regions.count == 1)
    }

    @Test func `two numbers of one page are both looked at`() throws {
        let memory = OwnMemory(pages: 1)
        memory.set(page: 0, word: 0, to: 5)
        var contents = try contents()
        var slots = addresses(
            slot(0, id: 0, base: 100, at: memory.address, pages: 1),
            slot(0, id: 1, base: 200, at: memory.address, pages: 1))
        #expect(look(&contents, batch(1, [200, 100]), &slots).map(\.gfn) == [100, 200])
    }

    @Test func `a look before the VMM's CLEAR is counted`() throws {
        let memory = OwnMemory(pages: 2)
        for page in 0..<2 { memory.set(page: page, word: 0, to: 5) }
        var contents = try contents()
        var slots = addresses(slot(0, base: 0, at: memory.address, pages: 2))
        #expect(look(&contents, batch(1, [0, 1]), &slots, isOpen: { $0 == 1 }).count == 2)
        #expect(contents.tally == VMMContents.Tally(early: 1, unseen: 0))
    }
}
