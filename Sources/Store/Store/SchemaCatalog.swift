import Schemas

/// What the file holds, for people: tables and views with their documentation, read from the comments in `schemas/`.
package enum SchemaCatalog {
    package struct Object: Sendable, Equatable {
        package enum Kind: String, Sendable { case table, view }
        package let name: String
        package let kind: Kind
        /// What its rows are, in sentences.
        package let description: String
        package let columns: [Column]
    }

    package struct Column: Sendable, Equatable {
        /// Name in SQL.
        package let name: String
        /// What it means, with its unit.
        package let description: String
    }

    /// Every documented table and view: views first, because they are what most questions need.
    package static let objects: [Object] =
        Schemas.views.flatMap(parse) + Schemas.migrations.map(\.sql).flatMap(parse)
        + Schemas.optional.flatMap(parse)

    private static let columnsOfTables = Dictionary(
        uniqueKeysWithValues: objects.filter { $0.kind == .table }.map { ($0.name, $0.columns.map(\.name)) })

    /// Names of a table's columns, in order.
    static func columns(of table: String) -> [String] { columnsOfTables[table] ?? [] }

    /// Finds the documented objects in SQL: a comment block right above `CREATE TABLE` or `CREATE VIEW`.
    static func parse(_ sql: String) -> [Object] {
        var objects: [Object] = []
        var comment: [String] = []
        for line in sql.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("--") {
                comment.append(String(line.dropFirst(line.hasPrefix("-- ") ? 3 : 2)))
                continue
            }
            let words = line.split(whereSeparator: { $0 == " " || $0 == "(" })
            if words.count > 2, words[0] == "CREATE", let kind = Object.Kind(rawValue: words[1].lowercased()) {
                let documentation = Documentation(comment)
                objects.append(
                    Object(
                        name: String(words[2]), kind: kind, description: documentation.description,
                        columns: documentation.columns))
            }
            comment = []
        }
        return objects
    }
}
