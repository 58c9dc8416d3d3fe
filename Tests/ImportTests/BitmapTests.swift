import Import
import Model
import TestSupport
import Testing

/// KVM's bitmap of one slot, its writers and its VMM, step by step in any order that KVM allows.
private struct BitmapModel {
    enum Mode: CaseIterable { case get, clear }
    enum Start: CaseIterable { case clear, set, unknown }

    let mode: Mode
    let start: Start
    let base: GFN = 0x1c3
    let pages = 150
    private var random: Seeded
    private var ns: Int64 = 1_000_000_000
    var events: [RingEvent] = []
    /// The bits, as KVM has them.
    private var bits: Set<Int> = []
    /// Bits that stem from before the first event, or from the beginning of logging.
    private var old: Set<Int> = []
    /// Pages marked, whose bit is set a moment later.
    private var setting: [Int: Int] = [:]
    /// What was reported and not cleared.
    private var reported: Set<Int> = []
    /// Whether the VMM clears all that it got at once. Some clear chunk by chunk, and leave some for later. What is marked while GET copies its
    /// bitmap, or in a CLEAR's own moment, belongs to the GET that is cleared then; of what is left nobody can tell, so nobody writes then.
    private let clearsAll: Bool
    /// What each GET has to be: its new pages.
    var harvests: [Set<GFN>] = []

    init(_ mode: Mode, _ start: Start, seed: UInt64) {
        (self.mode, self.start, random) = (mode, start, Seeded(seed))
        clearsAll = mode == .get || seed % 2 == 0
        if start != .unknown {
            let flags: UInt64 = mode == .clear ? (start == .set ? 3 : 1) : 0
            emit(
                .slot(id: 1, flags: 1, address: base << 12, size: UInt64(pages) << 12, host: 0x7f00_0000_0000),
                protection: flags)
        }
        for thread in 1...3 { emit(.enter, thread: thread, ring: thread - 1) }
        if start == .set { bits = Set(0..<pages) }
        if start == .unknown { for page in 0..<pages where below(3) == 0 { bits.insert(page) } }
        old = bits
    }

    private mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    private mutating func emit(_ kind: RingEvent.Kind, thread: Int = 9, ring: Int = 0, protection: UInt64? = nil) {
        ns += 1 + Int64(below(100))
        events.append(RingEvent(ns: ns, pid: thread, ring: ring, kind: kind, vm: 1, protection: protection))
    }

    /// What vCPUs do between two steps of the VMM.
    private mutating func write() {
        for _ in 0..<below(8) {
            let thread = 1 + below(3)
            if let page = setting.removeValue(forKey: thread) {
                bits.insert(page)
            } else {
                // Few pages, so that they meet.
                let page = below(2) == 0 ? below(pages) : 60 + below(10)
                // Bits that were set from the beginning tell nothing of the write; those from before may.
                if start == .unknown { old.remove(page) }
                emit(.mark(slot: 1, gfn: base + UInt64(page)), thread: thread)
                setting[thread] = page
            }
        }
    }

    private mutating func take(_ word: Int, _ wanted: Set<Int>, races: Bool) -> Set<Int> {
        let range = word * 64..<min(pages, word * 64 + 64)
        let taken = bits.intersection(range).intersection(wanted)
        bits.subtract(taken)
        if races { write() }
        if !taken.isEmpty {
            let mask = taken.reduce(UInt64(0)) { $0 | 1 << UInt64($1 - word * 64) }
            emit(.mask(slot: 1, base: base, pages: UInt64(pages), offset: UInt64(word * 64), mask: mask))
        }
        if races { write() }
        return taken
    }

    private var words: Range<Int> { 0..<(pages + 63) / 64 }
    private mutating func sync(isClear: Bool) {
        emit(.ioctl(isClear: isClear))
        emit(
            .sync(slot: 1, base: base, pages: UInt64(pages), host: 0),
            protection: mode == .clear ? (start == .set ? 3 : 1) : 0)
    }

