/// Reads text line by line, in bounded memory.
final class LineReader {
    var path: String { input.path }
    /// Number of the line read last, counted from 1.
    private(set) var number = 0
    private let input: ImportInput
    private var buffer: [UInt8]
    private var position: Int
    /// Bytes of the input that are read.
    private var offset: Int
    private var atEnd = false

    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    init(_ input: ImportInput) {
        self.input = input
        buffer = input.head
        offset = input.head.count
        position = input.head.starts(with: Self.byteOrderMark) ? Self.byteOrderMark.count : 0
    }

    func error(_ problem: String) -> ImportError { ImportError(path, line: number, problem) }

    /// The next line without its end (LF or CR LF); nil after the last.
    func next() throws(ImportError) -> ArraySlice<UInt8>? {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                return line(upTo: end)
            }
            searched = buffer.count
            if atEnd {
                guard position < buffer.count else { return nil }
                defer { position = buffer.count }
                return line(upTo: buffer.count)
            }
            guard searched - position <= ImportLimits.lineBytes else {
                number += 1
                throw error("the line is longer than 16 MiB; write a large harvest as several lines.")
            }
            searched -= position
            let count = try input.appendNext(
                to: &buffer, dropping: position, at: input.size == nil ? nil : offset)
            position = 0
            offset += count
            atEnd = count == 0
        }
    }

    private func line(upTo end: Int) -> ArraySlice<UInt8> {
        number += 1
        let line = buffer[position..<end]
        return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    }
}
