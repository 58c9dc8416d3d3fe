import Model
import Recorder
import Store
import Synchronization

/// Puts iterations into a file, and counts for the live line and the summary.
final class FileSink: BatchSink {
    private let writer: Mutex<RecordingWriter>
    private let logsCommits: Bool
    private let metrics: MetricsFile?

    /// - Parameters:
    ///   - logsCommits: whether to say on stderr how many iterations are committed, as soon as they are.
    ///   - metrics: gets the totals after each iteration.
    init(_ writer: sending RecordingWriter, logsCommits: Bool = false, metrics: MetricsFile? = nil) {
        self.writer = Mutex(writer)
        (self.logsCommits, self.metrics) = (logsCommits, metrics)
    }

    var totals: RunningTotals { writer.withLock { $0.totals } }
    var committedIterations: Int64 { writer.withLock { $0.committedIterations } }
    var committedEntries: Int64 { writer.withLock { $0.committedEntries } }
    /// Whether no iteration has come yet.
    var isEmpty: Bool { writer.withLock { $0.isEmpty } }

    func commit(_ batch: IterationBatch) throws {
        try writer.withLock { writer in
            try writer.commit(batch)
            guard !batch.isPart else { return }
            if logsCommits { Terminal.say("committed \(writer.committedIterations)") }
            metrics?.show(writer.totals)
        }
    }

    /// Ends the file.
    ///
    /// - Returns: What is left (``RecordingWriter/finish(reason:endNs:rows:labels:progress:)``).
    func finish(
        _ reason: EndReason, endNs: Int64, rows: Bool, labels: [String: String] = [:]
    ) throws -> Completion {
        defer { Terminal.endLive() }
        return try writer.withLock { writer in
            try writer.finish(reason: reason, endNs: endNs, rows: rows, labels: labels) { progress in
                Terminal.live("\(progress.phase.rawValue): \(progress.completed) of \(progress.total)")
            }
        }
    }

    /// Removes a file into which nothing was committed.
    func discard() { writer.withLock { $0.discard() } }
}

/// Throws everything away: the yardstick for what storing costs the guest.
final class DiscardingSink: BatchSink {
    private let last = Mutex(Iteration(id: 0, startNs: 0, endNs: 0))

    var lastIteration: Iteration { last.withLock { $0 } }

    func commit(_ batch: IterationBatch) {
        if !batch.isPart { last.withLock { $0 = batch.iteration } }
    }
}
