import Model

/// A migration as it was seen, or as a replay foretells it from the recording (question C3).
package struct MigrationPrediction: Sendable, Equatable {
    package enum Source: String, Sendable {
        case seen
        /// The replay in rounds.
        case rounds = "replay"
        /// The replay of QEMU's stream.
        case stream = "QEMU's stream"
    }

    package var source: Source
    /// A word of ``MigrationReport/Attempt/Outcome`` or of ``ConvergenceVerdict``.
    package var outcome: String
    /// Bytes a second that were replayed: the limit, or without one what was sent by the time it took.
    package var bandwidth: Int64
    package var downtimeLimitNs: Int64
    /// Whether nobody told the limit, and it is QEMU's default.
    package var assumesLimit: Bool
    package var totalNs: Bracket?
    package var bytes: Bracket?
    package var downtimeNs: Bracket?
    package var passes: Int64?

    /// QEMU's default, and Cloud Hypervisor's.
    private static let usualLimitNs: Int64 = 300_000_000

    /// Bytes a second: the search for the least bandwidth begins here, too.
    private static let leastBandwidth: Int64 = 100_000
    /// QEMU's stream is replayed window by window of 100 ms, which nobody waits for over years.
    private static let longestStreamNs: Int64 = 86_400_000_000_000

    /// Replays the recording under what the last migration's log says.
    ///
    /// - Returns: nothing where there are no entries, or where the log tells no bandwidth.
    /// - Throws: whatever reading the recording throws.
    static func all(
        _ report: MigrationReport, _ observations: [MigrationObservation], _ recording: some Recording,
        _ gathered: Gathered
    ) throws -> [MigrationPrediction] {
        guard gathered.pass.total.entries > 0, let seen = report.last else { return [] }
        let limit = seen.bandwidthLimit.flatMap { $0 > 0 && $0 < 1 << 40 ? $0 : nil }
        guard let bandwidth = limit ?? seen.bytesPerSecond.map({ Int64(min($0, 1e15)) }),
            bandwidth >= leastBandwidth
        else { return [] }
        var options = ConvergenceOptions()
        options.bandwidths = [bandwidth]
        options.downtimesNs = [min(seen.downtimeLimitNs ?? usualLimitNs, 1 << 50)]
        options.extend = .loop
        options.namesBlockingPages = false
        let isCloudHypervisor = seen.tools == MigrationObservation.Tool.cloudHypervisor.rawValue
        options.policies = [isCloudHypervisor ? .cloudHypervisor : .qemu]
        if !isCloudHypervisor, gathered.durationNs <= longestStreamNs {
            var stream = QEMUStreamOptions()
            // Of the first pass, and of what was zero again later.
            stream.zeroPages = observations.last { $0.attempt == seen.number && $0.zeroPages != nil }?.zeroPages
            options.qemu = stream
        }
        func row(_ source: Source, _ outcome: String) -> MigrationPrediction {
            MigrationPrediction(
                source: source, outcome: outcome, bandwidth: bandwidth, downtimeLimitNs: options.downtimesNs[0],
                assumesLimit: seen.downtimeLimitNs == nil)
        }
        func exact(_ figure: Int64?) -> Bracket? { figure.map { Bracket(low: $0, high: $0) } }
        var first = row(.seen, seen.outcome.rawValue)
        (first.totalNs, first.bytes) = (exact(seen.totalNs), exact(seen.transferredBytes))
        (first.downtimeNs, first.passes) = (exact(seen.downtimeNs), seen.passes)
        var rows = [first]
        let convergence = try Convergence.report(recording, gathered, options)
        if let cell = convergence.grid.first {
            var replay = row(.rounds, cell.outcome.verdict.rawValue)
            (replay.totalNs, replay.bytes) = (cell.outcome.totalNs, cell.outcome.bytes)
            (replay.downtimeNs, replay.passes) = (cell.outcome.downtimeNs, Int64(cell.outcome.rounds.count))
            rows.append(replay)
        }
        if let stream = convergence.streams.first {
            var replay = row(.stream, stream.verdict.rawValue)
            if stream.verdict == .converges || stream.verdict == .mayConverge {
                (replay.totalNs, replay.bytes) = (exact(stream.totalNs), exact(stream.bytes))
                replay.downtimeNs = exact(stream.downtimeNsActual)
                if let range = stream.totalRangeNs {
                    replay.totalNs = Bracket(low: range.lowerBound, high: range.upperBound)
                }
                if let range = stream.bytesRange {
                    replay.bytes = Bracket(low: range.lowerBound, high: range.upperBound)
                }
            }
            replay.passes = Int64(stream.syncs)
            rows.append(replay)
        }
        return rows
    }
}
