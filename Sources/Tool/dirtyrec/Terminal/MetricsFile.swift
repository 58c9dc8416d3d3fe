import Model
import Platform
import Report
import Synchronization

/// The file of `--metrics`: made anew at most once a second, under another name first, so that whoever reads it finds it
/// whole. By a thread of its own: a slow disk there holds up neither the guest nor the recording.
final class MetricsFile: Sendable {
    private struct State {
        var totals: RunningTotals
        var isNew = false
        var isOver = false
        /// It was said that the file cannot be written any more.
        var hasFailed = false
    }
    private static let periodNs: Int64 = 1_000_000_000

    private let path: String
    private let info: RecordingInfo
    private let state = Monitor(State(totals: RunningTotals()))
    private let worker = Mutex<Worker?>(nil)

    /// Writes the figures of an empty recording.
    ///
    /// - Throws: `OutputError`: better now than when the guest runs.
    init(_ path: String, of info: RecordingInfo) throws {
        (self.path, self.info) = (path, info)
        try write(RunningTotals(), isActive: true)
        let worker = Worker("metrics") { [self] in
            var nextNs = monotonicNow() + Self.periodNs
            while let totals = next(from: nextNs) {
                nextNs = monotonicNow() + Self.periodNs
                do { try write(totals, isActive: true) } catch {
                    state.change { $0.hasFailed = true }
                    return Terminal.say("\(error) The recording goes on without --metrics.")
                }
            }
        }
        self.worker.withLock { $0 = worker }
    }

    /// Takes the totals after an iteration.
    func show(_ totals: RunningTotals) { state.change { ($0.totals, $0.isNew) = (totals, true) } }

    /// Says that the recording has ended, and what is in it.
    func end() {
        state.change { $0.isOver = true }
        worker.withLock { $0 }?.join()
        let (totals, hasFailed) = state.read { ($0.totals, $0.hasFailed) }
        if hasFailed { return }
        do { try write(totals, isActive: false) } catch { Terminal.say("\(error)") }
    }

    /// What to write next, not before `time`; nil when the recording is over.
    private func next(from time: Int64) -> RunningTotals? {
        _ = state.wait(until: time, for: \.isOver, then: { _ in })
        return state.wait(for: { $0.isNew || $0.isOver }) { state in
            state.isNew = false
            return state.isOver ? nil : state.totals
        } ?? nil
    }

    private func write(_ totals: RunningTotals, isActive: Bool) throws(OutputError) {
        let output = try Output.open(path, existing: .replacedUnlessDatabase)
        output.write(Metrics(of: info, totals, isActive: isActive).text)
        try output.finish()
    }
}
