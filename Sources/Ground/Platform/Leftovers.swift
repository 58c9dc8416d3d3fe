import Synchronization

/// What must not outlive the program: files in the making. Whoever makes one says how to remove it; whoever ends the
/// program without unwinding, a signal or a watchdog, removes them all.
package enum Leftovers {
    private struct State {
        var last = 0
        var removals: [Int: @Sendable () -> Void] = [:]
    }
    private static let state = Mutex(State())

    /// Remembers how to remove something, also when a signal ends the program.
    ///
    /// - Returns: What ``forget(_:)`` takes.
    package static func add(_ removal: @escaping @Sendable () -> Void) -> Int {
        Termination.begin()
        return state.withLock { state in
            state.last += 1
            state.removals[state.last] = removal
            return state.last
        }
    }

    /// It is complete, or has been removed.
    package static func forget(_ number: Int) { state.withLock { _ = $0.removals.removeValue(forKey: number) } }

    /// Removes everything, the youngest first; nothing can be added while it does.
    package static func removeAll() {
        state.withLock { state in
            for (_, removal) in state.removals.sorted(by: { $0.key > $1.key }) { removal() }
            state.removals = [:]
        }
    }
}
