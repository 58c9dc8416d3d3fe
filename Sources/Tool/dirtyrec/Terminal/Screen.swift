import CTerminalScreen
import Foundation
import Platform
import Report
import Synchronization

/// The whole terminal (ncurses), from ``init()`` to ``close()``; messages wait meanwhile. For one thread.
final class Screen {
    /// What was typed.
    enum Key: Equatable {
        case character(Character)
        case left, right, up, down
        /// The size has changed, or the program was suspended and goes on.
        case resized
        /// The terminal is gone.
        case gone
    }

    private let leftover: Int

    /// - Throws: ``UnknownTerminal`` where the terminal is not known.
    init() throws {
        let hasColors = ProcessInfo.processInfo.environment["NO_COLOR", default: ""].isEmpty
        guard cterminalscreen_open(hasColors ? 1 : 0) == 0 else { throw UnknownTerminal() }
        leftover = Leftovers.add { cterminalscreen_restore() }
        Terminal.hold()
    }

    /// Whether standard input and output are a terminal.
    static var isThere: Bool { Output.standard.isTerminal && isatty(STDIN_FILENO) == 1 }

    /// Makes suspending and resizing wait until the screen's own thread waits for a key. To be called before there are threads.
    ///
    /// - Throws: ``UnknownTerminal``: better now than when a guest is attached.
    static func prepare() throws {
        guard cterminalscreen_is_known() != 0 else { throw UnknownTerminal() }
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe sigaddset(&mask, SIGTSTP)
        unsafe sigaddset(&mask, SIGWINCH)
        unsafe pthread_sigmask(SIG_BLOCK, &mask, nil)
    }

    var isUnicode: Bool { cterminalscreen_is_unicode() != 0 }

    var size: (width: Int, height: Int) {
        var (width, height) = (CInt(0), CInt(0))
        unsafe cterminalscreen_size(&width, &height)
        return (Int(width), Int(height))
    }

    /// Shows lines; sends only what differs from those before.
    func show(_ lines: [LiveScreen.Line]) {
        cterminalscreen_begin()
        for (row, line) in lines.enumerated() {
            var column = 0
            for span in line {
                unsafe cterminalscreen_put(CInt(row), CInt(column), span.text, CInt(Self.style(span.style)))
                column += LiveScreen.cells(span.text)
            }
        }
        cterminalscreen_show()
    }

    /// Draws everything anew, should something else have written on the terminal.
    func redraw() { cterminalscreen_redraw() }

    /// Waits for a key at most so long.
    func key(milliseconds: Int) -> Key? {
        let key = cterminalscreen_key(CInt(milliseconds))
        switch key {
        case CInt(CTERMINALSCREEN_NONE.rawValue): return nil
        case CInt(CTERMINALSCREEN_GONE.rawValue): return .gone
        case CInt(CTERMINALSCREEN_LEFT.rawValue): return .left
        case CInt(CTERMINALSCREEN_RIGHT.rawValue): return .right
        case CInt(CTERMINALSCREEN_UP.rawValue): return .up
        case CInt(CTERMINALSCREEN_DOWN.rawValue): return .down
        case CInt(CTERMINALSCREEN_RESIZED.rawValue): return .resized
        default: return UInt8(exactly: key).map { .character(Character(Unicode.Scalar($0))) }
        }
    }

    /// Gives the terminal back, and says what was to be said meanwhile.
    func close() {
        cterminalscreen_close()
        Leftovers.forget(leftover)
        Terminal.release()
    }

    private static func style(_ style: LiveScreen.Style) -> UInt32 {
        switch style {
        case .plain: CTERMINALSCREEN_PLAIN.rawValue
        case .title: CTERMINALSCREEN_TITLE.rawValue
        case .heading, .strong: CTERMINALSCREEN_STRONG.rawValue
        case .good: CTERMINALSCREEN_GOOD.rawValue
        case .bad: CTERMINALSCREEN_BAD.rawValue
        case .open: CTERMINALSCREEN_OPEN.rawValue
        case .dim: CTERMINALSCREEN_DIM.rawValue
        }
    }
}

/// ncurses does not know the terminal.
struct UnknownTerminal: Error, CustomStringConvertible {
    private let name = ProcessInfo.processInfo.environment["TERM"] ?? ""

    var description: String {
        "The terminal '\(Sanitizer.line(name))' is not known here: set TERM to one that is, such as xterm, or use --plain."
    }
}
