import Analysis
import Model

extension Tables {
    /// What each ring contributed. In JSON its figures are nested: `JSONReport`.
    static var rings: Table<RecordingAnalysis, RingUse> {
        Table(
            "rings", title: "Who dirties", note: "Whoever is harvested first is the first to report a page.",
            pageLimit: 512, rows: { $0.ringsByVCPU },
            columns: [
                .init("who", "ring", .text, in: .page) { ring, _ in
                    .text(ring.vcpu.map { "vCPU \($0)" } ?? ring.source.rawValue)
                },
                .init(
                    "vcpu", "vCPU", .count, \.vcpu, in: .text,
                    words: { ring, _ in ring.vcpu.map { "\($0)" } ?? ring.source.rawValue }),
                .init("entries", "entries", .count, \.duplicates.entries, in: [.text, .page]),
                .init("share", "share", .share, in: [.text, .page]) { .real($1.share(of: $0)) },
                .init("first_reports", "first to report", .count, \.duplicates.distinct, in: [.text, .page]),
                .init("cross_ring", "also in other rings", .count, \.duplicates.crossRing, in: [.text, .page]),
                .init("ring_full", "ring-full exits", .count, \.fullExits, in: [.text, .page]),
                .init("stall_ns", "stood still", .nanoseconds, \.stall.sum, in: [.text, .page]),
                .init("stall_longest_ns", "longest", .nanoseconds, \.stall.max, in: .text),
            ])
    }

    /// Rings of other sizes at the recorded interval (question R1).
    static var ringWhatIf: Table<RecordingAnalysis, RingWhatIf> {
        Table(
            "ring_what_if", title: "Rings of other sizes",
            note: "Exits because the ring is full, from the recorded fill at the recorded interval.",
            rows: { $0.ringWhatIf },
            columns: [
                .init("ring_entries", "ring entries", .count, \.ringEntries, unit: "entries", "Ring size."),
                .init("soft_limit", "exits at", .count, \.softLimit, unit: "entries", "Where KVM leaves the guest."),
                .bracket(
                    "full_exits", "exits", .count, \.exits, "exits over the recording.",
                    words: { ring, _ in
                        Text.bracket(ring.exits, Units.count) + (ring.isRecorded ? " recorded" : "")
                    }),
                .init("full_exits", "exits, at least", .count, \.fullExits, in: .page),
                .init(
                    "affected_intervals", "vCPU-iterations with one", .count, \.affectedIntervals,
                    "Iterations × vCPUs with one, at least."),
                .init("is_recorded", "", .flag, in: .json, "The recorded size: counted, not predicted.") { ring, _ in
                    .integer(ring.isRecorded ? 1 : 0)
                },
            ])
    }

    /// Pairs of vCPUs that dirtied the same page in one iteration (question D2).
    static var sharingPairs: Table<RecordingAnalysis, Sharing.Pair> {
        Table(
            "sharing.pairs", set: "sharing", title: "Page sharing",
            note: "Pages that two vCPUs dirtied in one iteration. Bytes are unseen: no evidence of false sharing.",
            pageLimit: 1024, rows: { $0.sharing.pairs },
            columns: [
                .init("first_vcpu", "vCPU", .count, \.first, in: [.json, .page], "Lower vCPU."),
                .init("second_vcpu", "and", .count, \.second, in: [.json, .page], "Higher vCPU."),
                .init(
                    "pages", "pages", .count, \.pages, unit: "pages", in: [.json, .page],
                    "Reported by both in one iteration, summed over iterations."),
            ])
    }

    /// In what order the entries of each ring stand (question O1).
    static var orders: Table<RecordingAnalysis, RingOrder> {
        Table(
            "order.rings", title: "Order of entries", rows: { $0.order.rings },
            columns: [
                .init("vcpu", "vCPU", .count, \.vcpu, in: [.text, .json], "null for bitmaps."),
                .init(
                    "verdict", "verdict", .text, \.verdict.rawValue, in: [.text, .json],
                    "Entries and host together: `ascending`, `reversed_batches`, `descending`, `mixed`, `unknown`; `unordered` for a bitmap."
                ),
                .init(
                    "shape", "", .text, \.shape.rawValue, in: .json,
                    "How most entries stand: `ascending`, `descending`, `mixed`, `unknown`."),
                .init("proven_share", "", .share, \.provenShare, in: .json, "As above, of this ring."),
                .init(
                    "mean_ascending_run", "mean ascending run", .decimal, \.meanAscendingRun, unit: "entries",
                    in: [.text, .json], "Mean strictly ascending run.",
                    words: { ring, _ in Units.fixed(ring.meanAscendingRun, decimals: 1) }),
                .init(
                    "mean_descending_run", "mean descending run", .decimal, \.meanDescendingRun, unit: "entries",
                    in: [.text, .json], "Mean strictly descending run.",
                    words: { ring, _ in Units.fixed(ring.meanDescendingRun, decimals: 1) }),
                .init(
                    "longest_descending_run", "", .count, \.longestDescendingRun, unit: "entries", in: .json,
                    "0 where it was not measured."),
                .init(
                    "stride", "most frequent step", .count, \.stride, unit: "pages", in: [.text, .json],
                    "Most frequent sampled step; null when none repeats.",
                    words: { ring, _ in ring.stride.map { "\($0) (\(Units.percent(ring.strideShare)))" } ?? "-" }),
                .init("stride_share", "", .share, \.strideShare, in: .json, "Of the sampled steps."),
                .init("proven_share", "place among writes proven", .share, \.provenShare, in: .text),
            ])
    }
}
