import Foundation
import Model

/// JSON within a log: one document a line, or over several lines, and what of it speaks of a migration.
struct JSONDocuments {
    /// The time of the log at the document's begin.
    private var time: LogTime?
    private var bytes: [UInt8] = []
    private var firstLine: Int64 = 0
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// No tool writes longer ones.
    private static let longest = 1 << 20
    private static let deepest = 64

    /// Whether a document has begun and not ended.
    var isOpen: Bool { depth > 0 }

    /// Whether a line looks like the begin of one.
    func mayBegin(_ line: ArraySlice<UInt8>) -> Bool {
        let text = line.drop { $0 == UInt8(ascii: " ") || $0 == 9 }
        guard let first = text.first else { return false }
        let next = text.dropFirst().first { $0 != UInt8(ascii: " ") && $0 != 9 }
        return first == UInt8(ascii: "{") && (next == nil || next == UInt8(ascii: "\"") || next == UInt8(ascii: "}"))
            || first == UInt8(ascii: "[") && (next == nil || next == UInt8(ascii: "{"))
    }

    /// Adds a line; gives what documents that end on it say.
    mutating func add(_ line: ArraySlice<UInt8>, _ lines: LineReader, _ time: LogTime?) throws(ImportError)
        -> [MigrationFinding]
    {
        var found: [MigrationFinding] = []
        if !isOpen { (firstLine, self.time) = (Int64(lines.number), time) }
        for byte in line {
            if depth == 0, byte != UInt8(ascii: "{"), byte != UInt8(ascii: "[") { continue }
            bytes.append(byte)
            guard bytes.count <= Self.longest else {
                throw lines.error("the JSON that begins on line \(firstLine) is longer than 1 MiB.")
            }
            take(byte)
            guard depth <= Self.deepest else {
                throw lines.error("the JSON that begins on line \(firstLine) is nested deeper than \(Self.deepest).")
            }
            if depth == 0 { found += end() }
            guard found.count <= MigrationObservation.most else {
                throw lines.error("holds more than \(MigrationObservation.most) observations; import a part of it.")
            }
        }
        if isOpen { bytes.append(UInt8(ascii: "\n")) }
        return found
    }

    private mutating func take(_ byte: UInt8) {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            return
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }

    private mutating func end() -> [MigrationFinding] {
        defer { bytes.removeAll(keepingCapacity: true) }
        guard let tree = try? JSONDecoder().decode(JSONTree.self, from: Data(bytes)) else { return [] }
        return MigrationJSON.findings(in: tree, firstLine, time)
    }
}
