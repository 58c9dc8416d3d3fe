import TraceModel

/// What one ring (or bitmap, or the VMM's log) contributed, and how it filled.
public struct RingUse: Sendable, Equatable {
    /// The vCPU; nil for a bitmap or the VMM's log.
    public var vcpu: Int?
    /// Where its entries come from.
    public var source: Source
    /// All its entries, and the classes that they fall into. `distinct`: it was the first to report the page.
    public var duplicates = DuplicateCounts()
    /// Exits because the ring was full.
    public var fullExits: Int64 = 0
    /// How long the vCPU stood still because of them, in nanoseconds.
    public var stall = Summary()
    /// Entries per iteration, provisional duplicates left out: how full a ring that is emptied once a tick would be.
    public var fill = Summary()

    init(vcpu: Int?, source: Source) {
        self.vcpu = vcpu
        self.source = source
    }
}

/// How often vCPUs would have left the guest with rings of another size (question R1).
public struct RingWhatIf: Sendable, Equatable {
    /// Ring size in entries.
    public var ringEntries: Int
    /// Entries at which KVM leaves the guest: size − 64, with PML − 512 more.
    public var softLimit: Int
    /// Exits over the whole recording, all vCPUs: Σ ⌊entries of an iteration ÷ soft limit⌋.
    public var fullExits: Int64 = 0
    /// Iterations × vCPUs with at least one exit.
    public var affectedIntervals: Int64 = 0
}

/// Gathers what one ring contributes.
struct RingTally: Sendable {
    private(set) var use: RingUse
    private(set) var order = OrderTally()
    private var stall = Sample()
    private var fill = Sample()
    /// Entries of the tick in progress, provisional duplicates left out.
    private var fillOfTick: Int64 = 0
    private var wasUsed = false

    init(vcpu: Int?, source: Source) { use = RingUse(vcpu: vcpu, source: source) }

    mutating func add(_ harvest: Harvest, gfns: [GFN], counts: DuplicateCounts) {
        use.duplicates += counts
        fillOfTick += counts.entries - counts.provisional
        wasUsed = true
        if harvest.cause == .ringFull {
            use.fullExits += 1
            stall.add(harvest.stallNs)
        }
        order.add(gfns)
    }

    /// Ends an iteration; adds this ring's exits to each what-if.
    mutating func endTick(_ whatIf: inout [RingWhatIf]) {
        guard wasUsed else { return }
        wasUsed = false
        fill.add(fillOfTick)
        if use.vcpu != nil {
            for place in whatIf.indices {
                let exits = fillOfTick / Int64(whatIf[place].softLimit)
                if exits == 0 { break }  // Sizes ascend.
                whatIf[place].fullExits += exits
                whatIf[place].affectedIntervals += 1
            }
        }
        fillOfTick = 0
    }

    func finish() -> (RingUse, RingOrder) {
        var finished = use
        finished.stall = stall.summary
        finished.fill = fill.summary
        return (finished, order.finish(vcpu: use.vcpu))
    }

    /// The sizes that KVM accepts: powers of two to 65,536; 1,024 at least with PML, whose batches need room.
    static func whatIf(pml: Bool) -> [RingWhatIf] {
        (pml ? 10...16 : 8...16).map { bits in
            RingWhatIf(ringEntries: 1 << bits, softLimit: (1 << bits) - 64 - (pml ? 512 : 0))
        }
    }
}
