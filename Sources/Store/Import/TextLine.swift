import Model

/// One line of the text format: a word, `key=value` fields, and after a lone colon pages or free text.
struct Line {
    let word: String
    /// Everything behind the word.
    let rest: String
    /// The bytes behind the colon.
    let pages: PageText
    private let head: String
    private let place: (path: String, number: Int)

    /// The longest part before the colon.
    private static let longestHead = 4096

    /// Nil for an empty line and a comment.
    init?(_ bytes: ArraySlice<UInt8>, _ lines: LineReader) throws(ImportError) {
        place = (lines.path, lines.number)
        let space = UInt8(ascii: " ")
        var bytes = bytes
        guard let first = bytes.firstIndex(where: { $0 != space && $0 != 9 }), bytes[first] != UInt8(ascii: "#") else {
            return nil
        }
        bytes = bytes[first...]
        var end = bytes.startIndex
        // The colon stands alone: between blanks, or at the end of the line.
        while end < bytes.endIndex {
            let isColon = bytes[end] == UInt8(ascii: ":") && end > bytes.startIndex && bytes[end - 1] <= space
            if isColon && (end + 1 == bytes.endIndex || bytes[end + 1] <= space) { break }
            end += 1
            guard end - bytes.startIndex <= Self.longestHead else {
                throw lines.error("the part before ' : ' is longer than \(Self.longestHead) bytes.")
            }
        }
        let text = String(decoding: bytes[..<end], as: UTF8.self)
        let parts = text.split(maxSplits: 1, whereSeparator: Self.isBlank)
        word = parts.first.map { String($0.prefix(40)) } ?? ""
        head = parts.count > 1 ? String(parts[1]) : ""
        rest = String(decoding: bytes.dropFirst(word.utf8.count).prefix(Self.longestHead), as: UTF8.self).trimmed
        pages = PageText(bytes: end < bytes.endIndex ? bytes[(end + 1)...] : [])
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

    var text: String { String(decoding: pages.bytes.prefix(Self.longestHead), as: UTF8.self).trimmed }

    func error(_ problem: String) -> ImportError { ImportError(place.path, line: place.number, problem) }

    /// The fields before the colon, of which only `known` ones may be there, each once.
    func fields(_ known: Set<String>) throws(ImportError) -> [String: String] {
        var fields: [String: String] = [:]
        for part in head.split(whereSeparator: Self.isBlank) {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2 else {
                throw error("'\(part.prefix(40))' is no key=value; pages follow a lone colon.")
            }
            guard known.contains(pair[0]) else {
                throw error(
                    "'\(pair[0].prefix(40))' is unknown here; known are \(known.sorted().joined(separator: ", ")).")
            }
            guard fields.updateValue(pair[1], forKey: pair[0]) == nil else {
                throw error("\(pair[0]) stands there twice.")
            }
        }
        return fields
    }

    /// The number of the iteration that a harvest belongs to.
    func iteration() throws(ImportError) -> Int64 {
        for part in head.split(whereSeparator: Self.isBlank) where part.hasPrefix("iteration=") {
            return try number(String(part.dropFirst(10)), named: "iteration", in: 1...1 << 40) { $0 }
        }
        throw error("iteration= is missing.")
    }

    func number<Value>(
        _ text: String?, named name: String? = nil, in range: ClosedRange<Int64>, _ make: (Int64) -> Value
    ) throws(ImportError) -> Value {
        let name = name ?? word
        guard let text else { throw error("\(name)= is missing.") }
        let value = text.hasPrefix("0x") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
        guard let value, range.contains(value) else {
            throw error(
                "\(name) must be a number from \(range.lowerBound) to \(range.upperBound), not '\(text.prefix(40))'.")
        }
        return make(value)
    }

    /// A time: bare nanoseconds, or with a unit.
    func time(_ text: String?, named name: String? = nil) throws(ImportError) -> Int64 {
        guard let text else { throw error("\(name ?? word)= is missing.") }
        guard let value = Int64(text) ?? (try? Units.parseDuration(text)),
            (0...ImportLimits.largestTime).contains(value)
        else {
            throw error("'\(text.prefix(40))' is no time; write nanoseconds, or for example 250ms.")
        }
        return value
    }

    /// One of the words of an enumeration.
    func one<Word: RawRepresentable & CaseIterable>(
        of type: Word.Type, _ text: String? = nil
    ) throws(ImportError) -> Word where Word.RawValue == String {
        let text = text ?? rest
        if let word = Word(rawValue: text) { return word }
        let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
        throw error("'\(text.prefix(40))' is not one of \(known).")
    }
}

extension String {
    /// Without blanks at either end.
    fileprivate var trimmed: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
