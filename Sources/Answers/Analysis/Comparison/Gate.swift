import Model

/// A condition under which a comparison fails, such as `wws.p95>+10%`.
///
/// `NAME OP LIMIT`: OP is `>`, `>=`, `<` or `<=`. A limit with a sign is a change, `+10%` relative and `+100` absolute;
/// one without a sign is a value of the recording after. Units are those of the figure: pages, bytes, nanoseconds,
/// events per second, shares of 1.
package struct Gate: Sendable, Equatable {
    /// Why a gate was refused: one sentence.
    package struct ParsingError: Error, Equatable, CustomStringConvertible {
        package let description: String
    }
    /// What became of a gate.
    package enum Outcome: Sendable, Equatable {
        /// The condition does not hold.
        case passed
        /// It holds, but no further than repeated recordings differ by themselves.
        case withinNoise
        /// It holds.
        case failed
        /// A recording does not know the figure: counts as failed.
        case unknown
    }

    /// The text it was made of.
    package let text: String
    package let name: String
    private let comparison: String
    private let limit: Double
    private let isChange: Bool
    private let isPercent: Bool

    package init(_ text: String) throws(ParsingError) {
        let example = "write for example 'wws.p95>+10%', 'rate.pages>50000' or 'fidelity.lost>0'."
        guard let operation = text.firstIndex(where: { $0 == "<" || $0 == ">" }) else {
            throw ParsingError(description: "A gate needs a comparison; \(example)")
        }
        name = Self.trim(text[..<operation])
        var rest = text[operation...]
        comparison = rest.dropFirst().hasPrefix("=") ? String(rest.prefix(2)) : String(rest.prefix(1))
        rest = rest.dropFirst(comparison.count)
        var number = Self.trim(rest)
        isPercent = number.hasSuffix("%")
        if isPercent { number = Self.trim(number.dropLast()) }
        isChange = number.hasPrefix("+") || number.hasPrefix("-")
        guard !name.isEmpty, !number.isEmpty, number.allSatisfy({ "+-.0123456789".contains($0) }),
            let limit = Double(number)
        else { throw ParsingError(description: "A gate compares a figure with a number; \(example)") }
        guard isChange || !isPercent else {
            throw ParsingError(description: "A percentage is a change and needs a sign; \(example)")
        }
        self.limit = isPercent ? limit / 100 : limit
        self.text = text
    }

    /// Judges a comparison.
    ///
    /// - Throws: ``ParsingError`` when it has no figure of that name.
    package func judge(_ comparison: Comparison) throws(ParsingError) -> Outcome {
        guard let row = comparison.rows.first(where: { $0.name == name }) else {
            let close = comparison.rows.map(\.name).filter { $0.hasPrefix(name.prefix { $0 != "." && $0 != "[" }) }
            let names = (close.isEmpty ? comparison.rows.map(\.name) : close).prefix(12).joined(separator: ", ")
            throw ParsingError(
                description: "There is no figure '\(name)'; known are for example \(names)."
                    + Suggestion.sentence(for: name, among: comparison.rows.map(\.name)))
        }
        guard let value = isChange ? (isPercent ? row.relativeChange : row.change) : row.after else { return .unknown }
        let holds =
            switch self.comparison {
            case ">": value > limit
            case ">=": value >= limit
            case "<": value < limit
            default: value <= limit
            }
        if !holds { return .passed }
        return isChange && row.isNoise ? .withinNoise : .failed
    }

    private static func trim(_ text: Substring) -> String {
        let start = text.drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
    private static func trim(_ text: String) -> String { trim(text[...]) }
}
