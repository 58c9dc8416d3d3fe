import Foundation
import Platform
import Store

/// Ends the program when a query outlives its time limit by more than a second.
///
/// SQLite looks at the clock between the steps of a query. A single step, such as a `LIKE` over megabytes, can take
/// minutes all the same, and nothing else stops that. A recording is only read, so ending at once harms nothing.
final class Watchdog: Sendable {
    private static let graceNs: Int64 = 1_000_000_000
    private let isDone = Monitor(false)

    /// Watches from now on; does nothing without a limit.
    init(_ path: String, limitNs: Int64?) {
        guard let limitNs else { return }
        let (deadline, overflow) = monotonicNow().addingReportingOverflow(limitNs &+ Self.graceNs)
        if overflow { return }
        let thread = Thread { [isDone] in
            SignalMask.blockAll()
            if isDone.wait(until: deadline, for: { $0 }, then: { _ in true }) == nil {
                Failure.exit(with: RecordingError(path, .timeout))
            }
        }
        thread.start()
    }

    /// The query has returned.
    func stop() { isDone.change { $0 = true } }
}
