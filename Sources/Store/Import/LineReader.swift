import Glibc
import Platform

/// Reads a file or a pipe line by line, in bounded memory.
final class LineReader {
    /// What errors call the file.
    let path: String
    /// Number of the line read last, counted from 1.
    private(set) var number = 0
    private let descriptor: CInt
    private var buffer: [UInt8] = []
    private var position = 0
    private var atEnd = false

    private static let chunk = 1 << 18

    /// Opens `path`; `-` is standard input.
    init(_ path: String) throws(ImportError) {
        self.path = path == "-" ? "standard input" : path
        descriptor = path == "-" ? dup(0) : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ImportError(path, "cannot be opened: \(systemError()).") }
    }

    deinit { close(descriptor) }

    /// An error about the line read last.
    func error(_ problem: String) -> ImportError { ImportError(path, line: number, problem) }

    /// The next line without its end; nil after the last.
    func next() throws(ImportError) -> ArraySlice<UInt8>? {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                number += 1
                return buffer[position..<end]
            }
            searched = buffer.count
            if atEnd {
                guard position < buffer.count else { return nil }
                defer { position = buffer.count }
                number += 1
                return buffer[position...]
            }
            guard searched - position <= ImportLimits.lineBytes else {
                number += 1
                throw error("the line is longer than 16 MiB; write a large harvest as several lines.")
            }
            searched -= position
            try fill()
        }
    }

    /// Drops what was consumed and reads some more.
    private func fill() throws(ImportError) {
        buffer.removeFirst(position)
        position = 0
        let path = path
        var failure: ImportError?
        var count = 0
        buffer.append(addingCapacity: Self.chunk) { span in
            unsafe span.withUnsafeMutableBufferPointer { bytes, initialized in
                repeat {
                    count = unsafe read(descriptor, bytes.baseAddress, bytes.count)
                } while count < 0 && errno == EINTR
                if count < 0 { failure = ImportError(path, "cannot be read: \(systemError()).") }
                initialized = max(count, 0)
            }
        }
        if let failure { throw failure }
        atEnd = count == 0
    }
}
