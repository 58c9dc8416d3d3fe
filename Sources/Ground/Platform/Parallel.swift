import Dispatch
import Foundation
import Synchronization

/// Runs independent pieces of work on several threads. What comes out does not depend on how many there are.
package enum Parallel {
    /// CPUs that this process may use.
    package static let cpus = ProcessInfo.processInfo.activeProcessorCount

    /// Threads that share a piece of work: one a CPU, or as many as the environment variable `DIRTYREC_WORKERS` says.
    package static let workers: Int = {
        if let asked = ProcessInfo.processInfo.environment["DIRTYREC_WORKERS"].flatMap(Int.init), (1...1024) ~= asked {
            return asked
        }
        return cpus
    }()

    /// Results stand in the order of the pieces.
    package static func map<Result: Sendable>(
        _ count: Int, workers: Int = Self.workers, _ body: @Sendable (Int) -> Result
    ) -> [Result] {
        if workers <= 1 || count <= 1 { return (0..<count).map(body) }
        let results = Mutex([Result?](repeating: nil, count: count))
        forEach(count, workers: workers) { piece, _ in
            let result = body(piece)
            results.withLock { $0[piece] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }

    /// Calls `body` once for each piece, with the number of the worker that does it, from 0: a worker does one piece at a time.
    package static func forEach(
        _ count: Int, workers: Int = Self.workers, _ body: @Sendable (_ piece: Int, _ worker: Int) -> Void
    ) {
        let crew = min(workers, count)
        if crew <= 1 {
            for piece in 0..<count { body(piece, 0) }
            return
        }
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: crew) { worker in
            while case let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue, piece < count {
                body(piece, worker)
            }
        }
    }
}

/// A value that one thread at a time changes in place.
package final class Guarded<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    /// Guards `value`.
    package init(_ value: Value) { mutex = Mutex(value) }

    /// Reads or changes the value.
    package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try mutex.withLock { value in try body(&value) }
    }
}
