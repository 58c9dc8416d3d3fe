import Platform
import Synchronization

/// Takes what a guest writes to its console, and hands it on line by line: a system call a byte would slow the guest
/// down. A file gets every byte; a terminal, and standard error in any case, gets harmless text.
final class ConsoleOutput: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var hasFailed = false
    }
    /// Bytes that wait at most for the end of their line.
    private static let longestLine = 256

    private let output: Output
    private let isHarmless: Bool
    private let state = Mutex(State())

    /// Writes to what `path` names, or to standard error.
    ///
    /// - Throws: ``OutputError``.
    init(path: String?) throws {
        output = try path.map { try Output.open($0, existing: .overwritten) } ?? .messages
        isHarmless = path == nil || output.isTerminal
    }

    func finish() { state.withLock { flush(&$0) } }

    func write(_ bytes: [UInt8]) {
        state.withLock { state in
            for byte in bytes {
                // A character is not cut in two.
                if state.waiting.count >= Self.longestLine, byte & 0xc0 != 0x80 { flush(&state) }
                state.waiting.append(byte)
                if byte == 0xa { flush(&state) }
            }
        }
    }

    private func flush(_ state: inout State) {
        defer { state.waiting.removeAll(keepingCapacity: true) }
        guard !state.hasFailed else { return }
        if isHarmless {
            output.write(bytes: Sanitizer.lines(String(decoding: state.waiting, as: UTF8.self)).utf8)
        } else {
            output.write(bytes: state.waiting)
        }
        output.flush()
        do throws(OutputError) { try output.check() } catch {
            // The recording is worth more than the console: say it once and go on.
            state.hasFailed = true
            Terminal.say("dirtyrec: \(error.description) The rest of the console is lost, the recording goes on.")
        }
    }
}
