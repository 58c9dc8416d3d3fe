/// The parts of documents that are made from the declarations of tables and metrics.
package enum Reference {
    private static let columns = ["| key | unit | meaning |", "|---|---|---|"]
    private static let parts = [
        ("<!-- Made by scripts/gen-docs from Sources/Answers/Report/Tables. -->\n", columns + Tables.documentation),
        ("<!-- Made by scripts/gen-docs for snapshots. -->\n", columns + Tables.snapshotDocumentation),
        ("<!-- Made by scripts/gen-docs for metrics. -->\n", Metrics.documentation),
    ]
    private static let end = "<!-- End of what scripts/gen-docs makes. -->"

    /// `document` with those parts made anew; nil when it has no place for any.
    package static func updated(_ document: String) -> String? {
        var document = document
        var found = false
        for (begin, lines) in parts {
            guard let first = document.firstRange(of: begin),
                let last = document[first.upperBound...].firstRange(of: end)
            else { continue }
            found = true
            document.replaceSubrange(
                first.upperBound..<last.lowerBound, with: lines.joined(separator: "\n") + "\n")
        }
        return found ? document : nil
    }
}
