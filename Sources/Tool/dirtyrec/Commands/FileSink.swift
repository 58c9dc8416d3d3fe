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
        var index = PageIndex()
        var classifier = DuplicateClassifier()
        var epochs = ProtectionEpochs()
        var totals = Totals()
        /// Whether parts of an iteration have come, but not yet its end.
        var isInIteration = false
    }

    private let state: Mutex<State>
    private let logsCommits: Bool

    /// - Parameter logsCommits: whether to say on stderr which iteration is committed, as soon as it is.
    init(_ writer: sending RecordingWriter, logsCommits: Bool = false) {
        state = Mutex(State(writer: writer))
        self.logsCommits = logsCommits
    }

    /// Sums so far.
    var totals: Totals { state.withLock { $0.totals } }

    func commit(_ batch: IterationBatch) throws {
        try state.withLock { state in
            try state.writer.commit(batch)
            if !state.isInIteration { state.classifier.begin(iteration: batch.iteration.id) }
            state.isInIteration = batch.isPart
            for (harvest, gfns) in batch.harvests {
                let ring = DuplicateClassifier.ring(of: harvest)
                let epoch = state.epochs.epoch(of: harvest)
                let certain = gfns.count - harvest.provisionalCount
                for (place, gfn) in gfns.enumerated() {
                    let page = state.index.insert(gfn)
                    _ = state.classifier.classify(page: page, ring: ring, provisional: place >= certain, epoch: epoch)
                }
            }
            guard !batch.isPart else { return }
            if logsCommits { Terminal.say("committed \(batch.iteration.id)") }
            state.totals.iterations += 1
            state.totals.counts += state.classifier.counts
            state.totals.pages = Int64(state.index.count)
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

    /// The last iteration.
    var lastIteration: Iteration { last.withLock { $0 } }

    func commit(_ batch: IterationBatch) {
        if !batch.isPart { last.withLock { $0 = batch.iteration } }
    }
}
