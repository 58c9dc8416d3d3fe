import Foundation

/// stderr: messages always, a live line only where somebody sees it.
enum Terminal {
    /// Whether stderr is a terminal.
    static var isInteractive: Bool { isatty(2) == 1 }

    /// Prints a line.
    static func say(_ text: String) { write(text + "\n") }

    /// Replaces the live line; does nothing where stderr is no terminal.
    static func live(_ text: String) {
        if isInteractive { write("\r\u{1b}[K" + text) }
    }

    /// Removes the live line.
    static func endLive() { live("") }

    private static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// stdout: results only.
func printResult(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
