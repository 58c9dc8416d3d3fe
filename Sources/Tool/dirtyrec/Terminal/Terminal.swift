import Platform
import Synchronization

/// Standard error: messages always, a live line only where somebody sees it.
enum Terminal {
    static var isInteractive: Bool { Output.messages.isTerminal }

    /// Prints a line, or several, behind all results so far; at once, or when ``release()`` is called after ``hold()``.
    static func say(_ text: String) {
        let waits = held.withLock { held in
            guard held != nil else { return false }
            if held?.count ?? 0 < mostHeld { held?.append(text) }
            return true
        }
        if waits { return }
        Output.standard.flush()
        write(Sanitizer.lines(text) + "\n")
    }

    /// Messages that wait while a ``Screen`` has the terminal; nil when none has.
    private static let held = Mutex<[String]?>(nil)
    private static let mostHeld = 1000

    /// From now on messages wait, and there is no live line.
    static func hold() { held.withLock { $0 = $0 ?? [] } }

    /// Says what waited.
    static func release() {
        let waited = held.withLock { held in
            defer { held = nil }
            return held ?? []
        }
        for text in waited { say(text) }
    }

    /// Replaces the live line, at most ten times a second; does nothing where standard error is no terminal.
    static func live(_ text: String) {
        guard isInteractive, held.withLock({ $0 == nil }) else { return }
        let now = monotonicNow()
        let isDue = latestLive.withLock { latest in
            guard now - latest >= 100_000_000 else { return false }
            latest = now
            return true
        }
        if isDue { replaceLive(text) }
    }

    /// When the live line was last replaced, CLOCK_MONOTONIC nanoseconds.
    private static let latestLive = Mutex<Int64>(0)

    /// Removes the live line.
    static func endLive() {
        if isInteractive, held.withLock({ $0 == nil }) { replaceLive("") }
    }

    private static func replaceLive(_ text: String) { write("\r\u{1b}[K" + Sanitizer.line(text)) }

    private static func write(_ text: String) {
        Output.messages.write(bytes: text.utf8)
        Output.messages.flush()
    }
}

/// Adds lines to the results, harmless wherever they go.
func printResult(_ text: String) { Output.standard.write(Sanitizer.lines(text) + "\n") }
