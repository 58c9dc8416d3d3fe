import Analysis

extension Tables {
    /// What a chain of incremental checkpoints would hold (question K1).
    static var checkpoints: Table<RecordingAnalysis, Checkpoint> {
        Table(
            "checkpoints", title: "Incremental checkpoints",
            note: "What a chain of increments holds, by the time between two.",
            rows: { $0.checkpoints },
            columns: [
                .init("ticks", "iterations", .count, \.iterations, unit: "ticks", "Iterations between two."),
                .init("cadence_ns", "≈ every", .nanoseconds, \.cadenceNs, "Mean time between two."),
                .init("count", "increments", .count, \.count, "Increments."),
                .init(
                    "pages", "pages", .count, \.pages, unit: "pages", in: [.json, .page], "All increments together."),
                .init("mean_bytes", "mean", .bytes, \.meanBytes, in: .text),
                .init("largest_bytes", "largest", .bytes, \.largestBytes, "Largest increment."),
                .init("chain_bytes", "whole chain", .bytes, \.chainBytes, "All increments."),
                .init(
                    "full_every", "full every", .count, \.fullEvery,
                    "Increments until the chain is as large as a full image; null when never."),
            ])
    }
}
