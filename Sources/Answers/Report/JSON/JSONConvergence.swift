import Analysis

/// The documented JSON of a convergence report. A bracket is two keys: `x`, its high end, null when unknown, and `x_low`.
package enum JSONConvergence {
    package static func render(_ report: ConvergenceReport) -> JSON {
        [
            "memory_pages": JSON(report.memoryPages), "memory_basis": JSON(report.memoryBasis),
            "extend": JSON(report.extend), "ticks_per_boundary": JSON(report.iterationsPerBoundary),
            "losses": JSON(report.losses), "grid": JSON(report.grid) { cell($0, report) },
            "zero_pages": JSON(report.zeroPages), "clear_bitmap_shift": JSON(report.log.clearShift),
            "qemu_stream": JSON(report.streams, stream),
            "least_bandwidth": Tables.leastBandwidth.json(report),
            "least_downtime": Tables.leastDowntime.json(report), "post_copy": Tables.postCopy.json(report),
            "blocking": report.blocking.map { blocking($0, report) } ?? .null,
        ]
    }

    private static func bracket(_ key: String, _ value: Bracket?) -> [(String, JSON)] {
        [(key, JSON(value?.high)), (key + "_low", JSON(value?.low))]
    }

    private static func cell(_ cell: ConvergenceCell, _ report: ConvergenceReport) -> JSON {
        let outcome = cell.outcome
        let model: JSON = [
            "lambda": JSON(cell.lambda.lambda), "converges": JSON(cell.lambda.converges),
            "rounds": JSON(cell.lambda.rounds), "total_ns": JSON(cell.lambda.totalNs),
            "differs": JSON(cell.modelDiffers),
        ]
        var fields: [(String, JSON)] = [
            ("bandwidth_bytes_per_s", JSON(cell.bandwidth)), ("downtime_ns", JSON(cell.downtimeNs)),
            ("policy", JSON(cell.policy)), ("start_ns", JSON(outcome.startNs)), ("verdict", JSON(outcome.verdict)),
            ("reason", JSON(outcome.reason)),
        ]
        fields += bracket("total_ns", outcome.totalNs)
        fields += bracket("bytes", outcome.bytes)
        fields += bracket("downtime_actual_ns", outcome.downtimeNs)
        fields += [
            ("rounds", Tables.rounds.json(outcome.rounds, report)), ("starts", cell.starts.map(starts) ?? .null),
            ("lambda_model", model), ("throttle", cell.throttle.map(throttle) ?? .null),
        ]
        return .object(fields)
    }

    private static func stream(_ stream: QEMUStreamOutcome) -> JSON {
        [
            "bandwidth_bytes_per_s": JSON(stream.bandwidth), "downtime_ns": JSON(stream.downtimeNs),
            "verdict": JSON(stream.verdict), "total_ns": JSON(stream.totalNs), "bytes": JSON(stream.bytes),
            "downtime_actual_ns": JSON(stream.downtimeNsActual), "reason": JSON(stream.reason),
            "syncs": JSON(stream.syncs), "last_dirty_pages": JSON(stream.dirtyPages) { JSON($0) },
            "throttle_percent": JSON(stream.throttle), "starts": JSON(stream.starts),
            "converging": JSON(stream.converging),
            "total_ns_least": JSON(stream.totalRangeNs?.lowerBound),
            "total_ns_most": JSON(stream.totalRangeNs?.upperBound),
            "bytes_least": JSON(stream.bytesRange?.lowerBound), "bytes_most": JSON(stream.bytesRange?.upperBound),
        ]
    }

    private static func starts(_ spread: StartSpread) -> JSON {
        func point(_ point: StartSpread.Point) -> JSON {
            .object([("start_ns", JSON(point.startNs))] + bracket("total_ns", point.totalNs))
        }
        return [
            "count": JSON(spread.count), "converging": JSON(spread.converging), "best": point(spread.best),
            "median": point(spread.median), "worst": point(spread.worst),
        ]
    }

    private static func throttle(_ throttle: Throttle) -> JSON {
        [
            "percent": JSON(throttle.percent), "qemu_step": JSON(throttle.qemuStep),
            "dirty_limit_bytes_per_s": JSON(throttle.dirtyLimit),
            "limited_vcpus": JSON(throttle.limitedVCPUs) { JSON($0) },
        ]
    }

    private static func blocking(_ blocking: Blocking, _ report: ConvergenceReport) -> JSON {
        [
            "bandwidth_bytes_per_s": JSON(blocking.bandwidth), "downtime_ns": JSON(blocking.downtimeNs),
            "policy": JSON(blocking.policy), "windows": JSON(blocking.windows), "pages": JSON(blocking.pages),
            "ranges": Tables.blockingRanges.json(report), "vcpus": Tables.blockingVCPUs.json(report),
        ]
    }
}
