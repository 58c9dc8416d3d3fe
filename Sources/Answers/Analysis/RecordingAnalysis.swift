import Model
import Platform

/// Everything that one recording answers. Each section is described in `docs/analysis.md`.
package struct RecordingAnalysis: Sendable, Equatable {
    package var info: RecordingInfo
    package var counts: Counts
    /// All entries by what they add (D1).
    package var duplicates: DuplicateCounts
    package var rate: DirtyRate
    /// Rates that other tools measured meanwhile, beside ours (D3); at most 512.
    package var foreignRates: [ForeignComparison]
    /// Rates of other tools that are not in ``foreignRates``.
    package var foreignRatesLeftOut: Int
    /// The course of the recording, at most 1,024 stretches.
    package var timeline: [TimelineBucket]
    /// Writable working set (W1): windows on iterations, then those asked in time.
    package var workingSet: [WorkingSetWindow]
    /// Writable working set over time, for a few window lengths.
    package var workingSetCourse: [WorkingSetCourse]
    /// Footprint (W2).
    package var footprint: [FootprintPoint]
    /// Re-dirty intervals (W3).
    package var redirty: Redirty
    /// Tracking granularity (W4).
    package var granularity: [Granularity]
    /// Phases (W5).
    package var phases: Phases
    package var rings: [RingUse]
    /// Page sharing between vCPUs (D2).
    package var sharing: Sharing
    /// Order of entries (O1).
    package var order: Order
    package var hottestPages: [PageHeat]
    package var hotLists: [HotList]
    package var costs: Costs
    /// Convergence (C1–C6).
    package var convergence: ConvergenceReport
    /// Checkpoint sizes (K1).
    package var checkpoints: [Checkpoint]
    /// Harvests at the recorded and at longer intervals, with rings of each size (R1).
    package var harvestWhatIf: [HarvestWhatIf]
    /// Rings of other sizes at the recorded interval; empty without rings.
    package var ringWhatIf: [RingWhatIf] { harvestWhatIf.first?.rings ?? [] }
    /// What KVM counted during the recording, by name.
    package var statistics: [StatisticTotal]
    package var fidelity: Fidelity
    /// What other tools said of the guest's migrations; nil where none was imported.
    package var migration: MigrationReport?
}

extension RecordingAnalysis {
    /// Whether there is nothing but a migration's log: figures of entries would be figures of nothing.
    package var isLogOnly: Bool { migration != nil && counts.harvests == 0 }
    /// Of the windows on iterations, the one whose length is nearest to a second: the one to name when only one is named.
    package var secondWindow: WorkingSetWindow? { nearestToSecond { _ in true } }
    /// The same among the windows whose course is known.
    package var secondCourseWindow: WorkingSetWindow? {
        let known = Set(workingSetCourse.map { Int($0.iterations) })
        return nearestToSecond(where: known.contains)
    }

    private func nearestToSecond(where isWanted: (Int) -> Bool) -> WorkingSetWindow? {
        workingSet.filter { $0.iterations.map(isWanted) ?? false }
            .min { abs($0.tauNs - 1_000_000_000) < abs($1.tauNs - 1_000_000_000) }
    }

    /// Rings in the order of their vCPUs; bitmaps and the VMM's log come last.
    package var ringsByVCPU: [RingUse] {
        rings.sorted { ($0.vcpu ?? .max, $0.source.rawValue) < ($1.vcpu ?? .max, $1.source.rawValue) }
    }
    package func share(of ring: RingUse) -> Double {
        Double(ring.duplicates.entries) / Double(max(1, counts.entries))
    }
    /// Guest physical address of a page.
    package func address(of page: PageHeat) -> UInt64 { page.gfn &* UInt64(bitPattern: info.pageSize) }
    package func iterationShare(of page: PageHeat) -> Double {
        Double(page.iterations) / Double(max(1, counts.iterations))
    }
    /// Seconds since the recording began.
    package func seconds(_ ns: Int64) -> Double { Double(ns - info.startNs) / 1e9 }
    /// Mean length of that many iterations in seconds.
    package func seconds(ofIterations iterations: Int64) -> Double {
        Double(iterations) * (Double(counts.durationNs) / 1e9 / Double(max(1, counts.iterations)))
    }
}

package struct Counts: Sendable, Equatable {
    package var entries: Int64 = 0
    /// Different pages.
    package var distinctGFNs: Int64 = 0
    /// vCPUs that reported at least once; 0 when entries name none.
    package var vcpus: Int64 = 0
    package var iterations: Int64 = 0
    package var harvests: Int64 = 0
    /// From the start of the first iteration to the end of the last, in nanoseconds.
    package var durationNs: Int64 = 0
}

/// How fast the guest dirties its memory.
package struct DirtyRate: Sendable, Equatable {
    /// Entries per second: what QEMU's ring mode counts, duplicates included. Nil without time.
    package var entriesPerSecond: Double?
    /// Unique pages per second, a page counted once an iteration. Nil without time.
    package var pagesPerSecond: Double?
    /// The same in bytes per second. Nil without time.
    package var bytesPerSecond: Double?
    /// Unique pages per iteration.
    package var pagesPerIteration = Summary()
}

package struct AnalysisOptions: Sendable, Equatable {
    /// Writable-working-set windows asked in time, in nanoseconds, besides those on iterations.
    package var tausNs: [Int64] = []
    /// Pages in each list of pages.
    package var topPages = 16
    /// The convergence grid.
    package var convergence: ConvergenceOptions
    /// How entries are counted: it changes no answer.
    package var counting = Counting()

    /// Windows on iterations, 16 pages a list, a small grid whose blocking pages are not named.
    package init() {
        convergence = ConvergenceOptions()
        convergence.namesBlockingPages = false
    }
}

/// How entries are counted: it changes no answer.
package struct Counting: Sendable, Equatable {
    /// Threads that share the work.
    package var workers = Parallel.workers
    /// Entries that are counted at a time: 8 bytes each, and as many while they are sorted.
    package var batchEntries = 1 << 20

    package init() {}
}
