import Model
import Platform
import Store
import Synchronization

/// Somebody pressed Ctrl-C; what was made before is kept.
struct Interrupted: Error {}

/// A recording that is made of entries at hand: one iteration is stored after the other, and what came before an error
/// or Ctrl-C is kept.
final class Intake {
    /// Iterations that are at hand anyway are committed together for so long, in nanoseconds.
    static let groupNs: Int64 = 50_000_000

    let writer: RecordingWriter
    private let options: RecordingOptions
    private let signals: StopFlag

    init(
        _ options: RecordingOptions, _ info: RecordingInfo, _ slots: [MemorySlot] = [], groupNs: Int64 = 0,
        until signals: StopFlag = .ofSignals()
    ) throws {
        self.options = options
        self.signals = signals
        writer = try options.writer(info, slots, groupNs: groupNs)
    }

    /// Whether somebody asked to stop.
    var mustStop: Bool { signals.isSet }

    /// Stores an iteration, and shows how far it is.
    func commit(_ batch: IterationBatch) throws {
        try writer.commit(batch)
        if options.durability.logCommits { Terminal.say("committed \(writer.committedIterations)") }
        Terminal.live("\(Units.counted(writer.committedEntries, "entry", "entries")), iteration \(batch.iteration.id)")
    }

    /// Runs `body`, which commits everything, and ends the file.
    ///
    /// - Parameters:
    ///   - endNs: The end so far.
    ///   - body: Returns why it ended, and labels to add.
    /// - Throws: what `body` throws, after the file was ended.
    func run(endNs: () -> Int64, _ body: () throws -> (EndReason, labels: [String: String])) throws {
        do {
            let (reason, labels) = try body()
            try finish(reason, endNs(), labels)
        } catch {
            Terminal.endLive()
            writer.discard()
            if !(error is RecordingError), writer.committedIterations > 0 {
                try finish(error is Interrupted ? .signal : .error, endNs(), [:])
                let kept = Units.counted(writer.committedIterations, "iteration", "iterations")
                Terminal.say(
                    "\(options.output) holds the \(kept) before \(error is Interrupted ? "Ctrl-C" : "the error").")
            }
            throw error
        }
    }

    private func finish(_ reason: EndReason, _ endNs: Int64, _ labels: [String: String]) throws {
        Terminal.endLive()
        guard !writer.isEmpty else { return writer.discard() }
        RecordingOptions.tell(
            try writer.finish(reason: reason, endNs: endNs, rows: options.rows, labels: labels), of: options.output)
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
