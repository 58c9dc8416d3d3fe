import Model

/// A parameter's value, as `NAME=VALUE`.
struct Setting {
    let name: String
    let text: String

    init(parsing argument: String) throws {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
            throw Refusal("write NAME=VALUE.")
        }
        name = String(argument[..<equals])
        text = String(argument[argument.index(after: equals)...])
    }

    /// The value where nothing says its type: a number if it looks like one.
    var guessed: SQLValue {
        if let number = Int64(text) { return .integer(number) }
        if let number = Double(text), number.isFinite { return .real(number) }
        return .text(text)
    }

    /// Texts by name.
    ///
    /// - Throws: ``Refusal`` when a name has two values.
    static func byName(_ settings: [Setting]) throws -> [String: Setting] {
        try Dictionary(settings.map { ($0.name, $0) }) { first, _ in
            throw Refusal("--set gives \(first.name) two values: leave one out.")
        }
    }
}
