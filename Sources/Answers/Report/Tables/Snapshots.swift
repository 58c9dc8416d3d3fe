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

    /// How well each policy foretells the next diff (question K3).
    static var stability: Table<SnapshotReport, SetStability> {
        Table(
            "stability", title: "Prefetching: is the next diff like those before?",
            rows: { $0.stability },
            columns: [
                .init("cadence_ns", "every", .nanoseconds, \.cadenceNs, "Time between two snapshots, as asked."),
                .init(
                    "policy", "foretold by", .text, \.policy.name,
                    "`last diff`, `last 2 diffs`, `last 4 diffs`, `last 8 diffs`, `hot pages`: in at least half of the diffs so far."
                ),
                .init("diffs", "diffs", .count, \.diffs, "Diffs foretold: all but the first."),
                .init(
                    "foretold_pages", "foretold", .count, \.foretold, unit: "pages",
                    "Pages foretold, all diffs together."),
                .init(
                    "dirtied_pages", "dirtied", .count, \.dirtied, unit: "pages", "Pages that the diffs held."),
                .init("hit_pages", "hit", .count, \.hits, unit: "pages", "Of those, pages foretold."),
                .init("precision", "precision", .share, \.precision, "Hit / foretold; null of none."),
                .init("recall", "recall", .share, \.recall, "Hit / dirtied; null of none."),
                .init("jaccard", "Jaccard", .share, \.jaccard, "Hit / pages in either; null of none."),
            ])
    }

    /// What forks dirty (question K4).
    static var forks: Table<SnapshotReport, ForkPlan> {
        func bracket(_ figure: KeyPath<WorkingSetWindow.Pages, Int64>) -> (ForkPlan, SnapshotReport) -> String {
            { plan, _ in Text.bracket(plan.low[keyPath: figure], plan.high[keyPath: figure], Units.count) }
        }
        return Table(
            "forks", title: "Forks of one base: pages that a fork no longer shares",
            rows: { $0.forks },
            columns: [
                .init("within_ns", "within", .nanoseconds, \.withinNs, "Time after the fork."),
                .init("starts", "moments", .count, \.starts, "Moments at which the guest could be forked."),
                .init("mean_pages", "mean", .decimal, \.mean, unit: "pages", "*bracket*: pages dirtied on average."),
                .init("mean_pages_low", "", .decimal, \.meanLow, in: .json),
                .init(
                    "p50_pages", "p50", .count, \.high.p50, unit: "pages",
                    "*bracket*: after half of the moments at most.", words: bracket(\.p50)),
                .init("p50_pages_low", "", .count, \.low.p50, in: .json),
                .init(
                    "p95_pages", "p95", .count, \.high.p95, unit: "pages", "*bracket*: after 95 % of them at most.",
                    words: bracket(\.p95)),
                .init("p95_pages_low", "", .count, \.low.p95, in: .json),
                .init(
                    "max_pages", "most", .count, \.high.max, unit: "pages", "*bracket*: after any of them.",
                    words: bracket(\.max)),
                .init("max_pages_low", "", .count, \.low.max, in: .json),
                .init(
                    "mean_memory_bytes", "memory, mean", .bytes,
                    "The base and all forks, each with its mean: what many that do different things need."
                ) { plan, report in
                    .integer(report.memory(forks: report.options.forks, pages: plan.mean))
                },
                .init(
                    "p95_memory_bytes", "memory, all at p95", .bytes,
                    "The same with each fork at its 95th percentile: what all at once doing the same need."
                ) { plan, report in
                    .integer(report.memory(forks: report.options.forks, pages: Double(plan.high.p95)))
                },
            ])
    }

    /// What the diffs would be were their pages kept otherwise (question K5).
    static var contents: Table<SnapshotReport, ContentEstimate> {
        Table(
            "contents", title: "What the pages hold: bytes of all diffs",
            rows: { $0.contents },
            columns: [
                .init("cadence_ns", "every", .nanoseconds, \.cadenceNs, "Time between two snapshots, as asked."),
                .init(
                    "kept", "kept", .text, \.form.rawValue,
                    "`as they are`, `without zero pages`, `without unchanged pages`, `zstd`: each page alone, at level 1; `XBZRLE`: QEMU's encoding of what changed since the snapshot before; `deduplicated`: equal pages of a diff once."
                ),
                .init("pages", "pages", .count, \.pages, unit: "pages", in: .json, "Dirty pages of all diffs."),
                .init(
                    "looked_at", "looked at", .count, \.looked, unit: "pages", in: .json,
                    "Of those, pages that were looked at."),
                .init(
                    "bytes", "bytes", .bytes, \.high, in: [.text, .json],
                    "*bracket*: bytes of all diffs, if the pages that were looked at are like the others.",
                    words: { row, _ in Text.bracket(Int64(row.low), Int64(row.high), Units.size) }),
                .init("bytes_low", "", .bytes, \.low, in: .json),
                .init(
                    "error_bytes", "±", .bytes, \.error, in: [.text, .json],
                    "Sampling error: in 95 of 100 samples the truth is no further outside the bracket; null of one page.",
                    words: { row, _ in row.error.map { Units.size(Int64($0)) } ?? "?" }),
                .init(
                    "share", "of the diffs", .share, in: [.text, .json], "*bracket*: bytes by those as they are.",
                    words: { row, _ in
                        let shares = [row.low, row.high].map { Units.percent($0 / Double(row.whole)) }
                        return shares[0] == shares[1]
                            ? shares[1] : shares[0].replacing(" %", with: "") + ".." + shares[1]
                    }
                ) { row, _ in .real(row.high / Double(row.whole)) },
                .init("share_low", "", .share, in: .json) { row, _ in .real(row.low / Double(row.whole)) },
            ])
    }

    /// The same of the iterations and the sample alone: what the statement says.
    static var contentRows: Table<[[SQLValue]], [SQLValue]> {
        Table(
            "contents", title: "What the pages hold",
            note: "Of those that were looked at, were a snapshot taken at the end of every iteration.",
            rows: { $0 },
            columns: [
                .init("kept", "kept", .text, in: .page) { row, _ in row[0] },
                .init("bytes", "bytes", .bytes, in: .page) { row, _ in row[1] },
                .init("share", "of the pages", .share, in: .page) { row, _ in row[2] },
            ])
    }
}
