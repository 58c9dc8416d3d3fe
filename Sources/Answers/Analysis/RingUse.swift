import Model

/// What one ring (or bitmap, or the VMM's log) contributed, and how it filled.
package struct RingUse: Sendable, Equatable {
    /// The vCPU; nil for a bitmap or the VMM's log.
    package var vcpu: Int?
    /// Where its entries come from.
    package var source: Source
    /// All its entries, and the classes that they fall into. `distinct`: it was the first to report the page.
    package var duplicates = DuplicateCounts()
    /// Exits because the ring was full.
    package var fullExits: Int64 = 0
    /// How long the vCPU stood still because of them, in nanoseconds.
    package var stall = Summary()
    /// Entries per iteration, provisional duplicates left out: how full a ring that is emptied once an iteration would be.
    package var fill = Summary()

    init(vcpu: Int?, source: Source) {
        self.vcpu = vcpu
        self.source = source
    }

    /// As harvests name it.
    var number: Int32 { Harvest.ring(of: vcpu, source) }
}

/// How often vCPUs would have left the guest with rings of another size (question R1).
///
/// A ring that is emptied at another moment protects its pages at another moment, and writes that follow are in the recording
/// only where it protected them, too: so this is a bracket. Within one interval, let a ring have logged E entries, F of them the first of
/// their page, and at most P between two of its harvests; L is the soft limit of the size in question.
///
/// - At least ⌊F / L⌋: each of these pages is logged whenever the ring is emptied. And at least ⌊E' / L⌋ − 1 for every E' entries between
///   two harvests: different pages, of which a ring's fill was logged before; without the − 1 where the interval begins.
/// - None when E < L; else at most 1 + ⌊(E − L) / (L − 1 − P)⌋: to fill the ring again takes L − 1 more pages, of which at most P were
///   written again unseen. Without bound when P ≥ L − 1.
package struct RingWhatIf: Sendable, Equatable {
    /// Ring size in entries.
    package var ringEntries: Int
    /// Entries at which KVM leaves the guest.
    package var softLimit: Int
    /// Exits over the whole recording, all vCPUs: at least.
    package var fullExits: Int64 = 0
    /// Exits at most; nil when the recording cannot say.
    package var mostFullExits: Int64? = 0
    /// Intervals × vCPUs with at least one exit: at least.
    package var affectedIntervals: Int64 = 0
    /// Whether this is the recorded size at the recorded interval: what was counted, and no prediction.
    package var isRecorded = false

    /// ``fullExits`` and ``mostFullExits``.
    package var exits: Bracket { Bracket(low: fullExits, high: mostFullExits) }
}

/// What harvests at longer intervals would have found (question R1): a page that is dirty already is not logged again.
///
/// Of iterations 1…k, k+1…2k and so on, each harvested once at its end, those entries are left whose iteration is the first of its
/// harvest with their page; all later ones found it writable. What shorter intervals would show cannot be known.
package struct HarvestWhatIf: Sendable, Equatable {
    /// Recorded iterations between two harvests: 1, 2, 4, 8 or 16.
    package var iterations: Int64
    /// Mean time between two, in nanoseconds.
    package var intervalNs: Int64 = 0
    /// Entries that would be left, provisional duplicates not counted.
    package var entries: Int64 = 0
    /// Rings of each size; empty for bitmaps.
    package var rings: [RingWhatIf]

    /// Intervals that are looked at.
    static let steps = 5
    /// A number for each freshness, from 0 to ``steps``.
    typealias ByFreshness = InlineArray<6, Int64>

    /// Of how many intervals, shortest first, `iteration` is the first with a page that was last dirty in iteration `last`, 0 for
    /// never: two iterations from 1 belong to one harvest of 2^j when (t − 1) >> j is the same.
    @inline(__always)
    static func freshness(last: UInt32, iteration: UInt32) -> Int {
        last == 0 ? steps : min(steps, UInt32.bitWidth - ((iteration - 1) ^ (last - 1)).leadingZeroBitCount)
    }
}

/// Gathers what one ring contributes.
struct RingTally: Sendable {
    /// What one interval of a what-if holds so far.
    private struct Interval {
        /// Entries that are left, provisional duplicates not counted.
        var left: Int64 = 0
        /// Those that are the first of their page.
        var firsts: Int64 = 0
        /// All entries of its iterations, provisional duplicates not counted.
        var logged: Int64 = 0
        /// Harvests, and most entries of one.
        var harvests = 0
        var longest: Int64 = 0
        /// Exits that are certain within single harvests, by ring size.
        var certain: [Int64] = []
        /// Exits that happened.
        var recorded: Int64 = 0
    }

