import TraceModel

/// Everything that one recording answers. Each section is described in `docs/analysis.md`.
public struct TraceAnalysis: Sendable, Equatable {
    /// Provenance, as recorded.
    public var info: RecordingInfo
    /// How much was recorded.
    public var counts: Counts
    /// All entries by what they add (D1).
    public var duplicates: DuplicateCounts
    /// Dirty rate, two ways (D3).
    public var rate: DirtyRate
    /// Rates that other tools measured meanwhile, beside ours (D3); at most 512.
    public var foreignRates: [ForeignComparison]
    /// Rates of other tools that are not in ``foreignRates``.
    public var foreignRatesLeftOut: Int
    /// The course of the recording, at most 1,024 stretches.
    public var timeline: [TimelineBucket]
    /// Writable working set (W1): windows on ticks, then those asked in time.
    public var workingSet: [WorkingSetWindow]
    /// Writable working set over time, for a few window lengths.
    public var workingSetCourse: [WorkingSetCourse]
    /// Footprint (W2).
    public var footprint: [FootprintPoint]
    /// Re-dirty intervals (W3).
    public var redirty: Redirty
    /// Tracking granularity (W4).
    public var granularity: [Granularity]
    /// Phases (W5).
    public var phases: Phases
    /// Each ring's part.
    public var rings: [RingUse]
    /// Page sharing between vCPUs (D2).
    public var sharing: Sharing
    /// Order of entries (O1).
    public var order: Order
    /// Pages dirtied in the most iterations.
    public var hottestPages: [PageHeat]
    /// Pages to send last.
    public var hotLists: [HotList]
    /// Cost of harvesting.
    public var costs: Costs
    /// Convergence (C1–C6).
    public var convergence: ConvergenceReport
    /// Checkpoint sizes (K1).
    public var checkpoints: [Checkpoint]
    /// Harvests at the recorded and at longer intervals, with rings of each size (R1).
    public var harvestWhatIf: [HarvestWhatIf]
    /// Rings of other sizes at the recorded interval; empty without rings.
    public var ringWhatIf: [RingWhatIf] { harvestWhatIf.first?.rings ?? [] }
    /// How far to trust all of this (Q1).
    public var fidelity: Fidelity
}

/// How much was recorded.
public struct Counts: Sendable, Equatable {
    /// All entries.
    public var entries: Int64 = 0
    /// Different pages.
    public var distinctGFNs: Int64 = 0
    /// vCPUs that reported at least once; 0 when entries name none.
    public var vcpus: Int64 = 0
    /// Iterations.
    public var iterations: Int64 = 0
    /// Harvests.
    public var harvests: Int64 = 0
    /// From the start of the first iteration to the end of the last, in nanoseconds.
    public var durationNs: Int64 = 0
}

/// How fast the guest dirties its memory.
public struct DirtyRate: Sendable, Equatable {
    /// Entries per second: what QEMU's ring mode counts, duplicates included. Nil without time.
    public var entriesPerSecond: Double?
    /// Unique pages per second, a page counted once an iteration. Nil without time.
    public var pagesPerSecond: Double?
    /// The same in bytes per second. Nil without time.
    public var bytesPerSecond: Double?
    /// Unique pages per iteration.
    public var pagesPerIteration = Summary()
}

/// What the caller wants of an analysis.
public struct AnalysisOptions: Sendable, Equatable {
    /// Writable-working-set windows asked in time, in nanoseconds, besides those on ticks.
    public var tausNs: [Int64] = []
    /// Pages in each list of pages.
    public var topPages = 16
    /// The convergence grid.
    public var convergence: ConvergenceOptions

    /// Windows on ticks, 16 pages a list, a small grid whose blocking pages are not named.
    public init() {
        convergence = ConvergenceOptions()
        convergence.namesBlockingPages = false
    }
}
