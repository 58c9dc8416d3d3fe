import Platform

/// Standard error: messages always, a live line only where somebody sees it.
enum Terminal {
    static var isInteractive: Bool { Output.messages.isTerminal }

    /// Prints a line, or several, behind all results so far.
    static func say(_ text: String) {
        Output.standard.flush()
        write(Sanitizer.lines(text) + "\n")
    }

    /// Replaces the live line; does nothing where standard error is no terminal.
    static func live(_ text: String) {
        if isInteractive { write("\r\u{1b}[K" + Sanitizer.line(text)) }
    }

    /// Removes the live line.
    static func endLive() { live("") }

    private static func write(_ text: String) {
        Output.messages.write(bytes: text.utf8)
        Output.messages.flush()
    }
}

/// Adds lines to the results, harmless wherever they go.
func printResult(_ text: String) { Output.standard.write(Sanitizer.lines(text) + "\n") }
