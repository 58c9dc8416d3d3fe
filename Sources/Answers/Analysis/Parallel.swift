import Dispatch
import Synchronization

/// Runs independent pieces of work on all cores. Results stand in the order of the pieces, whatever the number of cores.
enum Parallel {
    static func map<Result: Sendable>(_ count: Int, _ body: @Sendable (Int) -> Result) -> [Result] {
        let results = Mutex([Result?](repeating: nil, count: count))
        DispatchQueue.concurrentPerform(iterations: count) { piece in
            let result = body(piece)
            results.withLock { $0[piece] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}

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
