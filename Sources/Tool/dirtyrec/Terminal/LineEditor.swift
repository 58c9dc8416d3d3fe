import CLineEdit
import Foundation
import Platform
import Store
import Synchronization

/// Line editing with history and completion on a terminal (libedit).
@safe final class LineEditor: Sendable {
    /// What the user did.
    enum Input {
        case line(String)
        case interrupted
        /// Ctrl-D, or the end of the pipe.
        case end

        /// A line of a pipe.
        static func end(_ line: String?) -> Input { line.map { .line($0) } ?? .end }
    }

    // One thread edits; another may close while the program ends.
    nonisolated(unsafe) private let handle: OpaquePointer
    private let historyPath: String?
    private let isClosed = Atomic(false)

    init?(historyPath: String?) {
        guard let handle = unsafe clineedit_open("dirtyrec", Self.complete, nil) else { return nil }
        unsafe self.handle = handle
        self.historyPath = historyPath
        if let historyPath { unsafe clineedit_history_file(handle, historyPath, 0) }
    }

    func read(prompt: String) -> Input {
        var interrupted: CInt = 0
        guard let line = unsafe prompt.withCString({ unsafe clineedit_read(handle, $0, &interrupted) }) else {
            return .end
        }
        return interrupted != 0 ? .interrupted : .line(unsafe String(cString: line))
    }

    func remember(_ text: String) {
        unsafe clineedit_remember(handle, text)
    }

    /// Gives the terminal back and keeps the history; once.
    func close() {
        guard !isClosed.exchange(true, ordering: .relaxed) else { return }
        if let historyPath {
            unsafe clineedit_history_file(handle, historyPath, 1)
            _ = unsafe chmod(historyPath, 0o600)
        }
        unsafe clineedit_close(handle)
    }

    /// What was inserted last: it must outlive the call that returns it.
    nonisolated(unsafe) private static var insertion: UnsafeMutablePointer<CChar>?

    private static let complete: clineedit_complete = { _, line, cursor, printed in
        guard let line = unsafe line else { return nil }
        let before = unsafe String(
            decoding: UnsafeBufferPointer(start: line, count: Int(cursor)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        let (word, candidates) = SQLCompletion.candidates(for: before, commands: SQLShell.commands)
        var insert = String(SQLCompletion.commonPrefix(candidates).dropFirst(word.count))
        if candidates.count == 1 { insert += " " }
        if insert.isEmpty, candidates.count > 1 {
            Output.standard.write("\n" + candidates.joined(separator: "  ") + "\n")
            Output.standard.flush()
            unsafe printed?.pointee = 1
        }
        unsafe free(insertion)
        unsafe insertion = strdup(insert)
        return unsafe UnsafePointer(insertion)
    }
}
