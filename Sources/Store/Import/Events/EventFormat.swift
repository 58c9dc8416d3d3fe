/// What a tracepoint's `format` file says: where each field of its record lies. Nothing is assumed about the layout.
package struct EventFormat: Sendable, Equatable {
    /// Where a number lies in a record.
    package struct Field: Sendable, Equatable {
        package var offset: Int
        /// Size in bytes: 1, 2, 4 or 8 for numbers.
        package var size: Int
        package var signed: Bool

        /// The number in `record`, or nil when the record is too short or the field is no number.
        package func value(in record: ArraySlice<UInt8>) -> Int64? {
            guard [1, 2, 4, 8].contains(size), offset >= 0, record.count >= size, offset <= record.count - size else {
                return nil
            }
            var bits: UInt64 = 0
            let first = record.startIndex + offset
            for place in 0..<size { bits |= UInt64(record[first + place]) << (8 * UInt64(place)) }
            let unused = UInt64(64 - 8 * size)
            return signed ? Int64(bitPattern: bits << unused) >> Int64(unused) : Int64(bitPattern: bits)
        }
    }

    /// Name of the event, without its group.
    package var name = ""
    /// The number that begins every record of this event.
    package var id = -1
    /// Fields by name.
    package var fields: [String: Field] = [:]

    /// Parses the text of a `format` file; nil when it is not one.
    package init?(parsing text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.drop { $0 == "\t" || $0 == " " }
            if line.hasPrefix("name:") {
                name = String(line.dropFirst(5).drop { $0 == " " })
            } else if line.hasPrefix("ID:") {
                guard let number = Int(line.dropFirst(3).drop { $0 == " " }), (0...0xffff).contains(number) else {
                    return nil
                }
                id = number
            } else if line.hasPrefix("field:"), fields.count < 256 {
                guard let (name, field) = Self.field(line.dropFirst(6)) else { return nil }
                fields[name] = field
            }
        }
        guard !name.isEmpty, id >= 0 else { return nil }
    }

    /// Parses `unsigned int common_pid; offset:4; size:4; signed:1;`.
    static func field(_ text: Substring) -> (String, Field)? {
        var declaration = ""
        var numbers: [String: Int] = [:]
        for (place, part) in text.split(separator: ";").enumerated() {
            let part = part.drop { $0 == "\t" || $0 == " " }
            if place == 0 {
                declaration = String(part)
                continue
            }
            let pair = part.split(separator: ":").map(String.init)
            if pair.count == 2 { numbers[pair[0]] = Int(pair[1]) }
        }
        guard let name = declaration.split(separator: " ").last, let offset = numbers["offset"],
            let size = numbers["size"], (0...1 << 20).contains(offset), (0...1 << 20).contains(size)
        else { return nil }
        return (String(name), Field(offset: offset, size: size, signed: numbers["signed"] == 1))
    }
}