    private(set) var use: RingUse
    private(set) var order: OrderTally
    private var stall = Sample()
    private var fill = Sample()
    private var intervals = [Interval](repeating: Interval(), count: HarvestWhatIf.steps)
    private var wasUsed = false

    init(vcpu: Int?, source: Source, host: PushOrder) {
        use = RingUse(vcpu: vcpu, source: source)
        order = OrderTally(host: host)
    }

    /// Takes one harvest, and what its entries add.
    mutating func add(
        _ harvest: Harvest, gfns: [GFN], climb: OrderTally.Climb, added: borrowing HarvestTally, faults: FaultPlaces,
        sizes: [RingWhatIf]
    ) {
        use.duplicates += added.counts
        let entries = Int64(gfns.count)
        var (first, left) = (Int64(0), Int64(0))
        for step in intervals.indices.reversed() {
            first += added.firsts[step + 1]
            left += added.firsts[step + 1] + added.repeats[step + 1]
            intervals[step].firsts += first
            intervals[step].left += left
            intervals[step].logged += entries - added.counts.provisional
            intervals[step].harvests += 1
            intervals[step].longest = max(intervals[step].longest, entries)
            let isFirst = intervals[step].harvests == 1
            for (place, size) in sizes.enumerated() {
                let exits = entries / Int64(size.softLimit) - (isFirst ? 0 : 1)
                if exits <= 0 { break }  // Sizes ascend.
                if intervals[step].certain.isEmpty {
                    intervals[step].certain = [Int64](repeating: 0, count: sizes.count)
                }
                intervals[step].certain[place] += exits
            }
        }
        wasUsed = true
        if harvest.cause == .ringFull {
            use.fullExits += 1
            intervals[0].recorded += 1
            stall.add(harvest.stallNs)
        }
        order.add(harvest, gfns: gfns, climb, faults: faults)
    }

    /// Ends an iteration, counted from 1; adds this ring's exits to each what-if whose harvest ends with it.
    mutating func endIteration(_ iteration: Int, _ whatIf: inout [HarvestWhatIf]) {
        if wasUsed { fill.add(intervals[0].left) }
        wasUsed = false
        for step in intervals.indices {
            if iteration & ((1 << step) - 1) != 0 { break }
            endHarvest(step, &whatIf[step])
        }
    }

    /// Ends the recording, which may cut a last harvest short.
    mutating func end(_ whatIf: inout [HarvestWhatIf]) {
        for step in intervals.indices { endHarvest(step, &whatIf[step]) }
    }

    private mutating func endHarvest(_ step: Int, _ whatIf: inout HarvestWhatIf) {
        let interval = intervals[step]
        intervals[step] = Interval()
        whatIf.entries += interval.left
        guard use.vcpu != nil else { return }
        for place in whatIf.rings.indices {
            let (low, high) =
                whatIf.rings[place].isRecorded
                ? (interval.recorded, interval.recorded)
                : Self.exits(
                    interval, limit: Int64(whatIf.rings[place].softLimit),
                    certain: interval.certain.isEmpty ? 0 : interval.certain[place])
            whatIf.rings[place].fullExits += low
            whatIf.rings[place].mostFullExits = whatIf.rings[place].mostFullExits.flatMap { most in
                high.map { most + $0 }
            }
            whatIf.rings[place].affectedIntervals += low > 0 ? 1 : 0
        }
    }

    /// See ``RingWhatIf``.
    private static func exits(_ interval: Interval, limit: Int64, certain: Int64) -> (low: Int64, high: Int64?) {
        guard interval.logged >= limit else { return (0, 0) }
        let low = max(interval.firsts / limit, certain)
        let room = limit - 1 - interval.longest
        return (low, room > 0 ? max(low, 1 + (interval.logged - limit) / room) : nil)
    }

    func finish() -> (RingUse, RingOrder) {
        var finished = use
        finished.stall = stall.summary
        finished.fill = fill.summary
        return (finished, order.finish(vcpu: use.vcpu))
    }

    /// Rings of every size that KVM takes.
    static func whatIf(_ info: RecordingInfo) -> [HarvestWhatIf] {
        let pml = info.pml == true
        let rings = RingLimits.sizes(pml: pml).map {
            RingWhatIf(ringEntries: $0, softLimit: RingLimits.softLimit(ringEntries: $0, pml: pml))
        }
        var result = (0..<HarvestWhatIf.steps).map { HarvestWhatIf(iterations: 1 << $0, rings: rings) }
        for place in rings.indices { result[0].rings[place].isRecorded = rings[place].ringEntries == info.ringEntries }
        return result
    }
}
