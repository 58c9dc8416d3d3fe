import Content
import Glibc
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

@Suite struct VMMContentTests {
    @Test func `what pages of another process hold is what it wrote`() throws {
        let memory = OwnMemory(pages: 8)
        // The guest's pages 100 to 103 lie in the second half, 50 to 53 in the first.
        let half = UInt64(4 * pageBytes)
        let regions = [
            VMMMemory.Region(baseGFN: 50, address: memory.address, size: half),
            VMMMemory.Region(baseGFN: 100, address: memory.address + half, size: half),
        ]
        var contents = try VMMContents(ContentShare(parsing: "all"), pid: getpid())
        memory.set(page: 5, word: 9, to: 0xdead_beef)

        var first = batch(1, [101, 50, 101])
        contents.look(&first, regions)
        #expect(first.contents.map(\.gfn) == [50, 101])
        #expect(first.contents.map(\.digest.isZero) == [true, false])
        // What they held before is not known.
        #expect(first.contents.allSatisfy { $0.digest.change == nil })

        for word in 0..<3 { memory.set(page: 5, word: word, to: 7) }
        var second = batch(2, [101, 50])
        contents.look(&second, regions)
        #expect(second.contents.map(\.gfn) == [50, 101])
        #expect(second.contents.map(\.digest.change?.words) == [0, 3])
        #expect(second.contents[0].digest.hash == first.contents[0].digest.hash)
        #expect(contents.unseen == 0)

        // The slot has moved; the page is the same.
        memory.set(page: 5, word: 0, to: 8)
        var moved = batch(3, [201])
        contents.look(&moved, [VMMMemory.Region(baseGFN: 200, address: memory.address + half, size: half)])
        #expect(moved.contents.map(\.digest.change?.words) == [1])
    }

    @Test func `an iteration in parts is looked at once, at its end`() throws {
        let memory = OwnMemory(pages: 4)
        let region = VMMMemory.Region(baseGFN: 0, address: memory.address, size: UInt64(4 * pageBytes))
        var contents = try VMMContents(ContentShare(parsing: "all"), pid: getpid())
        var part = batch(1, isPart: true, [1, 2])
        contents.look(&part, [region])
        #expect(part.contents.isEmpty)
        var end = batch(1, [2, 3])
        contents.look(&end, [region])
        #expect(end.contents.map(\.gfn) == [1, 2, 3])
    }

    @Test func `what cannot be looked at is counted`() throws {
        var contents = try VMMContents(ContentShare(parsing: "all"), pid: getpid())
        // No slot, and a slot whose memory is not there.
        var unknown = batch(1, [7, 100])
        contents.look(&unknown, [VMMMemory.Region(baseGFN: 100, address: 4096, size: UInt64(pageBytes))])
        #expect(contents.unseen == 2)
        #expect(unknown.contents.isEmpty)
        var gone = VMMContents(ContentShare(oneIn: 1), pid: -1)
        var last = batch(1, [100])
        gone.look(&last, [VMMMemory.Region(baseGFN: 100, address: 4096, size: UInt64(pageBytes))])
        #expect(gone.unseen == 1)
        #expect(last.contents.isEmpty)
    }
}
