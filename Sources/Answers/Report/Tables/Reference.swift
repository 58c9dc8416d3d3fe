/// The part of docs/json-output.md that is made from the declarations of the tables.
package enum Reference {
    private static let begin = "<!-- Made by scripts/gen-docs from Sources/Answers/Report/Tables. -->\n"
    private static let end = "<!-- End of what scripts/gen-docs makes. -->"

    /// `document` with that part made anew; nil when it has no place for it.
    package static func updated(_ document: String) -> String? {
        guard let first = document.firstRange(of: begin), let last = document.firstRange(of: end) else { return nil }
        let table = ["| key | unit | meaning |", "|---|---|---|"] + Tables.documentation
        return document[..<first.upperBound] + table.joined(separator: "\n") + "\n" + document[last.lowerBound...]
    }
}
