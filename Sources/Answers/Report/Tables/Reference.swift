/// The parts of docs/json-output.md that are made from the declarations of the tables.
package enum Reference {
    private static let parts = [
        ("<!-- Made by scripts/gen-docs from Sources/Answers/Report/Tables. -->\n", Tables.documentation),
        ("<!-- Made by scripts/gen-docs for snapshots. -->\n", Tables.snapshotDocumentation),
    ]
    private static let end = "<!-- End of what scripts/gen-docs makes. -->"

    /// `document` with those parts made anew; nil when it has no place for one.
    package static func updated(_ document: String) -> String? {
        var document = document
        for (begin, rows) in parts {
            guard let first = document.firstRange(of: begin),
                let last = document[first.upperBound...].firstRange(of: end)
            else { return nil }
            let table = ["| key | unit | meaning |", "|---|---|---|"] + rows
            document.replaceSubrange(
                first.upperBound..<last.lowerBound, with: table.joined(separator: "\n") + "\n")
        }
        return document
    }
}
