import Import
import Model
import TestSupport
import Testing

private typealias Look = SoftDirtyLook

private func fault(_ ns: Int64, _ gfn: GFN, vcpu: Int = 0, write: Bool = true) -> RingEvent {
    RingEvent(ns: ns, pid: 10 + vcpu, ring: vcpu, kind: .fault(address: gfn << 12 | 0x123, isWrite: write))
}
private func unmap(_ ns: Int64, slot: UInt32 = 1, base: GFN = 0x400, pages: UInt64 = 2048, flags: UInt32 = 0)
    -> RingEvent
{
    RingEvent(
        ns: ns, pid: 1, ring: 0,
        kind: .unmap(slot: slot, flags: flags, base: base, pages: pages, host: 0x7f00_0000_0000),
        vm: 1)
}

private func region(base: GFN = 0x400, pages: Int = 2048, _ marked: [GFN]) -> Look.Region {
    var bits = [UInt64](repeating: 0, count: (pages + 63) / 64)
    for gfn in marked { bits[Int(gfn - base) / 64] |= 1 << ((gfn - base) % 64) }
    return Look.Region(baseGFN: base, pages: UInt64(pages), bits: bits)
}

/// What an iteration says: pages by who wrote them and for how many pages each stands.
private func summary(_ batch: IterationBatch) -> [String: [GFN]] {
    Dictionary(
        batch.harvests.map { harvest, gfns in
            let who = harvest.vcpu.map(String.init) ?? harvest.source.rawValue
            return (who + (harvest.entryPages > 1 ? " × \(harvest.entryPages)" : ""), gfns)
        }, uniquingKeysWith: +)
}

@Suite struct `A VM that logs nothing` {
    /// One that has been protected at 100 for the first time.
    private func begun() throws -> SoftDirtyAssembler {
        let assembler = SoftDirtyAssembler(vcpuCount: 2, startNs: 100, clearedNs: 107)
        // Nothing is known of what was mapped then.
        #expect(try assembler.add(fault(95, 0x401)) == nil)
        #expect(try assembler.add(unmap(100)) == nil)
        return assembler
    }

    /// Reads the bits at `ns`, and clears them.
    private func end(
        _ assembler: SoftDirtyAssembler, at ns: Int64, _ marked: [GFN], large: [Look.LargePage] = []
    ) throws -> IterationBatch {
        assembler.expect(
            Look(
                beganNs: ns, readNs: ns + 5, clear: .init(beganNs: ns + 6, endedNs: ns + 20),
                regions: [region(marked)], largePages: large))
        return try #require(try assembler.add(unmap(ns + 10)))
    }

