import Analysis
import Model

extension Tables {
    /// Diffs by cadence and block size (question K2).
    static var snapshotSizes: Table<SnapshotReport, SnapshotSize> {
        Table(
            "sizes", set: "snapshots", title: "Snapshots: what a diff holds",
            note: "Diffs of dirty blocks since the snapshot before, taken at the ends of iterations.",
            rows: { $0.sizes },
            columns: [
                .init(
                    "cadence_ns", "every", .nanoseconds, \.cadenceNs, in: [.json, .page], "Time between two, as asked."),
                .init("mean_ns", "≈", .nanoseconds, \.meanNs, in: [.json, .page], "The same on average."),
                .init("least_ns", "", .nanoseconds, \.leastNs, in: .json, "The same at least."),
                .init("most_ns", "", .nanoseconds, \.mostNs, in: .json, "The same at most."),
                .init("block_bytes", "block", .bytes, \.block, "Bytes in a block."),
                .init("count", "diffs", .count, \.count, in: [.json, .page], "Diffs taken."),
                .init(
                    "blocks", "blocks", .count, \.blocks, unit: "blocks", in: [.json, .page],
                    "Dirty blocks, all diffs together."),
                .init("bytes", "bytes", .bytes, \.bytes, in: [.json, .page], "Bytes written, all diffs together."),
                .init(
                    "extents", "extents", .count, \.extents, unit: "extents", in: [.json, .page],
                    "Extents, all diffs together."),
                .init("mean_extents", "extents a diff", .decimal, in: .text) { size, _ in
                    .real(Double(size.extents) / Double(max(1, size.count)))
                },
                .init(
                    "bytes_per_extent", "an extent", .bytes, \.bytesPerExtent,
                    "Bytes in an extent on average; null without any."),
                .init(
                    "amplification", "× pages", .times, \.amplification,
                    "Bytes divided by those of the dirty pages; null of no page."),
                .init("first_bytes", "first", .bytes, \.first, "The first diff."),
                .init("p50_bytes", "p50", .bytes, \.size.p50, "Half of the diffs are at most so large."),
                .init("p95_bytes", "p95", .bytes, \.size.p95, "95 % are."),
                .init("max_bytes", "largest", .bytes, \.size.max, "The largest diff."),
                .init(
                    "pause_p50_ns", "pause p50", .nanoseconds, \.pause.p50, in: [.json, .page],
                    "How long a diff takes under the cost model: half of them at most so long."),
                .init("pause_p95_ns", "pause p95", .nanoseconds, \.pause.p95, "95 % at most so long."),
                .init("pause_max_ns", "", .nanoseconds, \.pause.max, in: .json, "The longest."),
                .init(
                    "full_above_share", "full from", .share, \.fullAboveShare, in: [.text, .json],
                    "*bracket*: share of guest memory from which on a full snapshot takes no longer than a diff, for extents as short and as long as those of any diff; null without any.",
                    words: { size, _ in
                        guard let low = size.fullAboveShareLow, let high = size.fullAboveShare else { return "-" }
                        let (least, most) = (Units.percent(low), Units.percent(high))
                        return least == most ? most : least.replacing(" %", with: "") + ".." + most
                    }),
                .init("full_above_share_low", "", .share, \.fullAboveShareLow, in: .json),
                .init(
                    "dearer_than_full", "dearer than full", .count, \.dearer, in: [.json, .page],
                    "Diffs that take longer than a full snapshot."),
                .init(
                    "rebase_every", "rebase every", .count, \.rebaseEvery,
                    "Diffs until a chain from the first is as large as a full snapshot; null when never."),
            ])
    }

    /// What restoring chains costs.
    static var snapshotChains: Table<SnapshotReport, SnapshotChain> {
        Table(
            "chains", title: "Chains: a full snapshot and the first diffs of the recording",
            rows: { $0.chains },
            columns: [
                .init("cadence_ns", "every", .nanoseconds, \.cadenceNs, "Time between two, as asked."),
                .init("block_bytes", "block", .bytes, \.block, "Bytes in a block."),
                .init("diffs", "diffs", .count, \.diffs, "Diffs on top of the full snapshot: 1, 2, 5, 10 …"),
                .init("restore_bytes", "restore reads", .bytes, \.restoreBytes, "The full snapshot and every diff."),
                .init(
                    "restore_ns", "restore takes", .nanoseconds, \.restoreNs,
                    "How long that takes under the cost model."),
                .init(
                    "written_bytes", "written a snapshot", .bytes, \.writtenBytes,
                    "Bytes written a snapshot on average when every chain is as long."),
            ])
    }
}
