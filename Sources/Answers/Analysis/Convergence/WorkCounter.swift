import Synchronization

/// Counts finished pieces of work and tells somebody, one at a time.
final class WorkCounter: Sendable {
    private let total: Int
    private let done = Mutex(0)
    private let report: @Sendable (ConvergenceProgress) -> Void

    init(total: Int, report: @escaping @Sendable (ConvergenceProgress) -> Void) {
        (self.total, self.report) = (total, report)
    }

    func finish() {
        done.withLock {
            $0 += 1
            report(.replays(done: $0, of: total))
        }
    }
}