    @Test func `has entries of write faults, and of bits without one`() throws {
        let assembler = try begun()
        for event in [
            fault(110, 0x410), fault(111, 0x411, vcpu: 1), fault(112, 0x410), fault(113, 0x412, write: false),
            // A device, outside of memory.
            fault(114, 0x10),
        ] { #expect(try assembler.add(event) == nil) }
        let batch = try end(assembler, at: 200, [0x410, 0x411, 0x500])
        #expect(summary(batch) == ["0": [0x410], "1": [0x411], "vmm": [0x500]])
        #expect(batch.exactTimes == [0: [110], 1: [111]])
        #expect(batch.harvests.map(\.harvest.sinceNs) == [100, 100, 100])
        #expect(batch.harvests.map(\.harvest.tsNs) == [210, 210, 205])
        #expect([batch.iteration.getNs, batch.iteration.clearNs] == [5, 14])
        #expect([batch.iteration.startNs, batch.iteration.endNs] == [100, 210])
        #expect(batch.slots.map(\.baseGFN) == [0x400])
        let check = assembler.check
        #expect([check.faults, check.repeats, check.elsewhere, check.unmarked, check.between] == [3, 1, 1, 0, 0])
        #expect([check.vmm, check.blindNs, check.clears] == [1, 27, 1])
    }

    @Test func `loses no write between reading and clearing`() throws {
        let assembler = try begun()
        // The bits are read at 200, and KVM's mappings go at 210.
        assembler.expect(
            Look(beganNs: 200, readNs: 205, clear: .init(beganNs: 206, endedNs: 220), regions: [region([])]))
        #expect(try assembler.add(fault(203, 0x420)) == nil)
        let first = try #require(try assembler.add(unmap(210)))
        #expect(summary(first) == ["0": [0x420]])
        #expect(assembler.check.between == 1)
        // While bits are cleared, no page is mapped: what faults then is written afterwards.
        #expect(try assembler.add(fault(212, 0x420)) == nil)
        #expect(try assembler.add(unmap(213, slot: 2, base: 0x8000, pages: 16)) == nil)
        #expect(summary(try end(assembler, at: 300, [0x420])) == ["0": [0x420]])
    }

    @Test func `has no more faults in an iteration than came before its end, even if KVM did not say when that was`()
        throws
    {
        let assembler = try begun()
        #expect(try assembler.add(fault(150, 0x420)) == nil)
        assembler.expect(
            Look(
                beganNs: 200, readNs: 205, clear: .init(beganNs: 206, endedNs: 220), regions: [region([0x420, 0x421])]))
        #expect(try assembler.add(fault(230, 0x421)) == nil)
        #expect(assembler.advance(to: 1_000_000_000) == nil)
        let batch = try #require(assembler.advance(to: 1_000_000_300))
        // Its bit was set before it was cleared: that was not the vCPU.
        #expect(summary(batch) == ["0": [0x420], "vmm": [0x421]])
        #expect(summary(assembler.finish(at: 2_000_000_000)) == ["0": [0x421]])
    }

    @Test func `whose page two vCPUs write has an entry of each`() throws {
        let assembler = try begun()
        for event in [fault(110, 0x410), fault(111, 0x410, vcpu: 1)] { _ = try assembler.add(event) }
        #expect(summary(try end(assembler, at: 200, [0x410])) == ["0": [0x410], "1": [0x410]])
    }

    @Test func `tells how many pages lack the bit that a fault should have left`() throws {
        let assembler = try begun()
        for event in [fault(110, 0x410), fault(120, 0x411), fault(115, 0x412, vcpu: 1)] { _ = try assembler.add(event) }
        #expect(summary(try end(assembler, at: 200, [])) == ["0": [0x410, 0x411], "1": [0x412]])
        // The last fault of a vCPU may not have got so far.
        #expect([assembler.check.unmarked, assembler.check.between] == [1, 2])
    }

    /// The last word of the first one's bits goes on where the second one begins.
    @Test func `has slots whose pages are no multiple of 64`() throws {
        let assembler = try begun()
        _ = try assembler.add(unmap(101, slot: 2, base: 0xc00, pages: 10))
        _ = try assembler.add(unmap(102, slot: 3, base: 0xc0a, pages: 100))
        for event in [fault(110, 0xc0b), fault(120, 0xc0c)] { _ = try assembler.add(event) }
        assembler.expect(
            Look(
                beganNs: 200, readNs: 205, clear: .init(beganNs: 206, endedNs: 220),
                regions: [region(base: 0xc00, pages: 10, []), region(base: 0xc0a, pages: 100, [0xc0b, 0xc0c])]))
        #expect(summary(try #require(try assembler.add(unmap(210)))) == ["0": [0xc0b, 0xc0c]])
        #expect([assembler.check.unmarked, assembler.check.between] == [0, 0])
    }

    @Test func `names nobody where events were dropped`() throws {
        let assembler = try begun()
        _ = try assembler.add(fault(110, 0x410))
        assembler.forget(at: 150)
        let batch = try end(assembler, at: 200, [0x410, 0x411])
        #expect(summary(batch) == ["0": [0x410], "tracefs": [0x411]])
        #expect(batch.losses.map(\.entries) == [1])
        // The next iteration is whole again.
        #expect(summary(try end(assembler, at: 300, [0x411])) == ["vmm": [0x411]])
    }

    @Test func `whose VMM is gone has its faults, and the VMM was not seen since`() throws {
        let assembler = try begun()
        _ = try assembler.add(fault(110, 0x410))
        let batch = assembler.finish(at: 300)
        #expect(summary(batch) == ["0": [0x410]])
        #expect(batch.harvests.map(\.harvest.cause) == [.final])
        #expect(assembler.check.blindNs == 207)
    }

    @Test func `that logs for a while is followed on, and both moments are told`() throws {
        let assembler = try begun()
        #expect(assembler.loggedSlot == nil)
        func set(_ flags: UInt32, at ns: Int64) throws {
            _ = try assembler.add(
                RingEvent(
                    ns: ns, pid: 5, ring: 0,
                    kind: .slot(id: 1, flags: flags, address: 0x400 << 12, size: 2048 << 12, host: 0)))
        }
        try set(1, at: 120)
        #expect(assembler.loggedSlot == 1)
        _ = try assembler.add(fault(130, 0x410))
        try set(1, at: 140)
        try set(0, at: 150)
        #expect(assembler.loggedSlot == nil)
        let batch = assembler.finish(at: 300)
        #expect(summary(batch) == ["0": [0x410]])
        #expect(batch.markers.map(\.tsNs) == [120, 150])
        #expect(batch.markers.map(\.text) == ["the VMM's dirty log began", "the VMM's dirty log ended"])
    }

    @Test func `has memory that is plugged in, and none that is read-only`() throws {
        let assembler = try begun()
        for (id, flags, page) in [(UInt32(2), UInt32(0), UInt64(0x10000)), (3, 2, 0x20000)] {
            _ = try assembler.add(
                RingEvent(
                    ns: 120, pid: 5, ring: 0,
                    kind: .slot(id: id, flags: flags, address: page << 12, size: 16 << 12, host: 0)))
        }
        for event in [fault(130, 0x10001), fault(131, 0x20001)] { _ = try assembler.add(event) }
        #expect(summary(try end(assembler, at: 200, [])) == ["0": [0x10001]])
        #expect(assembler.check.elsewhere == 1)
    }

    // MARK: Large pages

    private let large = Look.LargePage(gfns: 0x400..<0x600, host: 0x7f00_0000_0000)
    private let other = Look.LargePage(gfns: 0x600..<0x800, host: 0x7f00_0020_0000)

    @Test func `has one entry for a large page`() throws {
        let assembler = try begun()
        _ = try assembler.add(fault(110, 0x432))
        let batch = try end(assembler, at: 200, Array(0x400..<0x800), large: [large, other])
        #expect(summary(batch) == ["0 × 512": [0x432], "vmm × 512": [0x600]])
    }

    @Test func `has one entry for a large page that is written while bits are read`() throws {
        let assembler = try begun()
        let clean = [large, other].map { Look.LargePage(gfns: $0.gfns, host: $0.host, isDirty: false) }
        assembler.expect(
            Look(
                beganNs: 200, readNs: 205, clear: .init(beganNs: 206, endedNs: 220), regions: [region([])],
                largePages: clean))
        _ = try assembler.add(fault(203, 0x432))
        #expect(summary(try #require(try assembler.add(unmap(210)))) == ["0 × 512": [0x432]])
    }

    @Test func `has exact entries where KVM maps pages of a large page one by one`() throws {
        let assembler = try begun()
        for page in 0x400..<0x600 { _ = try assembler.add(fault(Int64(page), GFN(page))) }
        let batch = try end(assembler, at: 2000, Array(0x400..<0x600), large: [large])
        #expect(summary(batch) == ["0": Array(0x400..<0x600)])
    }

    /// Two slots with parts of one large page of the host, as below 1 MiB of a PC, and one that lies across the guest's.
    @Test func `blames the VMM for no part of a large page that a vCPU has touched`() throws {
        let assembler = try begun()
        let host: UInt64 = 0x7f00_0000_0000
        let parts = [Look.LargePage(gfns: 0x400..<0x4a0, host: host), Look.LargePage(gfns: 0x500..<0x600, host: host)]
        let across = Look.LargePage(gfns: 0x700..<0x900, host: host + 0x20_0000)
        _ = try assembler.add(fault(110, 0x510))
        let batch = try end(
            assembler, at: 200, Array(0x400..<0x4a0) + Array(0x500..<0x600) + Array(0x700..<0x900),
            large: parts + [across])
        #expect(summary(batch) == ["0": [0x510], "vmm × 512": [0x700, 0x800]])
    }

    // MARK: A model

    /// A VM, its VMM and its kernel, step by step.
    @Test(arguments: 0..<20) func `misses nothing, whatever happens when`(seed: Int) throws {
        var random = Seeded(UInt64(seed))
        func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
        let assembler = try begun()
        var (ns, mapped, bits): (Int64, Set<GFN>, Set<GFN>) = (200, [], [])
        var (guest, vmm, lost): (Set<GFN>, Set<GFN>, Set<GFN>) = ([], [], [])
        var isReading = false
        func step() throws {
            ns += 1 + Int64(below(9))
            let gfn = GFN(0x400 + below(300))
            if below(4) == 0 {
                vmm.insert(gfn)
                if isReading { lost.insert(gfn) }
                bits.insert(gfn)
            } else if !mapped.contains(gfn) {
                mapped.insert(gfn)
                guest.insert(gfn)
                bits.insert(gfn)
                try #require(try assembler.add(fault(ns, gfn, vcpu: below(2))) == nil)
            }
        }
        for round in 0..<10 {
            for _ in 0..<below(100) { try step() }
            let (beganNs, read) = (ns + 1, bits)
            isReading = true
            // The look is handed over when it is complete, the events of its time come later.
            var late: [(Int64, GFN)] = []
            for _ in 0..<below(20) {
                ns += 2
                let gfn = GFN(0x400 + below(300))
                if mapped.insert(gfn).inserted {
                    late.append((ns, gfn))
                    guest.insert(gfn)
                } else {
                    lost.insert(gfn)
                }
            }
            let clear = Look.Clear(beganNs: ns + 1, endedNs: ns + 9)
            assembler.expect(
                Look(beganNs: beganNs, readNs: ns, clear: clear, regions: [region(Array(read))]))
            for (time, gfn) in late { try #require(try assembler.add(fault(time, gfn)) == nil) }
            let batch = try #require(try assembler.add(unmap(ns + 3)))
            let found = summary(batch)
            #expect(Set((found["0"] ?? []) + (found["1"] ?? [])) == guest, "round \(round)")
            // A page of both is the vCPU's.
            #expect(Set(found["vmm"] ?? []) == vmm.subtracting(guest), "round \(round)")
            ns += 20
            (mapped, bits, guest, vmm, isReading) = ([], [], [], [], false)
        }
        #expect(assembler.check.unmarked == 0)
    }
}