    mutating func harvest() {
        for _ in 0..<below(6) { write() }
        // What is marked when a GET with manual protection begins may be set later; a CLEAR of others of its word tells which GET has it.
        // Of what is alone in its word nobody can tell: it is set by then.
        if mode == .clear {
            let isTold = { [bits, clearsAll] (page: Int) in
                clearsAll && bits.contains { $0 / 64 == page / 64 && $0 != page }
            }
            bits.formUnion(setting.values.filter { !isTold($0) })
            setting = setting.filter { isTold($0.value) }
        }
        sync(isClear: false)
        var got: Set<Int> = []
        var new: Set<Int> = []
        for word in words {
            if mode == .clear, clearsAll { write() }
            let before = old
            let part =
                mode == .get ? take(word, Set(0..<pages), races: true) : bits.intersection(word * 64..<word * 64 + 64)
            got.formUnion(part)
            new.formUnion(part.subtracting(before))
        }
        harvests.append(Set(new.subtracting(reported).map { base + UInt64($0) }))
        // KVM sets a bit that was marked within a harvest before the next one.
        defer {
            bits.formUnion(setting.values)
            setting = [:]
        }
        guard mode == .clear else {
            old = []
            return
        }
        reported.formUnion(got)
        if clearsAll { write() }
        sync(isClear: true)
        for word in words where clearsAll || harvests.count == 1 || below(3) > 0 {
            let taken = take(word, got, races: clearsAll)
            old.subtract(taken)
            reported.subtract(taken)
        }
    }
}

@Suite struct `Marks and masks become harvests` {
    private func assemble(_ events: [RingEvent]) throws -> (batches: [IterationBatch], check: BitmapAssembler.Check) {
        let assembler = BitmapAssembler(vcpuCount: 1, hasMarks: true, intervalNs: 0, startNs: 0)
        var batches: [IterationBatch] = []
        for event in events { if let batch = try assembler.add(event) { batches.append(batch) } }
        batches.append(assembler.finish(at: (events.last?.ns ?? 0) + 1))
        return (batches, assembler.check)
    }

    private func gfns(_ batch: IterationBatch, _ cause: HarvestCause = .periodic) -> Set<GFN> {
        Set(batch.harvests.filter { $0.harvest.cause == cause }.flatMap(\.gfns))
    }

