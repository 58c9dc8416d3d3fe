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
    /// Entries per iteration, provisional duplicates left out: how full a ring that is emptied once a tick would be.
    package var fill = Summary()

    init(vcpu: Int?, source: Source) {
        self.vcpu = vcpu
        self.source = source
    }
}

/// How often vCPUs would have left the guest with rings of another size (question R1).
package struct RingWhatIf: Sendable, Equatable {
    /// Ring size in entries.
    package var ringEntries: Int
    /// Entries at which KVM leaves the guest: size − 64, with PML − 512 more.
    package var softLimit: Int
    /// Exits over the whole recording, all vCPUs: Σ ⌊entries of a harvest ÷ soft limit⌋.
    package var fullExits: Int64 = 0
    /// Harvests × vCPUs with at least one exit.
    package var affectedIntervals: Int64 = 0
}

/// What harvests at longer intervals would have found (question R1): a page that is dirty already is not logged again.
///
/// Of ticks 1…k, k+1…2k and so on, each harvested once at its end, those entries are left whose tick is the first of its
/// harvest with their page; all later ones found it writable. What shorter intervals would show cannot be known.
package struct HarvestWhatIf: Sendable, Equatable {
    /// Recorded iterations between two harvests: 1, 2, 4, 8 or 16.
    package var ticks: Int64
    /// Mean time between two, in nanoseconds.
    package var intervalNs: Int64 = 0
    /// Entries that would be left, provisional duplicates not counted.
    package var entries: Int64 = 0
    /// Rings of each size; empty for bitmaps.
    package var rings: [RingWhatIf]

    /// Intervals that are looked at.
    static let steps = 5

    /// Of how many intervals, shortest first, `tick` is the first with a page that was last dirty in tick `last`, 0 for
    /// never: two ticks from 1 belong to one harvest of 2^j when (t − 1) >> j is the same.
    @inline(__always)
    static func freshness(last: UInt32, tick: UInt32) -> Int {
        last == 0 ? steps : min(steps, UInt32.bitWidth - ((tick - 1) ^ (last - 1)).leadingZeroBitCount)
    }
}

/// Gathers what one ring contributes.
struct RingTally: Sendable {
    private(set) var use: RingUse
    private(set) var order = OrderTally()
    private var stall = Sample()
    private var fill = Sample()
    /// Entries of the harvest in progress at each interval, provisional duplicates left out.
    private var fills = [Int64](repeating: 0, count: HarvestWhatIf.steps)
    private var wasUsed = false

    init(vcpu: Int?, source: Source) { use = RingUse(vcpu: vcpu, source: source) }

    /// Takes one harvest: its entries by class, and by freshness.
    mutating func add(_ harvest: Harvest, gfns: [GFN], counts: DuplicateCounts, fresh: [Int64]) {
        use.duplicates += counts
        var left: Int64 = 0
        for step in fills.indices.reversed() {
            left += fresh[step + 1]
            fills[step] += left
        }
        wasUsed = true
        if harvest.cause == .ringFull {
            use.fullExits += 1
            stall.add(harvest.stallNs)
        }
        order.add(gfns)
    }

    /// Ends iteration `tick`, from 1; adds this ring's exits to each what-if whose harvest ends with it.
    mutating func endTick(_ tick: Int, _ whatIf: inout [HarvestWhatIf]) {
        if wasUsed { fill.add(fills[0]) }
        wasUsed = false
        for step in fills.indices {
            if tick & ((1 << step) - 1) != 0 { break }
            endHarvest(step, &whatIf[step])
        }
    }

    /// Ends the recording, which may cut a last harvest short.
    mutating func end(_ whatIf: inout [HarvestWhatIf]) {
        for step in fills.indices { endHarvest(step, &whatIf[step]) }
    }

    private mutating func endHarvest(_ step: Int, _ whatIf: inout HarvestWhatIf) {
        whatIf.entries += fills[step]
        if use.vcpu != nil {
            for place in whatIf.rings.indices {
                let exits = fills[step] / Int64(whatIf.rings[place].softLimit)
                if exits == 0 { break }  // Sizes ascend.
                whatIf.rings[place].fullExits += exits
                whatIf.rings[place].affectedIntervals += 1
            }
        }
        fills[step] = 0
    }

    func finish() -> (RingUse, RingOrder) {
        var finished = use
        finished.stall = stall.summary
        finished.fill = fill.summary
        return (finished, order.finish(vcpu: use.vcpu))
    }

    /// The sizes that KVM accepts: powers of two to 65,536; 1,024 at least with PML, whose batches need room.
    static func whatIf(pml: Bool) -> [HarvestWhatIf] {
        let rings = (pml ? 10...16 : 8...16).map { bits in
            RingWhatIf(ringEntries: 1 << bits, softLimit: (1 << bits) - 64 - (pml ? 512 : 0))
        }
        return (0..<HarvestWhatIf.steps).map { HarvestWhatIf(ticks: 1 << $0, rings: rings) }
    }
}
