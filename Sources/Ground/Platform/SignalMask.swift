import Foundation

/// The calling thread's signal mask.
package enum SignalMask {
    /// Blocks every signal for the calling thread, from here to its end.
    package static func blockAll() {
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, nil)
    }

    /// Whether the calling thread blocks every signal that can be blocked by a program.
    package static var allBlocked: Bool {
        var mask = sigset_t()
        unsafe pthread_sigmask(SIG_SETMASK, nil, &mask)
        return (1..<32).allSatisfy { unsafe $0 == SIGKILL || $0 == SIGSTOP || sigismember(&mask, $0) == 1 }
    }
}

/// SIGINT and SIGTERM, as events of one thread instead of interruptions of any.
package enum Termination {
    /// Blocks both signals for the calling thread and all that it starts from now on, and calls `body` on a thread of
    /// its own at each one, with how many there have been.
    package static func watch(_ body: @escaping @Sendable (_ count: Int) -> Void) {
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe sigaddset(&mask, SIGINT)
        unsafe sigaddset(&mask, SIGTERM)
        unsafe pthread_sigmask(SIG_BLOCK, &mask, nil)
        let awaited = mask
        let thread = Thread {
            var count = 0
            while true {
                var mask = awaited
                var signal: CInt = 0
                guard unsafe sigwait(&mask, &signal) == 0 else { continue }
                count += 1
                body(count)
            }
        }
        thread.name = "signals"
        thread.start()
    }
}

/// The signal that makes a vCPU thread leave `KVM_RUN`.
package enum Kick {
    private static let signal = SIGUSR1

    /// Installs a handler that does nothing: without one the signal would end the process.
    package static func install() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        unsafe sigemptyset(&action.sa_mask)
        unsafe sigaction(signal, &action, nil)
    }

    /// Lets the calling thread be kicked, and blocks every other signal for it: Ctrl-C belongs to the main thread. A thread
    /// inherits its creator's mask, and Dispatch's workers block everything.
    package static func acceptOnly() {
        SignalMask.blockAll()
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe sigaddset(&mask, signal)
        unsafe pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    }

    /// Signals one thread.
    package static func send(to thread: ThreadID) { _ = pthread_kill(thread.raw, signal) }
}

/// A thread that can be kicked. Valid while the thread runs.
package struct ThreadID: Sendable {
    let raw: pthread_t
    /// The calling thread.
    package static var current: ThreadID { ThreadID(raw: pthread_self()) }
}
