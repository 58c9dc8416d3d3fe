import Model
import Platform
import Store
import Synchronization

/// Somebody pressed Ctrl-C; what was made before is kept.
struct Interrupted: Error {}

/// A recording of iterations that a command gets from elsewhere. They are stored one after the other by a thread of its own: whoever reads the
/// kernel's buffers must not wait for a disk. What came before an error or Ctrl-C is kept.
final class Intake {
    /// Iterations that are at hand anyway are committed together for so long, in nanoseconds.
    static let groupNs: Int64 = 50_000_000
    /// Entries that may wait for the disk: 16 MB, with times.
    private static let mostWaiting = 1 << 20

    private let file: FileSink
    private let options: RecordingOptions
    private let signals: StopFlag

    init(
        _ options: RecordingOptions, _ info: RecordingInfo, _ slots: [MemorySlot] = [],
        migrations: [MigrationObservation] = [], groupNs: Int64 = 0, metrics: MetricsFile? = nil,
        until signals: StopFlag = .ofSignals()
    ) throws {
        self.options = options
        self.signals = signals
        file = try FileSink(
            options.writer(info, slots, migrations: migrations, groupNs: groupNs),
            logsCommits: options.durability.logCommits, metrics: metrics)
    }

    /// Whether somebody asked to stop.
    var mustStop: Bool { signals.isSet }
    var committedIterations: Int64 { file.committedIterations }
    var committedEntries: Int64 { file.committedEntries }
    /// Whether no iteration has come.
    var isEmpty: Bool { file.isEmpty }

    /// Runs `body`, which hands iterations over to be stored, and ends the file.
    ///
    /// - Parameters:
    ///   - endNs: The end so far.
    ///   - body: Returns why it ended, and labels to add.
    /// - Throws: what `body` throws, after the file was ended.
    func run(
        endNs: () -> Int64,
        _ body: (_ keep: (IterationBatch) throws -> Void) throws -> (EndReason, labels: [String: String])
    ) throws {
        do {
            let (reason, labels) = try storing(body)
            try finish(reason, endNs(), labels)
        } catch {
            Terminal.endLive()
            file.discard()
            if !(error is RecordingError), file.committedIterations > 0 {
                try finish(error is Interrupted ? .signal : .error, endNs(), [:])
                let kept = Units.counted(file.committedIterations, "iteration", "iterations")
                Terminal.say(
                    "\(options.output) holds the \(kept) before \(error is Interrupted ? "Ctrl-C" : "the error").")
            }
            throw error
        }
    }

    private func storing<Result>(_ body: ((IterationBatch) throws -> Void) throws -> Result) throws -> Result {
        // Iterations and harvests without entries take memory, too.
        let queue = BoundedQueue<IterationBatch>(capacity: Self.mostWaiting) {
            $0.entryCount + 64 * ($0.harvests.count + 1)
        }
        let worker = Worker("writer") { [file] in
            queue.takeAll { batch in
                try file.commit(batch)
                Terminal.live(
                    "\(Units.counted(file.committedEntries, "entry", "entries")), iteration \(batch.iteration.id)")
            }
        }
        let result = Swift.Result { try body(queue.push) }
        queue.close()
        worker.join()
        if let failure = queue.failure { throw failure }
        return try result.get()
    }

    private func finish(_ reason: EndReason, _ endNs: Int64, _ labels: [String: String]) throws {
        Terminal.endLive()
        guard !file.isEmpty else { return file.discard() }
        RecordingOptions.tell(
            try file.finish(reason, endNs: endNs, rows: options.rows, labels: labels), of: options.output)
    }
}

/// Whether somebody asked to stop.
final class StopFlag: Sendable {
    private let flag = Atomic(false)
    private let work = Mutex<@Sendable () -> Void>({})
    /// What the second Ctrl-C must not leave undone.
    var beforeExit: @Sendable () -> Void {
        get { work.withLock { $0 } }
        set { work.withLock { $0 = newValue } }
    }
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }

    /// One that Ctrl-C sets from now on; a second one does not wait for a VMM or a disk that hangs.
    static func ofSignals() -> StopFlag {
        let flag = StopFlag()
        Termination.watch { count in
            flag.set()
            if count > 1 {
                flag.beforeExit()
                Termination.exit(Failure.no)
            }
        }
        return flag
    }
}
