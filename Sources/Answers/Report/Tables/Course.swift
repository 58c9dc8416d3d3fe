import Analysis
import Model

extension Tables {
    /// A stretch of the recording's time: what was dirtied, and what it cost.
    struct Stretch {
        var bucket: TimelineBucket
        var column: CourseColumn
    }

    private static func stretches(_ report: HTMLReport) -> [Stretch] {
        zip(report.analysis.timeline, report.map.course).map { Stretch(bucket: $0, column: $1) }
    }
    private static func span<Row>(
        _ startNs: @escaping (Row) -> Int64, _ endNs: @escaping (Row) -> Int64
    ) -> [Table<HTMLReport, Row>.Column] {
        [
            .init("start_s", "from (s)", .seconds, in: .page) { .real($1.analysis.seconds(startNs($0))) },
            .init("end_s", "to (s)", .seconds, in: .page) { .real($1.analysis.seconds(endNs($0))) },
        ]
    }
    private static var dirtied: [Table<HTMLReport, Stretch>.Column] {
        [
            .init("first_tick", "iteration", .count, \.bucket.firstIteration, in: .page),
            .init("ticks", "how many", .count, \.bucket.iterations, in: .page),
        ] + span(\.bucket.startNs, \.bucket.endNs) + [
            .init("entries", "entries", .count, \.bucket.duplicates.entries, in: .page),
            .init("unique_pages", "unique pages", .count, \.bucket.duplicates.distinct, in: .page),
            .init("new_pages", "new pages", .count, \.bucket.newPages, in: .page),
        ]
    }

    /// Dirty rate over time, two ways (question D3).
    static var rate: Table<HTMLReport, Stretch> {
        Table(
            "rate", title: "Dirty rate",
            note: "Entries count duplicates, as QEMU's ring mode does; unique pages are what a migration sends.",
            rows: stretches,
            columns: dirtied + [
                .init("entries_per_s", "entries/s", .rate, \.bucket.entriesPerSecond, in: .page),
                .init("unique_pages_per_s", "unique pages/s", .rate, \.bucket.pagesPerSecond, in: .page),
            ])
    }

    /// What each iteration found and cost.
    static var iterations: Table<HTMLReport, Stretch> {
        Table(
            "iterations", title: "Iterations", note: "What each found, and what it cost.", rows: stretches,
            columns: dirtied + [
                .init("cross_ring", "cross-ring", .count, \.bucket.duplicates.crossRing, in: .page),
                // As SQL's iteration_summary has it.
                .init("same_ring", "same ring", .count, in: .page) { stretch, _ in
                    .integer(stretch.bucket.duplicates.redirtied + stretch.bucket.duplicates.sameRing)
                },
                .init("provisional", "provisional", .count, \.bucket.duplicates.provisional, in: .page),
                .init("harvests", "harvests", .count, \.column.harvests, in: .page),
                .init("ring_full", "ring-full exits", .count, \.column.ringFull, in: .page),
                .init("stall_ns", "stood still", .nanoseconds, \.column.stallNs, in: .page),
                .init("pause_ns", "paused", .nanoseconds, \.column.pauseNs, in: .page),
            ])
    }

    /// How long vCPUs stood still at full rings.
    static var stalls: Table<HTMLReport, CourseColumn> {
        Table(
            "stalls", title: "Full rings", note: "How long vCPUs stood still because their ring was full.",
            rows: { $0.map.course },
            columns: [.init("first_tick", "iteration", .count, \.firstIteration, in: .page)] + span(\.startNs, \.endNs)
                + [
                    .init("ring_full", "ring-full exits", .count, \.ringFull, in: .page),
                    .init("stall_ns", "stood still", .nanoseconds, \.stallNs, in: .page),
                    .init("stall_ms", "ms", .decimal, in: .page) { column, _ in .real(Double(column.stallNs) / 1e6) },
                ])
    }

    /// What each step of harvesting cost over time.
    static var costs: Table<HTMLReport, StepCost> {
        Table(
            "costs", title: "Cost of harvesting", note: "Milliseconds per iteration, by step.",
            rows: { $0.map.stepCosts },
            columns: [.init("first_tick", "iteration", .count, \.column.firstIteration, in: .page)]
                + span(\.column.startNs, \.column.endNs) + [
                    .init("step", "step", .text, \.step, in: .page),
                    .init("ns", "time", .nanoseconds, \.ns, in: .page),
                    .init("ms", "ms per iteration", .decimal, \.msPerIteration, in: .page),
                ])
    }

    /// Who dirties over time.
    static var layers: Table<HTMLReport, LayerStretch> {
        Table(
            "vcpus", title: "Who dirties, over time", note: "Entries per second, stacked by vCPU.",
            rows: { $0.map.layerCourse },
            columns: [.init("first_tick", "iteration", .count, \.firstIteration, in: .page)] + span(\.startNs, \.endNs)
                + [
                    .init("who", "who", .text, \.who, in: .page),
                    .init("entries", "entries", .count, \.entries, in: .page),
                    .init("entries_per_s", "entries/s", .rate, \.entriesPerSecond, in: .page),
                ])
    }

    /// Every loss, where the JSON has them by kind.
    static var lossList: Table<HTMLReport, Loss> {
        Table(
            "losses", title: "Losses", note: "Everything that may have made an entry disappear.", pageLimit: 500,
            rows: { $0.losses },
            columns: [
                .init("iteration", "iteration", .count, \.iteration, in: .page),
                .init("at_s", "at (s)", .seconds, in: .page) { .real($1.analysis.seconds($0.tsNs)) },
                .init("kind", "kind", .text, \.kind.rawValue, in: .page),
                .init("vcpu", "vCPU", .count, \.vcpu, in: .page),
                .init("entries", "entries", .count, \.entries, in: .page),
                .init("detail", "detail", .text, \.detail, in: .page),
            ])
    }

    /// KVM's statistics by vCPU: rows that only the file has.
    static var statisticRows: Table<[[SQLValue]], [SQLValue]> {
        Table(
            "kvm_stats", title: "KVM statistics", note: "Increase over the recording.", rows: { $0 },
            columns: [
                .init("name", "statistic", .text, in: .page) { row, _ in row[0] },
                .init("who", "of", .text, in: .page) { row, _ in row[1] },
                .init("total", "increase", .count, in: .page) { row, _ in row[2] },
                .init("largest", "largest in an iteration", .count, in: .page) { row, _ in row[3] },
            ])
    }
}
