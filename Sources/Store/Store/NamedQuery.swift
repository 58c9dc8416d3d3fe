import Model
import Schemas

/// A question that comes with the program: a statement with documented parameters and columns.
package struct NamedQuery: Sendable, Equatable {
    package struct Parameter: Sendable, Equatable {
        /// How its text is understood; all but `real` and `text` become integers.
        package enum Kind: String, Sendable, CaseIterable {
            /// A whole number.
            case integer
            /// Any number.
            case real
            case text
            /// A duration such as `250ms`, in nanoseconds.
            case duration
            /// A size such as `64MiB`, in bytes.
            case size
            /// A bandwidth such as `10Gbit/s`, in bytes per second.
            case bandwidth
        }
        /// Name in SQL, without the colon.
        package let name: String
        /// How its text is understood.
        package let kind: Kind
        /// Its value when none is given; `none` is NULL.
        package let defaultText: String
        package let description: String
    }

    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    package let name: String
    /// What it answers, in sentences.
    package let description: String
    package let parameters: [Parameter]
    /// Columns of the result in order.
    package let columns: [SchemaCatalog.Column]
    /// The statement, its documentation included.
    package let sql: String

    /// Every named query, area by area.
    package static let all = Schemas.queries.map { NamedQuery(name: $0.name, sql: $0.sql) }

    /// Every fleet query: over many recordings, in SQL that DuckDB and Spark both run.
    package static let fleet = Schemas.fleetQueries.map { NamedQuery(name: $0.name, sql: $0.sql) }

    /// The fleet query called `name`.
    ///
    /// - Throws: ``Failure`` that lists them.
    package static func fleet(named name: String) throws -> NamedQuery {
        if let query = fleet.first(where: { $0.name == name }) { return query }
        throw Failure(
            description: "There is no fleet query '\(name)'; known are \(fleet.map(\.name).joined(separator: ", "))."
                + Suggestion.sentence(for: name, among: fleet.map(\.name)))
    }

    /// The query called `name`.
    ///
    /// - Throws: ``Failure`` that lists the queries of the area.
    package static func named(_ name: String) throws -> NamedQuery {
        if let query = all.first(where: { $0.name == name }) { return query }
        let area = name.prefix { $0 != "/" } + "/"
        let near = all.filter { $0.name.hasPrefix(area) }.map(\.name)
        let suggestion = Suggestion.sentence(for: name, among: all.map(\.name))
        throw Failure(
            description: (near.isEmpty
                ? "There is no query '\(name)'; list them with: dirtyrec sql --list."
                : "There is no query '\(name)'; this area has \(near.joined(separator: ", ")).") + suggestion)
    }

    init(name: String, sql: String) {
        self.name = name
        self.sql = sql
        let comment = sql.split(separator: "\n").prefix { $0.hasPrefix("--") }
            .map { String($0.dropFirst($0.hasPrefix("-- ") ? 3 : 2)) }
        let documentation = Documentation(comment)
        description = documentation.description
        columns = documentation.columns
        parameters = documentation.parameters.map(Parameter.init)
    }

    /// Values for every parameter: those set, and the defaults of the others.
    ///
    /// - Throws: ``Failure`` when a setting is unknown or cannot be understood.
    package func values(_ settings: [String: String]) throws -> [String: SQLValue] {
        for name in settings.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
            let known = parameters.map(\.name).joined(separator: ", ")
            throw Failure(
                description: "\(self.name) has no parameter '\(name)'; "
                    + (known.isEmpty ? "it has none." : "it has \(known).")
                    + Suggestion.sentence(for: name, among: parameters.map(\.name)))
        }
        var values: [String: SQLValue] = [:]
        for parameter in parameters {
            values[parameter.name] = try parameter.value(settings[parameter.name] ?? parameter.defaultText)
        }
        return values
    }
}

extension NamedQuery.Parameter {
    /// Reads `type = default. Description`.
    fileprivate init(_ documented: SchemaCatalog.Column) {
        let parts = documented.description.split(separator: " = ", maxSplits: 1)
        let rest = parts.count > 1 ? String(parts[1]) : ""
        let sentence = rest.firstRange(of: ". ")
        name = documented.name
        kind = Kind(rawValue: String(parts.first ?? "")) ?? .text
        defaultText = String(rest[..<(sentence?.lowerBound ?? rest.endIndex)])
        description = sentence.map { String(rest[$0.upperBound...]) } ?? ""
    }

    /// The value that `text` means; `none` is NULL.
    ///
    /// - Throws: ``NamedQuery/Failure``.
    package func value(_ text: String) throws -> SQLValue {
        if text == "none" { return .null }
        do {
            let value = try read(text)
            if let value, case .integer(let number) = value, number < least {
                throw NamedQuery.Failure(
                    description: "Parameter '\(name)' cannot be '\(text)': give at least \(least).")
            }
            if let value { return value }
        } catch let error as Units.ParsingError {
            throw NamedQuery.Failure(description: "Parameter '\(name)': \(error)")
        }
        let wanted = kind == .integer ? "a whole number such as 20 or 0x100" : "a number such as 0.5"
        throw NamedQuery.Failure(description: "Parameter '\(name)' cannot be '\(text)': give \(wanted).")
    }

    /// A length of nothing, or less than nothing, has no answer; what is 0 by default may be.
    private var least: Int64 {
        guard let usual = try? read(defaultText), case .integer(let number) = usual else { return 0 }
        return number > 0 ? 1 : 0
    }

    /// Nil when it is no such value.
    private func read(_ text: String) throws(Units.ParsingError) -> SQLValue? {
        switch kind {
        case .integer: if let value = Self.integer(text) { return .integer(value) }
        case .real: if let value = Double(text), value.isFinite { return .real(value) }
        case .text: return .text(text)
        case .duration: return .integer(try Units.parseDuration(text))
        case .size: return .integer(try Units.parseSize(text))
        case .bandwidth: return .integer(try Units.parseBandwidth(text))
        }
        return nil
    }

    /// Page numbers are often written in hexadecimal.
    private static func integer(_ text: String) -> Int64? {
        text.hasPrefix("0x") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
    }
}

extension NamedQuery {
    /// Parameters declared one a line, as in the documentation of a query: `limit  integer = 20. How many at most.`
    package static func parameters(in text: String) -> [Parameter] {
        let lines = text.split(separator: "\n").map { "  " + $0.drop { $0 == " " } }
        return Documentation(["Parameters"] + lines).parameters.map(Parameter.init)
    }
}
