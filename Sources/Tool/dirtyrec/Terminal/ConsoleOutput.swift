import ArgumentParser
import Foundation
import Synchronization

/// Takes what a guest writes to its console: raw into a file, or made harmless on stderr.
final class ConsoleOutput: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var hasFailed = false
    }
    private let handle: FileHandle
    private let path: String?
    private let state = Mutex(State())

    /// Writes to a new file at `path`, or to stderr.
    init(path: String?) throws {
        self.path = path
        guard let path else {
            handle = .standardError
            return
        }
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else {
            throw ValidationError("--console \(path) cannot be written; check its folder and permissions.")
        }
        self.handle = handle
    }

    /// Writes what is left of an unfinished line.
    func finish() { state.withLock { flush(&$0) } }

    /// Adds bytes. A line at a time is written: a system call a byte would slow the guest down.
    func write(_ bytes: [UInt8]) {
        state.withLock { state in
            for byte in bytes {
                if path == nil { state.waiting += Self.harmless(byte) } else { state.waiting.append(byte) }
                if byte == 0xa || state.waiting.count >= 256 { flush(&state) }
            }
        }
    }

    private func flush(_ state: inout State) {
        defer { state.waiting.removeAll(keepingCapacity: true) }
        guard !state.hasFailed else { return }
        do { try handle.write(contentsOf: state.waiting) } catch {
            // The recording is worth more than the console: say it once and go on.
            state.hasFailed = true
            if let path {
                Terminal.say("dirtyrec: \(path) cannot be written any more, the rest of the console is lost.")
            }
        }
    }

    /// A guest must not drive the user's terminal: control characters other than tab and line ends show as ^X.
    private static func harmless(_ byte: UInt8) -> [UInt8] {
        switch byte {
        case 0x9, 0xa, 0xd, 0x20..<0x7f, 0x80...: [byte]
        default: [0x5e, byte ^ 0x40]
        }
    }
}
