import Foundation
import Synchronization

/// The calling thread's signal mask.
package enum SignalMask {
    /// Blocks every signal for the calling thread, from here to its end.
    package static func blockAll() {
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, nil)
    }
}

/// SIGINT, SIGTERM and SIGHUP, as events of one thread instead of interruptions of any.
package enum Termination {
    private struct State {
        var isWatching = false
        var count = 0
        var body: (@Sendable (Int) -> Void)?
    }
    private static let state = Mutex(State())

    /// Calls `body` from now on at each of these signals, with how many there have been since; it takes the place of the
    /// one before. The signals are blocked for the calling thread and all that it starts.
    package static func watch(_ body: @escaping @Sendable (_ count: Int) -> Void) {
        state.withLock { ($0.body, $0.count) = (body, 0) }
        begin()
    }

    /// Sees to it that a signal does not end the program before ``Leftovers`` are removed.
    static func begin() {
        guard state.withLock({ state in !exchange(&state.isWatching, true) }) else { return }
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe sigaddset(&mask, SIGINT)
        unsafe sigaddset(&mask, SIGTERM)
        // nohup means it.
        if !isIgnored(SIGHUP) { unsafe sigaddset(&mask, SIGHUP) }
        let awaited = mask
        // It lets a stopped process go on all the same; blocked, it stays for ``Interruptions`` to see.
        unsafe sigaddset(&mask, SIGCONT)
        unsafe pthread_sigmask(SIG_BLOCK, &mask, nil)
        let thread = Thread {
            while true {
                var mask = awaited
                var signal: CInt = 0
                guard unsafe sigwait(&mask, &signal) == 0 else { continue }
                let (body, count) = state.withLock { state in
                    state.count += 1
                    return (state.body, state.count)
                }
                if let body { body(count) } else { end(by: signal) }
            }
        }
        thread.name = "signals"
        thread.start()
    }

    /// Ends the program at once, from any thread, without ``Leftovers``.
    package static func exit(_ status: CInt) -> Never {
        Leftovers.removeAll()
        Foundation.exit(status)
    }

    /// Ends the program by a signal, as if nobody had caught it: whoever started it sees by which.
    package static func end(by signal: CInt) -> Never {
        Leftovers.removeAll()
        _ = Foundation.signal(signal, SIG_DFL)
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe sigaddset(&mask, signal)
        unsafe pthread_sigmask(SIG_UNBLOCK, &mask, nil)
        raise(signal)
        // The first process of a container does not die of its own signals.
        Foundation.exit(128 + signal)
    }

    private static func isIgnored(_ signal: CInt) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(signal, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    private static func exchange(_ flag: inout Bool, _ value: Bool) -> Bool {
        defer { flag = value }
        return flag
    }
}

/// Tells whether something that no mask keeps out may have cut a system call of the calling thread short: SIGSTOP, a tracer, the
/// freezer. All of them make the thread stand still, which counts as a voluntary context switch; a SIGCONT that comes before it
/// got there stays pending, if every thread blocks it (``Termination``).
package struct Interruptions {
    private let switches: Int

    /// Begins to watch. The calling thread must block every signal.
    package init() {
        _ = Self.takeContinue()
        switches = Self.voluntarySwitches
    }

    /// Whether there may have been one since; may be true when there was none.
    package var mayHaveCome: Bool { Self.takeContinue() || Self.voluntarySwitches > switches }

    private static func takeContinue() -> Bool {
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe sigaddset(&mask, SIGCONT)
        var atOnce = timespec()
        return unsafe sigtimedwait(&mask, nil, &atOnce) == SIGCONT
    }

    private static var voluntarySwitches: Int {
        var usage = rusage()
        // RUSAGE_THREAD, which Swift does not see: glibc has it for GNU sources only.
        unsafe getrusage(__rusage_who_t(1), &usage)
        return usage.ru_nvcsw
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

    /// Sleeps for so many nanoseconds, or until the calling thread is kicked. Not at all if `isAsked` says that it was before: whoever kicks
    /// lets it say so first.
    package static func sleep(_ ns: Int64, unless isAsked: () -> Bool) {
        var (mask, before) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&mask)
        unsafe sigaddset(&mask, signal)
        // From here to the sleep no kick is lost.
        unsafe pthread_sigmask(SIG_BLOCK, &mask, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        if isAsked() { return }
        var time = timespec(tv_sec: Int(ns / 1_000_000_000), tv_nsec: Int(ns % 1_000_000_000))
        _ = unsafe pselect(0, nil, nil, nil, &time, &before)
    }

    /// Signals one thread. Call it under the lock under which the thread withdraws its id before it ends: the id of a thread that
    /// has ended points into a stack that may be gone.
    package static func send(to thread: ThreadID) { _ = pthread_kill(thread.raw, signal) }
}

/// A thread of this process. Valid while it runs.
package struct ThreadID: Sendable {
    let raw: pthread_t
    /// Its folder below /proc.
    private let folder: String

    package static var current: ThreadID {
        let task = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")) ?? ""
        return ThreadID(raw: pthread_self(), folder: "/proc/" + task)
    }

    /// CPU time that it has used, in nanoseconds.
    package var cpuNs: Int64 {
        var clock = clockid_t()
        guard unsafe pthread_getcpuclockid(raw, &clock) == 0 else { return 0 }
        return nanoseconds(of: clock)
    }

    /// Whether it runs, or would if it had a CPU.
    package var isRunnable: Bool {
        let stat = (try? String(contentsOfFile: folder + "/stat", encoding: .utf8)) ?? ""
        // The name in brackets may hold anything.
        return stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].hasPrefix(") R")
    }
}
