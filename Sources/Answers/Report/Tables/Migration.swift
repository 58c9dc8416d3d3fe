import Analysis
import Model

/// Migrations as other tools saw them (question C4), and as the recording foretells them.
extension Tables {
    static var migrationAttempts: Table<RecordingAnalysis, MigrationReport.Attempt> {
        Table(
            "migration.attempts", title: "Migration as other tools saw it", rows: { $0.migration?.attempts ?? [] },
            columns: [
                .init("attempt", "#", .count, \.number, "Counted from 1, in the order of the log."),
                .init("tools", "said by", .text, \.tools, "Who spoke of it."),
                .init(
                    "outcome", "outcome", .text, \.outcome.rawValue,
                    "`completed`, `failed`, `cancelled`, `running` where the log ends before, `unknown`.",
                    words: { row, _ in row.outcome.rawValue + (row.isPostCopy ? ", post-copy" : "") }),
                .init("post_copy", "", .flag, in: .json, "Whether it went on after the guest had moved.") { row, _ in
                    .integer(row.isPostCopy ? 1 : 0)
                },
                .init("observations", "", .count, \.observations, in: .json, "Rows of the table `migration`."),
                .init("passes", "passes", .count, \.passes, "The last pass seen; null where the tool counts none."),
                .init(
                    "total_ns", "total", .nanoseconds, \.totalNs,
                    "As long as the tool says, else by the log's times; until the log ends."),
                .init("bytes", "sent", .bytes, \.transferredBytes, "Sent in all."),
                .init(
                    "bytes_per_s", "mean rate", .dataRate, \.bytesPerSecond,
                    "What was sent by its time, setting up left out."),
                .init("downtime_ns", "downtime", .nanoseconds, \.downtimeNs, "Pause that there was."),
                .init(
                    "expected_downtime_ns", "expected", .nanoseconds, \.expectedDowntimeNs, in: [.json, .page],
                    "Pause that the tool expected last."),
                .init("downtime_limit_ns", "limit", .nanoseconds, \.downtimeLimitNs, "Pause that was allowed."),
                .init(
                    "bandwidth_limit", "", .bandwidth, \.bandwidthLimit, in: .json,
                    "Rate that was allowed; 0 for any."),
                .init(
                    "throttle_percent", "slowed", .count, \.throttlePercent, unit: "%", "The most that was seen.",
                    words: { row, _ in row.throttlePercent.map { "\($0) %" } ?? "-" }),
                .init(
                    "stalled_passes", "stalled", .count, \.stalledPasses,
                    "Passes after which no less was dirty than before, by the low ends."),
            ])
    }

    static var migrationPasses: Table<RecordingAnalysis, MigrationReport.Pass> {
        var lambda = Table<RecordingAnalysis, MigrationReport.Pass>.Column(
            "lambda", "λ", .decimal, "*bracket*: dirtied / sent.",
            words: { row, _ in
                row.lambda.map {
                    let ends = [$0.lowerBound, $0.upperBound].map { Kind.decimal.format(.real($0), missing: "") }
                    return ends[0] == ends[1] ? ends[0] : ends.joined(separator: "..")
                } ?? "-"
            }
        ) { row, _ in row.lambda.map { .real($0.upperBound) } ?? .null }
        lambda.low = { row, _ in row.lambda.map { .real($0.lowerBound) } ?? .null }
        return Table(
            "migration.passes", title: "Migration pass by pass",
            note: "low..high: a poll sees a pass somewhere in its course. λ: bytes dirtied by bytes sent; from 1 on a "
                + "migration gets nowhere.",
            rows: { $0.migration?.passes ?? [] },
            columns: [
                .init("attempt", "#", .count, \.attempt, "Whose."),
                .init(
                    "pass", "pass", .count, \.pass,
                    "Counted from 1; null where the tool counts none, and each observation has a row."),
                .init("observations", "polls", .count, \.observations, in: [.json, .page], "How often it was seen."),
                .init("seen_ns", "at", .nanoseconds, \.seenNs, "First sight, after the migration's begin."),
                .bracket("duration_ns", "takes", .nanoseconds, \.durationNs, in: .all),
                .bracket("bytes", "sent", .bytes, \.bytes, in: .all, "sent in the pass."),
                .init(
                    "bytes_per_s", "rate", .dataRate, \.bytesPerSecond,
                    "From the last observation before it to its own last."),
                .bracket("dirtied_bytes", "dirtied", .bytes, \.dirtiedBytes, in: .all, "found dirty after it."),
                lambda,
                .init(
                    "remaining_bytes", "left", .bytes, \.remainingBytes, in: [.json, .page],
                    "Left when it was seen last."),
                .init(
                    "throttle_percent", "slowed", .count, \.throttlePercent, unit: "%", "The most that was seen.",
                    words: { row, _ in row.throttlePercent.map { "\($0) %" } ?? "-" }),
                .init(
                    "expected_downtime_ns", "expected", .nanoseconds, \.expectedDowntimeNs, in: [.json, .page],
                    "Pause that the tool expected."),
                .init(
                    "stalled", "", .flag, "Whether no less was dirty after it than before, by the low ends.",
                    words: { row, _ in row.isStalled ? "stalls" : "" }
                ) { row, _ in .integer(row.isStalled ? 1 : 0) },
            ])
    }

    static var migrationPredictions: Table<RecordingAnalysis, MigrationPrediction> {
        Table(
            "migration.predictions", title: "Migration as it was seen, and as the recording foretells it",
            rows: { $0.migration?.predictions ?? [] },
            columns: [
                .init("source", "", .text, \.source.rawValue, "`seen`, `replay` or `QEMU's stream`."),
                .init(
                    "outcome", "outcome", .text, \.outcome, "As in `migration.attempts`, and of a replay its verdict.",
                    words: { row, _ in row.outcome.replacing("_", with: " ") }),
                .init(
                    "bandwidth_bytes_per_s", "bandwidth", .bandwidth, \.bandwidth,
                    "What was replayed: the limit, or without one the mean rate."),
                .init("downtime_limit_ns", "limit", .nanoseconds, \.downtimeLimitNs, "Pause that was allowed."),
                .init("assumed_limit", "", .flag, in: .json, "Whether nobody told it, and it is the usual one.") {
                    row, _ in
                    .integer(row.assumesLimit ? 1 : 0)
                },
                .bracket("total_ns", "total", .nanoseconds, \.totalNs, in: .all),
                .bracket("bytes", "sent", .bytes, \.bytes, in: .all),
                .bracket("downtime_ns", "downtime", .nanoseconds, \.downtimeNs, in: .all, "the pause."),
                .init(
                    "passes", "passes", .count, \.passes,
                    "Passes over memory; rounds of a replay; of QEMU how often it read the dirty log."),
            ])
    }
}
