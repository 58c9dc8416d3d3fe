import Analysis

/// The flat tables of a convergence report. What is nested, a cell of the grid and QEMU's stream, is in `JSONConvergence` and
/// `TextConvergence`.
extension Tables {
    /// The rounds of one cell of the grid.
    static var rounds: Table<ConvergenceReport, ReplayRound> {
        Table(
            "convergence.grid[].rounds", title: "Rounds", rows: { _ in [] },
            columns: [
                .bracket("start_ns", "start", .nanoseconds, \.startNs, "after the migration's start."),
                .bracket("pages", "pages", .count, \.pages, unit: "pages", "sent in the round."),
                .bracket("bytes", "bytes", .bytes, \.bytes),
                .bracket("duration_ns", "takes", .nanoseconds, \.durationNs),
                .bracket(
                    "dirty_pages", "dirtied meanwhile", .count, \.dirtyPages, unit: "pages",
                    "dirtied meanwhile; null where the recording ends."),
            ])
    }

    /// The least bandwidth for each downtime limit (question C3).
    static var leastBandwidth: Table<ConvergenceReport, LeastBandwidth> {
        Table(
            "convergence.least_bandwidth", title: "Least bandwidth", rows: { $0.leastBandwidth },
            columns: [
                .init("downtime_ns", "downtime", .nanoseconds, \.downtimeNs, "Downtime limit."),
                .init("policy", "policy", .text, \.policy.rawValue, "As in the grid."),
                .init(
                    "bandwidth_bytes_per_s", "bandwidth", .bandwidth, \.bandwidth,
                    "By replay, to 0.1 %; null when none."),
                .bracket("average_bytes_per_s", "on average", .bandwidth, \.average, "fp(d) · P / d."),
            ])
    }

    /// The least downtime for each bandwidth (question C3).
    static var leastDowntime: Table<ConvergenceReport, LeastDowntime> {
        Table(
            "convergence.least_downtime", title: "Least downtime", rows: { $0.leastDowntime },
            columns: [
                .init("bandwidth_bytes_per_s", "bandwidth", .bandwidth, \.bandwidth, "Bandwidth."),
                .bracket("downtime_ns", "downtime", .nanoseconds, \.downtimeNs, "by replay."),
                .bracket(
                    "average_ns", "on average", .nanoseconds, \.averageNs, "fixed point of the average footprint."),
            ])
    }

    /// Bounds on faults after the switch (question C6).
    static var postCopy: Table<ConvergenceReport, PostCopy> {
        Table(
            "convergence.post_copy", title: "Post-copy: bounds on faults after the switch", rows: { $0.postCopy },
            columns: [
                .init("bandwidth_bytes_per_s", "bandwidth", .bandwidth, \.bandwidth, "Bandwidth."),
                .init(
                    "precopy_rounds", "pre-copy rounds", .count, \.precopyRounds, "0: pure post-copy; 1: hybrid."),
                .bracket(
                    "pending_pages", "pages to send", .count, \.pendingPages, unit: "pages", "to be sent at the switch."
                ),
                .bracket(
                    "written_pages", "written meanwhile", .count, \.writtenPages, unit: "pages",
                    "of those, written while they are sent."),
                .bracket("sending_ns", "sending takes", .nanoseconds, \.sendingNs),
            ])
    }

    /// Where the pages lie that block a cell (question C4).
    static var blockingRanges: Table<ConvergenceReport, Blocking.PageRange> {
        Table(
            "convergence.blocking.ranges", title: "Blocking pages", rows: { $0.blocking?.ranges ?? [] },
            columns: [
                .init("first_gfn", "first page", .hex, "First page of a range.") { range, _ in
                    .integer(Int64(bitPattern: range.firstGFN))
                },
                .init("pages", "pages", .count, \.pages, unit: "pages", "Its length."),
            ])
    }

    /// Who dirties them.
    static var blockingVCPUs: Table<ConvergenceReport, Blocking.Culprit> {
        Table(
            "convergence.blocking.vcpus", title: "Who blocks", rows: { $0.blocking?.culprits ?? [] },
            columns: [
                .init("vcpu", "vCPU", .count, \.vcpu, "null when unnamed."),
                .init("pages", "pages", .count, \.pages, unit: "pages", "First dirtied by it in the last window."),
            ])
    }
}