    @Test(arguments: [(false, 0), (false, 1), (false, 2), (true, 0), (true, 1), (true, 2)])
    func `that are the VMM's, whatever the order of steps is`(isManual: Bool, start: Int) throws {
        let mode: BitmapModel.Mode = isManual ? .clear : .get
        // Without manual protection there is nothing that is set from the beginning.
        guard isManual || start != 1 else { return }
        for seed in 0..<40 {
            var model = BitmapModel(mode, BitmapModel.Start.allCases[start], seed: UInt64(seed))
            for _ in 0..<8 { model.harvest() }
            let (batches, check) = try assemble(model.events)
            try #require(batches.count == model.harvests.count, "seed \(seed)")
            // What was dirty before the first event is settled by the first harvest.
            for (place, expected) in model.harvests.enumerated().dropFirst(start == 2 ? 1 : 0) {
                let ours = gfns(batches[place])
                try #require(
                    ours == expected,
                    "seed \(seed), harvest \(place): missing \(expected.subtracting(ours)), more \(ours.subtracting(expected))"
                )
            }
            #expect(check.unmarked == 0 && check.unmasked == 0 && check.misfits == 0, "seed \(seed): \(check)")
            for (harvest, times) in batches.flatMap({ batch in
                batch.harvests.enumerated().map { ($1.harvest, batch.exactTimes[$0] ?? []) }
            }) {
                #expect(times.count == harvest.entryCount && harvest.vcpu != nil)
                #expect(times.allSatisfy { $0 > harvest.sinceNs && $0 <= harvest.tsNs })
            }
        }
    }

    private func at(_ ns: Int64, _ kind: RingEvent.Kind, thread: Int = 7, protection: UInt64? = 0) -> RingEvent {
        RingEvent(ns: ns, pid: thread, ring: 0, kind: kind, vm: 1, protection: protection)
    }
    private func slot(_ ns: Int64, logs: Bool, base: GFN = 0x100, pages: UInt64 = 64) -> RingEvent {
        at(ns, .slot(id: 1, flags: logs ? 1 : 0, address: base << 12, size: pages << 12, host: 0))
    }
    private func get(_ ns: Int64) -> RingEvent { at(ns, .sync(slot: 1, base: 0x100, pages: 64, host: 0)) }
    private func mask(_ ns: Int64, _ bits: UInt64) -> RingEvent {
        at(ns, .mask(slot: 1, base: 0x100, pages: 64, offset: 0, mask: bits))
    }

    @Test func `and a page that is taken without a mark is a loss, and no page is missing`() throws {
        let (batches, check) = try assemble([
            slot(1, logs: true), at(2, .mark(slot: 1, gfn: 0x101)), get(3), mask(4, 0b110), get(5), mask(6, 0b100),
        ])
        #expect(batches.map { gfns($0) } == [[0x101, 0x102], [0x102]])
        #expect(batches[0].losses.map(\.entries) == [1])
        #expect(batches[0].harvests.map(\.harvest.vcpu) == [nil, nil])
        #expect(batches[0].exactTimes.count == 1)
        #expect(check.unmarked == 2)
    }

    @Test func `and a mask that was not seen does not hide what comes later`() throws {
        let (batches, check) = try assemble([
            slot(1, logs: true), at(2, .mark(slot: 1, gfn: 0x101)), get(3), get(500_000_000),
            at(600_000_000, .mark(slot: 1, gfn: 0x101)), get(700_000_000), mask(700_000_001, 2),
        ])
        #expect(check.unmasked == 1)
        #expect(batches.flatMap(\.losses).count == 1)
        #expect(batches.flatMap { batch in batch.exactTimes.values.flatMap { $0 } }.sorted() == [2, 600_000_000])
    }

    @Test func `and logging that is switched off harvests what is left, and begins anew`() throws {
        let (batches, check) = try assemble([
            slot(1, logs: true), at(2, .mark(slot: 1, gfn: 0x101)), slot(10, logs: false),
            // A vCPU that had the old slot still in its hands.
            at(11, .mark(slot: 1, gfn: 0x102)), slot(20, logs: true), at(21, .mark(slot: 1, gfn: 0x101)),
            at(22, .mark(slot: 1, gfn: 0x101)), get(30), mask(31, 2),
        ])
        #expect(batches.flatMap(\.harvests).map(\.gfns) == [[0x101], [0x102], [0x101]])
        #expect(batches.flatMap(\.losses).isEmpty)
        #expect(check.marks == 4)
        #expect(batches.flatMap(\.slots).map(\.baseGFN) == [0x100])
    }

    @Test func `from the moment on when all probes are on`() throws {
        let assembler = BitmapAssembler(vcpuCount: 1, hasMarks: true, intervalNs: 0, startNs: 10)
        // Its mask was not seen, as that probe was not on yet: the next mark is an entry all the same.
        for event in [at(8, .mark(slot: 1, gfn: 0x101)), at(12, .mark(slot: 1, gfn: 0x101)), get(13), mask(14, 2)] {
            _ = try assembler.add(event)
        }
        let batch = assembler.finish(at: 20)
        #expect(batch.exactTimes == [0: [12]])
        #expect(assembler.check.marks == 1)
    }

    @Test func `and a slot that moves is another one`() throws {
        let (batches, _) = try assemble([
            slot(1, logs: true), at(2, .mark(slot: 1, gfn: 0x101)), slot(10, logs: true, base: 0x200),
            at(12, .mark(slot: 1, gfn: 0x201)),
        ])
        #expect(batches.flatMap(\.harvests).map(\.gfns) == [[0x101], [0x201]])
        #expect(batches.flatMap(\.slots).map(\.baseGFN) == [0x100, 0x100, 0x200])
    }

    @Test func `and a page is open until its CLEAR`() throws {
        let assembler = BitmapAssembler(vcpuCount: 1, hasMarks: true, intervalNs: 0, startNs: 0)
        func add(_ event: RingEvent) throws { _ = try assembler.add(event) }
        try add(slot(1, logs: true))
        try add(at(2, .mark(slot: 1, gfn: 0x101), protection: 1))
        try add(at(3, .mark(slot: 1, gfn: 0x102), protection: 1))
        // Marked long before: the GET has both, whatever the CLEAR takes.
        let second: Int64 = 1_000_000_000
        try add(at(second, .ioctl(isClear: false), protection: 1))
        try add(get(second + 1))
        try add(at(second + 2, .ioctl(isClear: true), protection: 1))
        try add(get(second + 3))
        try add(mask(second + 4, 0b10))
        // The next GET ends the harvest: the one page was cleared meanwhile, the other was not.
        try add(at(2 * second, .ioctl(isClear: false), protection: 1))
        try add(get(2 * second + 1))
        #expect([0x101, 0x102].map(assembler.isOpen) == [false, true])
        try add(at(2 * second + 2, .ioctl(isClear: true), protection: 1))
        try add(get(2 * second + 3))
        try add(mask(2 * second + 4, 0b100))
        #expect(!assembler.isOpen(0x102))
    }

    @Test func `and what was marked a moment before a GET that did not have it is the next one's`() throws {
        func clear(_ ns: Int64, _ bits: UInt64) -> [RingEvent] {
            [at(ns, .ioctl(isClear: true), protection: 1), get(ns + 1), mask(ns + 2, bits)]
        }
        func getting(_ ns: Int64) -> [RingEvent] { [at(ns, .ioctl(isClear: false), protection: 1), get(ns + 1)] }
        // KVM sets the bit of page 0x102 after the GET has copied it; the CLEAR of what the GET said passes over it.
        let (batches, _) = try assemble(
            [
                slot(1, logs: true), at(2, .mark(slot: 1, gfn: 0x101), protection: 1),
                at(9, .mark(slot: 1, gfn: 0x102), protection: 1),
            ] + getting(10) + clear(12, 0b10) + getting(20) + clear(22, 0b100) + getting(30))
        #expect(batches.map { gfns($0) } == [[0x101], [0x102], []])
    }

    @Test func `and two address spaces are two slots`() throws {
        let (batches, _) = try assemble([
            at(1, .mark(slot: 1, gfn: 0x101)), at(2, .mark(slot: 1 << 16 | 1, gfn: 0x101)),
        ])
        #expect(batches.flatMap(\.harvests).map(\.gfns) == [[0x101], [0x101]])
        #expect(batches.flatMap(\.slots).map(\.addressSpace) == [0, 1])
    }

    @Test func `without marks, too, then without times and vCPUs`() throws {
        let assembler = BitmapAssembler(vcpuCount: 2, hasMarks: false, intervalNs: 0, startNs: 0)
        let events = [slot(1, logs: true), get(3), mask(4, 0b110), get(5), mask(6, 0b1)]
        var batches = try events.compactMap { try assembler.add($0) }
        batches.append(assembler.finish(at: 9))
        #expect(batches.map { gfns($0) } == [[0x101, 0x102], [0x100]])
        #expect(batches.flatMap(\.losses).isEmpty && batches.allSatisfy { $0.exactTimes.isEmpty })
        #expect(assembler.entries == 3)
    }

    @Test func `and what the kernel dropped makes nothing certain`() throws {
        let assembler = BitmapAssembler(vcpuCount: 1, hasMarks: true, intervalNs: 0, startNs: 0)
        for event in [slot(1, logs: true), at(2, .mark(slot: 1, gfn: 0x101)), get(3)] { _ = try assembler.add(event) }
        assembler.forget(at: 4)
        for event in [mask(5, 0b1110), at(6, .mark(slot: 1, gfn: 0x101))] { _ = try assembler.add(event) }
        let batch = assembler.finish(at: 9)
        #expect(gfns(batch) == [0x101])
        #expect(gfns(batch, .final) == [0x101])
        #expect(assembler.check.unmarked == 0 && assembler.check.beforeAttach == 3)
    }

    @Test func `and a harvest that nothing follows is over after a while`() throws {
        let assembler = BitmapAssembler(vcpuCount: 1, hasMarks: true, intervalNs: 0, startNs: 0)
        let events = [slot(1, logs: true), at(2, .mark(slot: 1, gfn: 0x101)), get(3), mask(4, 2)]
        for event in events { #expect(try assembler.add(event) == nil) }
        #expect(assembler.advance(to: 1_000_000) == nil)
        #expect(try #require(assembler.advance(to: 1_000_000_000)).entryCount == 1)
    }

    @Test func `unless they cannot be true`() {
        #expect(throws: EventContradiction.self) { try assemble([at(1, .mark(slot: 1, gfn: .max))]) }
        #expect(throws: EventContradiction.self) {
            try assemble([at(1, .mask(slot: 1, base: 1 << 60, pages: .max, offset: 0, mask: 1))])
        }
        #expect(throws: EventContradiction.self) {
            try assemble([at(1, .mask(slot: 1, base: 0, pages: 64, offset: 64, mask: 1))])
        }
    }
}
