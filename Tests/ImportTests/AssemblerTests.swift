import Foundation
import Model
import TestSupport
import Testing

@testable import Import

@Suite struct `Recording records` {
    @Test func `are laid out as the format file says`() throws {
        let format = try #require(EventFormat(parsing: HonestFile.push))
        #expect(format.name == "kvm_dirty_ring_push")
        #expect(format.id == 30)
        #expect(format.fields["offset"] == .init(offset: 24, size: 8, signed: false))
        // Another kernel may order fields otherwise.
        let moved = HonestFile.push.replacing("slot;\toffset:20", with: "slot;\toffset:32")
        var decoder = EventDecoder()
        #expect(decoder.learn(try #require(EventFormat(parsing: moved))))
        let record =
            HonestFile.record(pid: 7, ring: 1, dirty: 5, slot: 99, offset: 0xa101) + HonestFile.little(UInt32(2))
        #expect(
            decoder.decode(record[...], ns: 3)
                == RingEvent(ns: 3, pid: 7, ring: 1, kind: .push(slot: 2, offset: 0xa101, dirty: 5, reset: 0)))
        #expect(decoder.decode(record.prefix(6), ns: 3) == nil)
        #expect(EventFormat(parsing: "nonsense") == nil)
        #expect(EventFormat(parsing: "name: a\nID: 1\n\tfield:int x;\toffset:z;\tsize:4;") == nil)
    }

    @Test func `have times by deltas, extensions and absolute stamps`() throws {
        let layout = try #require(PageLayout(parsing: HonestFile.headerPage))
        #expect(layout.size == 4096)
        func header(_ type: UInt32, _ delta: UInt32) -> [UInt8] { HonestFile.little(type | delta << 5) }
        let data: [UInt8] =
            header(1, 0) + [1, 0, 0, 0]
            + header(1, 10) + [2, 0, 0, 0]
            + header(30, 5) + HonestFile.little(UInt32(1))
            + header(1, 1) + [3, 0, 0, 0]
            + header(29, 7) + HonestFile.little(UInt32(8)) + [9, 9, 9, 9]
            + header(0, 2) + HonestFile.little(UInt32(9)) + [4, 0, 0, 0, 5, 0, 0, 0]
            + header(31, 3) + HonestFile.little(UInt32(2))
            + header(1, 0) + [6, 0, 0, 0]
        let start: UInt64 = 1 << 59 | 1000
        var page =
            HonestFile.little(start) + HonestFile.little(UInt64(data.count) | 1 << 31 | 1 << 30) + data
            + HonestFile.little(UInt64(12))
        page += [UInt8](repeating: 0, count: 4096 - page.count)
        var seen: [(UInt8, Int, Int64)] = []
        var records = try layout.records(in: page[...])
        while let (record, ns) = try records.next() { seen.append((record.first ?? 0, record.count, ns)) }
        #expect(records.lost == 12)
        #expect(seen.map(\.0) == [1, 2, 3, 4, 6])
        #expect(seen.map(\.1) == [4, 4, 4, 5, 4])
        let base: Int64 = 1 << 59
        #expect(seen.map(\.2)[0...1] == [base + 1000, base + 1010])
        #expect(seen[2].2 == base + 1010 + (1 << 27) + 5 + 1)
        #expect(seen[3].2 == seen[2].2 + 7 + 2)
        #expect(seen[4].2 == base + (2 << 27) + 3)
    }

    @Test func `that lie beyond their page are damage`() {
        let layout = PageLayout()
        let long = HonestFile.little(UInt64(0)) + HonestFile.little(UInt64(4081))
        #expect(throws: PageLayout.Damage.self) { try layout.records(in: long[...]) }
        let record =
            HonestFile.little(UInt64(0)) + HonestFile.little(UInt64(4)) + HonestFile.little(UInt32(28))
            + [UInt8](repeating: 0, count: 4076)
        #expect(throws: PageLayout.Damage.self) {
            var records = try layout.records(in: record[...])
            while try records.next() != nil {}
        }
    }
}

