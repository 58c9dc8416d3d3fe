import Analysis

/// The documented JSON of a convergence report. A bracket is two keys: `x`, its high end, null when unknown, and `x_low`.
package enum JSONConvergence {
    package static func render(_ report: ConvergenceReport) -> JSON {
        .object([
            ("memory_pages", .integer(report.memoryPages)), ("memory_basis", .string(report.memoryBasis.rawValue)),
            ("extend", .string(report.extend.rawValue)),
            ("ticks_per_boundary", .integer(report.iterationsPerBoundary)), ("losses", .integer(report.losses)),
            ("grid", .array(report.grid.map(cell))), ("zero_pages", .integer(report.zeroPages)),
            ("qemu_stream", .array(report.streams.map(stream))),
            (
                "least_bandwidth",
                .array(
                    report.leastBandwidth.map {
                        .object(
                            [
                                ("downtime_ns", .integer($0.downtimeNs)), ("policy", .string($0.policy.rawValue)),
                                ("bandwidth_bytes_per_s", .integer($0.bandwidth)),
                            ] + bracket("average_bytes_per_s", $0.average))
                    })
            ),
            (
                "least_downtime",
                .array(
                    report.leastDowntime.map {
                        .object(
                            [("bandwidth_bytes_per_s", .integer($0.bandwidth))]
                                + bracket("downtime_ns", $0.downtimeNs) + bracket("average_ns", $0.averageNs))
                    })
            ),
            (
                "post_copy",
                .array(
                    report.postCopy.map {
                        .object(
                            [
                                ("bandwidth_bytes_per_s", .integer($0.bandwidth)),
                                ("precopy_rounds", .integer(Int64($0.precopyRounds))),
                            ] + bracket("pending_pages", $0.pendingPages) + bracket("written_pages", $0.writtenPages)
                                + bracket("sending_ns", $0.sendingNs))
                    })
            ),
            ("blocking", report.blocking.map(blocking) ?? .null),
        ])
    }

    private static func bracket(_ key: String, _ value: Bracket?) -> [(String, JSON)] {
        [(key, .integer(value?.high)), (key + "_low", .integer(value?.low))]
    }

    private static func cell(_ cell: ConvergenceCell) -> JSON {
        let outcome = cell.outcome
        return .object(
            [
                ("bandwidth_bytes_per_s", .integer(cell.bandwidth)), ("downtime_ns", .integer(cell.downtimeNs)),
                ("policy", .string(cell.policy.rawValue)), ("start_ns", .integer(outcome.startNs)),
                ("verdict", .string(outcome.verdict.rawValue)), ("reason", .string(outcome.reason)),
            ] + bracket("total_ns", outcome.totalNs) + bracket("bytes", outcome.bytes)
                + bracket("downtime_actual_ns", outcome.downtimeNs) + [
                    (
                        "rounds",
                        .array(
                            outcome.rounds.map {
                                .object(
                                    bracket("start_ns", $0.startNs) + bracket("pages", $0.pages)
                                        + bracket("bytes", $0.bytes) + bracket("duration_ns", $0.durationNs)
                                        + bracket("dirty_pages", $0.dirtyPages))
                            })
                    ),
                    ("starts", cell.starts.map(starts) ?? .null),
                    (
                        "lambda_model",
                        .object([
                            ("lambda", .number(cell.lambda.lambda)), ("converges", .bool(cell.lambda.converges)),
                            ("rounds", .integer(cell.lambda.rounds.map { Int64($0) })),
                            ("total_ns", .integer(cell.lambda.totalNs)), ("differs", .bool(cell.modelDiffers)),
                        ])
                    ),
                    ("throttle", cell.throttle.map(throttle) ?? .null),
                ])
    }

    private static func stream(_ stream: QEMUStreamOutcome) -> JSON {
        .object([
            ("bandwidth_bytes_per_s", .integer(stream.bandwidth)), ("downtime_ns", .integer(stream.downtimeNs)),
            ("verdict", .string(stream.verdict.rawValue)), ("total_ns", .integer(stream.totalNs)),
            ("bytes", .integer(stream.bytes)), ("downtime_actual_ns", .integer(stream.downtimeNsActual)),
            ("reason", .string(stream.reason)), ("syncs", .integer(Int64(stream.syncs))),
            ("last_dirty_pages", .array(stream.dirtyPages.map { .integer($0) })),
            ("starts", .integer(Int64(stream.starts))), ("converging", .integer(Int64(stream.converging))),
            ("total_ns_least", .integer(stream.totalRangeNs?.lowerBound)),
            ("total_ns_most", .integer(stream.totalRangeNs?.upperBound)),
            ("bytes_least", .integer(stream.bytesRange?.lowerBound)),
            ("bytes_most", .integer(stream.bytesRange?.upperBound)),
        ])
    }

    private static func starts(_ spread: StartSpread) -> JSON {
        func point(_ point: StartSpread.Point) -> JSON {
            .object([("start_ns", .integer(point.startNs))] + bracket("total_ns", point.totalNs))
        }
        return .object([
            ("count", .integer(Int64(spread.count))), ("converging", .integer(Int64(spread.converging))),
            ("best", point(spread.best)), ("median", point(spread.median)), ("worst", point(spread.worst)),
        ])
    }

    private static func throttle(_ throttle: Throttle) -> JSON {
        .object([
            ("percent", .integer(throttle.percent.map { Int64($0) })),
            ("qemu_step", .integer(throttle.qemuStep.map { Int64($0) })),
            ("dirty_limit_bytes_per_s", .integer(throttle.dirtyLimit)),
            ("limited_vcpus", .array(throttle.limitedVCPUs.map { .integer(Int64($0)) })),
        ])
    }

    private static func blocking(_ blocking: Blocking) -> JSON {
        .object([
            ("bandwidth_bytes_per_s", .integer(blocking.bandwidth)), ("downtime_ns", .integer(blocking.downtimeNs)),
            ("policy", .string(blocking.policy.rawValue)), ("windows", .integer(Int64(blocking.windows))),
            ("pages", .integer(blocking.pages)),
            (
                "ranges",
                .array(
                    blocking.ranges.map {
                        .object([("first_gfn", .integer(Int64($0.firstGFN))), ("pages", .integer($0.pages))])
                    })
            ),
            (
                "vcpus",
                .array(
                    blocking.culprits.map {
                        .object([("vcpu", .integer($0.vcpu.map { Int64($0) })), ("pages", .integer($0.pages))])
                    })
            ),
        ])
    }
}
