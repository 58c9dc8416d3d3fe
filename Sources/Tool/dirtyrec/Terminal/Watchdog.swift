import Foundation
import Platform
import Store

/// Ends the program when a query outlives its time limit by more than a second.
///
/// SQLite looks at the clock between the steps of a query. A single step, such as a `LIKE` over megabytes, can take
/// minutes all the same, and nothing else stops that. A recording is only read, so ending at once harms nothing.
final class Watchdog: Sendable {
    private enum State { case watching, done, ending }
    private static let graceNs: Int64 = 1_000_000_000
    private let state = Monitor(State.watching)

    /// Watches from now on; does nothing without a limit.
    init(_ path: String, limitNs: Int64?) {
        guard let limitNs else { return }
        let (deadline, overflow) = monotonicNow().addingReportingOverflow(limitNs &+ Self.graceNs)
        if overflow { return }
        _ = Worker("watchdog") { [state] in
            _ = state.wait(until: deadline, for: { $0 == .done }, then: { _ in })
            let isLate = state.change { state in
                if state == .watching { state = .ending }
                return state == .ending
            }
            if isLate { Failure.exit(with: RecordingError(path, .timeout)) }
        }
    }

    /// The query has returned. Returns only if that was in time.
    func stop() {
        state.change { if $0 == .watching { $0 = .done } }
        _ = state.wait(for: { $0 == .done }, then: { _ in })
    }
}
