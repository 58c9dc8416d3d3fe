import Foundation

/// A thread that takes no signal and can be waited for. What its body uses lives at least as long as the body runs.
package final class Worker: Sendable {
    private let hasEnded = Monitor(false)

    /// Runs `body` on a thread called `name`. Signals are blocked there: a reset of dirty rings must not be interrupted, and
    /// Ctrl-C belongs to the thread of ``Termination``.
    ///
    /// - Parameter niceness: 0...19: how far it stands back where others want its CPU (nice(2)).
    package init(
        _ name: String, stackBytes: Int? = nil, niceness: CInt = 0, _ body: @escaping @Sendable () -> Void
    ) {
        let thread = Thread { [hasEnded] in
            SignalMask.blockAll()
            // Of this thread alone, on Linux.
            if niceness > 0 { _ = nice(niceness) }
            body()
            hasEnded.change { $0 = true }
        }
        thread.name = name
        if let stackBytes { thread.stackSize = stackBytes }
        thread.start()
    }

    /// Waits until the body has returned.
    ///
    /// - Parameter deadline: CLOCK_MONOTONIC nanoseconds; nil waits for ever.
    /// - Returns: whether it has.
    @discardableResult
    package func join(until deadline: Int64? = nil) -> Bool {
        hasEnded.wait(until: deadline, for: { $0 }, then: { $0 }) ?? false
    }
}
