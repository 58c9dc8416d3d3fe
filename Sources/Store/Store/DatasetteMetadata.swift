/// `samples/datasette/metadata.yaml`: the named queries, and what tables and columns mean, for Datasette.
///
/// Datasette passes parameters as texts, empty when they are not given; each becomes a number with its default.
package enum DatasetteMetadata {
    /// The file as YAML, for a recording called `recording.db`.
    package static var yaml: String {
        var lines = [
            "# Made by scripts/gen-docs from the comments in schemas/: datasette recording.db -m metadata.yaml",
            "title: Recorded by dirtyrec", "databases:", "  recording:", "    tables:",
        ]
        for object in SchemaCatalog.objects {
            lines += [
                "      \(object.name):", "        description: \(quoted(object.description))", "        columns:",
            ]
            lines += object.columns.map { "          \($0.name): \(quoted($0.description))" }
        }
        lines.append("    queries:")
        // Most files do not have what only some recordings ask for.
        for query in NamedQuery.all where !Schema.optionalTables.contains(where: { query.sql.contains("FROM \($0)\n") })
        {
            lines.append("      \(query.name.map { $0 == "/" ? "_" : String($0) }.joined()):")
            lines.append("        title: \(quoted(query.name))")
            lines.append("        description: \(quoted(query.description))")
            lines.append("        sql: |-")
            for line in statement(query).split(separator: "\n") { lines.append("          \(line)") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The statement without its documentation, its parameters made numbers.
    private static func statement(_ query: NamedQuery) -> String {
        let lines = query.sql.split(separator: "\n").drop { $0.hasPrefix("--") }
        return lines.joined(separator: "\n").replacing(/:([a-z]\w*)/) { match in
            guard let parameter = query.parameters.first(where: { $0.name == match.1 }) else { return String(match.0) }
            let given = "nullif(\(match.0), '')"
            switch try? parameter.value(parameter.defaultText) {
            case .integer(let number): return "CAST(coalesce(\(given), \(number)) AS INTEGER)"
            case .real(let number): return "CAST(coalesce(\(given), \(number)) AS REAL)"
            default: return parameter.kind == .text ? given : "CAST(\(given) AS INTEGER)"
            }
        }
    }

    /// A YAML string in double quotes.
    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
