/// Cuts a guest's bytes into lines of bounded length; newline, carriage return and NUL end a line.
struct LineCollector {
    private let limit: Int
    private var line: [UInt8] = []

    /// Keeps the first `limit` bytes of each line.
    init(limit: Int) { self.limit = limit }

    /// Adds a byte. - Returns: a line that it completes, unless that is empty.
    mutating func add(_ byte: UInt8) -> [UInt8]? {
        guard [0, 0xa, 0xd].contains(byte) else {
            if line.count < limit { line.append(byte) }
            return nil
        }
        defer { line = [] }
        return line.isEmpty ? nil : line
    }
}

/// How guests set markers.
enum MarkerText {
    /// First of 256 I/O ports. A byte written to any of them is the next byte of a marker's text: so the text may be written
    /// port by port, as /dev/port does, or all to one port.
    static let firstPort: UInt16 = 0x500
    /// The last of them.
    static let lastPort: UInt16 = 0x5ff
    /// On a line of the serial console, the text is what follows these words.
    static let prefix = Array("dirtyrec-mark:".utf8)
    /// Bytes of a text that are kept.
    static let limit = 256
    /// Bytes of a console line in which the words are looked for.
    static let consoleLimit = 512

    /// The marker that a line of the console sets, if it does.
    static func inConsole(_ line: [UInt8]) -> String? {
        guard let start = line.firstRange(of: prefix)?.upperBound else { return nil }
        return text(line[start...].drop { $0 == 0x20 })
    }

    /// Bytes as text: bounded, and valid whatever the guest wrote. Control characters stay; who displays them escapes them.
    static func text(_ bytes: some Collection<UInt8>) -> String? {
        bytes.isEmpty ? nil : String(decoding: bytes.prefix(limit), as: UTF8.self)
    }
}
