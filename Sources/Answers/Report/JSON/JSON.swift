import Model
import Platform

/// A JSON value whose objects keep the order in which they were written, so that output is stable.
package indirect enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Any other number; what is not finite is written as `null`.
    case number(Double)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    /// Compares all members, in order.
    package static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let one), .bool(let other)): one == other
        case (.integer(let one), .integer(let other)): one == other
        case (.number(let one), .number(let other)): one == other
        case (.string(let one), .string(let other)): one == other
        case (.array(let one), .array(let other)): one == other
        case (.object(let one), .object(let other)):
            one.count == other.count && zip(one, other).allSatisfy { $0.0 == $1.0 && $0.1 == $1.1 }
        default: false
        }
    }

    package init(_ flag: Bool?) { self = flag.map { .bool($0) } ?? .null }
    package init(_ number: (some FixedWidthInteger)?) { self = number.map { .integer(Int64($0)) } ?? .null }
    package init(_ number: Double?) { self = number.map { .number($0) } ?? .null }
    package init(_ text: String?) { self = text.map { .string($0) } ?? .null }
    package init(_ word: (some RawRepresentable<String>)?) { self.init(word?.rawValue) }
    /// An array of what `value` makes of each element.
    package init<Elements: Sequence>(_ elements: Elements, _ value: (Elements.Element) -> JSON) {
        self = .array(elements.map(value))
    }

    package init(_ value: SQLValue) {
        self =
            switch value {
            case .null: .null
            case .integer(let number): .integer(number)
            case .real(let number): .number(number)
            case .text(let text): .string(text)
            case .blob(let bytes): .string(TableFormatter.hex(bytes))
            }
    }

    /// The value as JSON text (RFC 8259), objects and arrays of objects on lines of their own.
    package func text(indented: Bool = false) -> String {
        var output = ""
        write(to: &output, indent: indented ? 0 : nil)
        return output
    }

    private func write(to output: inout String, indent: Int?) {
        switch self {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .integer(let value): output += String(value)
        case .number(let value): output += value.isFinite ? value.description : "null"
        case .string(let value): Self.write(value, to: &output)
        case .array(let values):
            let nested = values.contains { if case .object = $0 { true } else { false } }
            Self.list(values, "[", "]", indent: nested ? indent : nil, to: &output) { $0.write(to: &$1, indent: $2) }
        case .object(let members):
            Self.list(members, "{", "}", indent: indent, to: &output) { member, output, indent in
                Self.write(member.0, to: &output)
                output += indent == nil ? ":" : ": "
                member.1.write(to: &output, indent: indent)
            }
        }
    }

    private static func list<Element>(
        _ elements: [Element], _ open: String, _ close: String, indent: Int?, to output: inout String,
        _ write: (Element, inout String, Int?) -> Void
    ) {
        output += open
        let inner = indent.map { $0 + 2 }
        for (place, element) in elements.enumerated() {
            if place > 0 { output += "," }
            if let inner { output += "\n" + String(repeating: " ", count: inner) }
            write(element, &output, inner)
        }
        if let indent, !elements.isEmpty { output += "\n" + String(repeating: " ", count: indent) }
        output += close
    }

    private static func write(_ string: String, to output: inout String) {
        output += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\t": output += "\\t"
            // Beyond what RFC 8259 asks for: C1 controls and direction overrides, so that JSON on a terminal is harmless.
            case _ where Sanitizer.isHarmful(scalar):
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        output += "\""
    }
}

extension JSON: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self = .string(text) }
    package init(dictionaryLiteral members: (String, JSON)...) { self = .object(members) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
}
