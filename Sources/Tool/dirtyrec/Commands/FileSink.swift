import Model
import Recorder
import Store
import Synchronization

/// Puts the recorder's iterations into a file, and counts for the live line and the summary.
final class FileSink: BatchSink {
    /// Sums over everything committed.
    struct Totals: Sendable {
        var iterations: Int64 = 0
        var counts = DuplicateCounts()
        var pages: Int64 = 0
        /// Costs summed over the iterations, by name, in nanoseconds.
        var costs: [String: Int64] = [:]
        /// Rises of KVM's statistics, VM and vCPUs together, by the kernel's name.
        var statistics: [String: Int64] = [:]
        /// Operations that the guest has completed.
        var guestProgress: Int64 = 0
    }

    private struct State {
        var writer: RecordingWriter
        var totals = Totals()
    }

    private let state: Mutex<State>
    private let logsCommits: Bool

    /// - Parameter logsCommits: whether to say on stderr which iteration is committed, as soon as it is.
    init(_ writer: sending RecordingWriter, logsCommits: Bool = false) {
        state = Mutex(State(writer: writer))
        self.logsCommits = logsCommits
    }

    var totals: Totals { state.withLock { $0.totals } }

    func commit(_ batch: IterationBatch) throws {
        try state.withLock { state in
            try state.writer.commit(batch)
            guard !batch.isPart else { return }
            if logsCommits { Terminal.say("committed \(batch.iteration.id)") }
            state.totals.iterations += 1
            (state.totals.counts, state.totals.pages) = (state.writer.counts, state.writer.pages)
            state.totals.add(batch)
        }
    }

    /// Ends the file.
    ///
    /// - Returns: Whether rows and summaries are in it (``RecordingWriter/finish(reason:endNs:rows:labels:progress:)``).
    func finish(_ outcome: RecorderOutcome, rows: Bool) throws -> Bool {
        defer { Terminal.endLive() }
        return try state.withLock { state in
            try state.writer.finish(reason: outcome.reason, endNs: outcome.endNs, rows: rows) { progress in
                Terminal.live("\(progress.phase.rawValue): \(progress.completed) of \(progress.total)")
            }
        }
    }

    /// Removes a file into which nothing was committed.
    func discard() { state.withLock { $0.writer.discard() } }
}

/// Throws everything away: the yardstick for what storing costs the guest.
final class DiscardingSink: BatchSink {
    private let last = Mutex(Iteration(id: 0, startNs: 0, endNs: 0))

    var lastIteration: Iteration { last.withLock { $0 } }

    func commit(_ batch: IterationBatch) {
        if !batch.isPart { last.withLock { $0 = batch.iteration } }
    }
}
