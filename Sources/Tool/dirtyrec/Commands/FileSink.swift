import Model
import Recorder
import Store
import Synchronization

/// Puts the recorder's iterations into a file, and counts for the live line and the summary.
final class FileSink: BatchSink {
    private let writer: Mutex<RecordingWriter>
    private let logsCommits: Bool
    private let metrics: MetricsFile?

    /// - Parameters:
    ///   - logsCommits: whether to say on stderr which iteration is committed, as soon as it is.
    ///   - metrics: gets the totals after each iteration.
    init(_ writer: sending RecordingWriter, logsCommits: Bool = false, metrics: MetricsFile? = nil) {
        self.writer = Mutex(writer)
        (self.logsCommits, self.metrics) = (logsCommits, metrics)
    }

    var totals: RunningTotals { writer.withLock { $0.totals } }

    func commit(_ batch: IterationBatch) throws {
        try writer.withLock { writer in
            try writer.commit(batch)
            guard !batch.isPart else { return }
            if logsCommits { Terminal.say("committed \(batch.iteration.id)") }
            metrics?.show(writer.totals)
        }
    }

    /// Ends the file.
    ///
    /// - Returns: What is left (``RecordingWriter/finish(reason:endNs:rows:labels:progress:)``).
    func finish(_ outcome: RecorderOutcome, rows: Bool) throws -> Completion {
        defer { Terminal.endLive() }
        return try writer.withLock { writer in
            try writer.finish(reason: outcome.reason, endNs: outcome.endNs, rows: rows) { progress in
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
