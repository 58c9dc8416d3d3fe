import Platform
import Synchronization

/// Standard error: messages always, a live line only where somebody sees it.
enum Terminal {
    static var isInteractive: Bool { Output.messages.isTerminal }

    /// Prints a line, or several, behind all results so far.
    static func say(_ text: String) {
        Output.standard.flush()
        write(Sanitizer.lines(text) + "\n")
    }

    /// Replaces the live line, at most ten times a second; does nothing where standard error is no terminal.
    static func live(_ text: String) {
        guard isInteractive else { return }
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
        if isInteractive { replaceLive("") }
    }

    private static func replaceLive(_ text: String) { write("\r\u{1b}[K" + Sanitizer.line(text)) }

    private static func write(_ text: String) {
        Output.messages.write(bytes: text.utf8)
        Output.messages.flush()
    }
}

/// Adds lines to the results, harmless wherever they go.
func printResult(_ text: String) { Output.standard.write(Sanitizer.lines(text) + "\n") }