@Suite struct `Ring events become harvests` {
    private func push(_ ring: Int, _ ns: Int64, _ number: UInt32, reset: UInt32 = 0, offset: UInt64 = 0) -> RingEvent {
        RingEvent(ns: ns, pid: 1, ring: ring, kind: .push(slot: 1, offset: offset, dirty: number, reset: reset))
    }
    private func reset(_ ring: Int, _ ns: Int64, _ reset: UInt32) -> RingEvent {
        RingEvent(ns: ns, pid: 1, ring: ring, kind: .reset(reset: reset))
    }
    private func assemble(
        _ events: [RingEvent], vcpus: Int = 2, interval: Int64 = 0
    ) throws -> [IterationBatch] {
        var assembler = Assembler(vcpuCount: vcpus, intervalNs: interval, startNs: 0)
        var batches: [IterationBatch] = []
        for event in events { if let batch = try assembler.add(event) { batches.append(batch) } }
        return batches + [assembler.finish(at: events.last?.ns ?? 0)]
    }
    private let slot = RingEvent(
        ns: 0, pid: 1, ring: 0, kind: .slot(id: 1, flags: 1, address: 0x100000, size: 0x1000000, host: 0x7f00_0000_0000)
    )

    @Test func `at the VMM's re-protection, with the entries that it covers`() throws {
        let ms: Int64 = 1_000_000
        let batches = try assemble([
            slot, push(0, 1 * ms, 1, offset: 5), push(1, 2 * ms, 1, offset: 6), push(0, 3 * ms, 2, offset: 7),
            // The third entry came after the VMM had looked.
            push(0, 4 * ms, 3, offset: 8), reset(0, 5 * ms, 2), reset(1, 5 * ms + 1, 1),
            push(0, 100 * ms, 4, reset: 2, offset: 9), reset(0, 200 * ms, 4), reset(1, 200 * ms, 1),
        ])
        try #require(batches.count == 2)
        #expect(batches[0].harvests.map(\.gfns) == [[0x105, 0x107], [0x106]])
        #expect(batches[0].exactTimes == [0: [1 * ms, 3 * ms], 1: [2 * ms]])
        #expect(batches[0].harvests[0].harvest.tsNs == 5 * ms)
        #expect(batches[1].harvests.map(\.gfns) == [[0x108, 0x109]])
        #expect(batches[1].harvests[0].harvest.sinceNs == 4 * ms - 1)
        #expect(batches.flatMap(\.losses).isEmpty)
        #expect(batches[0].slots.map(\.baseGFN) == [0x100])
    }

    @Test func `and a round that takes a ring in several steps is one round`() throws {
        // As seen of QEMU 7.2 on Linux 6.12: re-protections 30 µs apart, of entries that are a second old.
        let (ms, us) = (Int64(1_000_000), Int64(1000))
        let batches = try assemble(
            [
                slot, push(0, 1 * ms, 1, offset: 1), push(0, 5 * ms, 2, offset: 2), push(1, 6 * ms, 1, offset: 3),
                reset(0, 1000 * ms, 1), reset(0, 1000 * ms + 30 * us, 2), reset(1, 1000 * ms + 60 * us, 1),
                push(0, 1001 * ms, 3, reset: 2, offset: 1), push(0, 1002 * ms, 4, reset: 2, offset: 4),
                reset(0, 2000 * ms, 4), reset(1, 2000 * ms + 10 * us, 1),
            ], interval: 100 * ms)
        #expect(batches.map { Set($0.harvests.flatMap(\.gfns)) } == [[0x101, 0x102, 0x103], [0x101, 0x104]])
        #expect(batches[1].iteration.startNs == 1000 * ms + 60 * us)
    }

    @Test func `and rounds that follow at once are rounds of their own`() throws {
        let ms: Int64 = 1_000_000
        let batches = try assemble([
            slot, push(0, 1 * ms, 1, offset: 1), reset(0, 2 * ms, 1), push(0, 3 * ms, 2, reset: 1, offset: 2),
            reset(0, 4 * ms, 2), push(0, 5 * ms, 3, reset: 2, offset: 3), reset(0, 6 * ms, 3),
        ])
        #expect(batches.map { $0.harvests.flatMap(\.gfns) } == [[0x101], [0x102], [0x103]])
    }

