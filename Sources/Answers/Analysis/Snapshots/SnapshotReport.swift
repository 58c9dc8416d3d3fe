import Model

/// What snapshots of a guest would have held, had they been taken while it was recorded (question K2).
///
/// Snapshots are taken when an iteration ends, the first one at or after each multiple of the cadence: so that every figure is
/// exact. What was dirtied after the last of them belongs to none.
package struct SnapshotReport: Sendable, Equatable {
    /// Bytes in a page of the recording.
    package var pageSize: Int64
    /// Pages of a full snapshot.
    package var memoryPages: Int64
    /// How the recording tells them.
    package var memoryBasis: ConvergenceReport.MemoryBasis
    package var options: SnapshotOptions
    /// Losses of the recording: a diff may be larger than this.
    package var losses: Int64
    /// Cadence by cadence, each with its block sizes.
    package var sizes: [SnapshotSize]
    /// What chains of diffs cost to restore, for each of ``sizes``.
    package var chains: [SnapshotChain]
    /// How well each policy foretells the next diff, cadence by cadence.
    package var stability: [SetStability]
    package var forks: [ForkPlan]
    /// Cadences that were asked and did not end once within the recording.
    package var unfinishedNs: [Int64]
    /// Bytes of the diffs by how their pages are kept, cadence by cadence; empty where nobody asked what pages held.
    package var contents: [ContentEstimate] = []
    /// Looks at pages of the sample that failed: ``contents`` takes these pages to be like the others.
    package var looksFailed: Int64 = 0
    /// Looks that came before the VMM had protected the page again: some changes of these pages are seen a diff late.
    package var looksEarly: Int64 = 0

    /// The policies at one cadence, the best first: by precision and recall together.
    package func ranked(_ cadenceNs: Int64) -> [SetStability] {
        stability.filter { $0.cadenceNs == cadenceNs }.enumerated().sorted {
            ($1.element.score, $0.offset) < ($0.element.score, $1.offset)
        }.map(\.element)
    }

    /// Bytes of the base and so many forks of it, each of which has dirtied `pages`.
    package func memory(forks: Int64, pages: Double) -> Int64 {
        let bytes = Double(fullBytes) + Double(forks) * pages * Double(pageSize)
        return bytes < 9.2e18 ? Int64(bytes) : .max
    }

    /// Bytes of a full snapshot.
    package var fullBytes: Int64 { memoryPages * pageSize }
    /// How long a full snapshot takes; it is one extent.
    package var fullNs: Int64 { options.cost.nanoseconds(bytes: fullBytes, extents: fullBytes > 0 ? 1 : 0) }
}

/// Diffs at one cadence in blocks of one size.
package struct SnapshotSize: Sendable, Equatable {
    /// Time between two snapshots, as asked.
    package var cadenceNs: Int64
    /// The same as it was on average, and at least and at most: snapshots are taken at the ends of iterations.
    package var meanNs: Int64
    package var leastNs: Int64
    package var mostNs: Int64
    /// Bytes in a block.
    package var block: Int64
    package var count: Int64
    /// Dirty blocks of all diffs.
    package var blocks: Int64
    /// Bytes written, all diffs together: dirty blocks, and the clean gaps that joining extents writes with them.
    package var bytes: Int64
    /// Extents of all diffs: runs of blocks, joined over gaps that are short enough.
    package var extents: Int64
    /// Bytes of the first diff.
    package var first: Int64
    /// Bytes of one diff.
    package var size: Summary
    /// What the guest stands still for, for each diff.
    package var pause: Summary
    /// Bytes divided by those of the dirty pages; nil of no page.
    package var amplification: Double?
    /// Share of guest memory from which on a full snapshot takes no longer than a diff, for the diff with the longest extents
    /// and for the one with the shortest; nil when no diff has any.
    package var fullAboveShare: Double?
    package var fullAboveShareLow: Double?
    /// Diffs that take longer than a full snapshot.
    package var dearer: Int64
    /// Diffs until a chain from the first is as large as a full snapshot, so that a restore reads no more than twice the guest; nil
    /// when never within the recording.
    package var rebaseEvery: Int64?

    /// Bytes in an extent on average; nil without any.
    package var bytesPerExtent: Double? { extents == 0 ? nil : Double(bytes) / Double(extents) }
}

/// Restoring a chain: a full snapshot, then the first so many diffs of the recording on top of it.
package struct SnapshotChain: Sendable, Equatable {
    /// Time between two snapshots, as asked.
    package var cadenceNs: Int64
    package var block: Int64
    /// Diffs on top of the full snapshot.
    package var diffs: Int64
    /// Bytes that a restore reads: the full snapshot and every diff.
    package var restoreBytes: Int64
    /// How long that takes under the cost model.
    package var restoreNs: Int64
    /// Bytes written a snapshot on average, when every chain is as long as this one.
    package var writtenBytes: Int64 { restoreBytes / (diffs + 1) }
}