    @Test func `and a full ring makes the vCPU stand still`() throws {
        let full = RingEvent(ns: 20, pid: 1, ring: 0, kind: .full)
        let again = RingEvent(ns: 25, pid: 1, ring: 0, kind: .full)
        let batches = try assemble([
            slot, push(0, 10, 1), push(0, 15, 2), full, again, reset(0, 90, 2), push(0, 95, 3, reset: 2),
        ])
        let harvest = try #require(batches.first?.harvests.first?.harvest)
        #expect(harvest.cause == .ringFull)
        #expect(harvest.stallNs == 70)
        #expect(harvest.provisionalCount == 1)
        #expect(batches.flatMap(\.harvests).last?.harvest.cause == .final)
    }

    @Test func `and a gap in the numbers is a loss of so many entries`() throws {
        let batches = try assemble([slot, push(0, 10, 0xffff_fffe), push(0, 11, 0xffff_ffff), push(0, 12, 4, reset: 2)])
        let losses = batches.flatMap(\.losses)
        #expect(losses.map(\.entries) == [4])
        #expect(losses.map(\.vcpu) == [0])
        #expect(losses.map(\.kind) == [.traceOverrun])
        // The re-protection was lost too, but the push tells of it.
        #expect(batches.flatMap(\.harvests).map(\.harvest.entryCount) == [2, 1])
    }

    @Test func `and what was re-protected without having been seen is a loss`() throws {
        let batches = try assemble([slot, push(0, 10, 1), push(0, 11, 2), reset(0, 20, 7), push(0, 30, 8, reset: 7)])
        #expect(batches.flatMap(\.losses).map(\.entries) == [5])
        #expect(batches.flatMap(\.harvests).map(\.harvest.entryCount) == [2, 1])
    }

    @Test func `and an entry that comes late is counted as lost once, not twice`() throws {
        let batches = try assemble([1, 2, 4, 3, 5, 6].enumerated().map { push(0, Int64($0 + 1), $1) })
        #expect(batches.flatMap(\.losses).map(\.entries) == [1])
    }

    @Test func `and no round lets an iteration grow without limit`() throws {
        // Times that go back: every reset seems to go on with a round of the future.
        var events = [slot, reset(0, 1_000_000_000, 0)]
        for number in UInt32(1)...40_000 {
            events.append(push(0, 10, number, reset: number - 1))
            events.append(reset(0, 10, number))
        }
        let batches = try assemble(events, interval: 100_000_000)
        #expect(batches.allSatisfy { $0.harvests.count <= 1 << 15 })
        #expect(batches.reduce(0) { $0 + $1.entryCount } == 40_000)
    }

    @Test func `in windows of their own when a slot's address is unknown`() throws {
        let batches = try assemble([push(0, 10, 1, offset: 3)])
        #expect(batches[0].harvests[0].gfns == [1 << 50 | 1 << 32 | 3])
        #expect(batches[0].slots[0].name == "slot 1, guest address unknown")
    }

    @Test func `unless they cannot be true`() {
        #expect(throws: Assembler.Contradiction.self) { try assemble([push(7, 1, 1)]) }
        #expect(throws: Assembler.Contradiction.self) { try assemble([slot, push(0, 1, 1, offset: 1 << 40)]) }
        #expect(throws: Assembler.Contradiction.self) { try assemble((1...70_000).map { push(0, 1, $0) }) }
    }

    @Test func `in time that grows with their number only`() throws {
        // A VMM that re-protects entry by entry while its ring is nearly full.
        var assembler = Assembler(vcpuCount: 1, intervalNs: 0, startNs: 0)
        var taken = 0
        let depth: UInt32 = 60_000
        let few = try threadSeconds {
            for number in 0..<depth {
                _ = try assembler.add(push(0, Int64(number), number + 1, offset: UInt64(number % 4096)))
            }
        }
        let many = try threadSeconds {
            for number in 0..<depth {
                if let batch = try assembler.add(reset(0, Int64(depth + number), number + 1)) {
                    taken += batch.entryCount
                }
            }
        }
        taken += assembler.finish(at: Int64(2 * depth)).entryCount
        #expect(taken == Int(depth))
        // Copying the ring for each would make it some thousand times as long.
        #expect(many < few * 50, "\(many) s to take \(depth) entries out one by one, \(few) s to put them in")
    }
}
