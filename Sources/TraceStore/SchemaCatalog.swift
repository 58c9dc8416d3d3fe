import Schemas

/// What the file holds, for people: tables and views with their documentation, read from the comments in `schemas/`.
public enum SchemaCatalog {
    /// A table or a view.
    public struct Object: Sendable, Equatable {
        /// Whether rows are stored or computed.
        public enum Kind: String, Sendable { case table, view }
        /// Name in SQL.
        public let name: String
        /// Table or view.
        public let kind: Kind
        /// What its rows are, in sentences.
        public let description: String
        /// Columns in order.
        public let columns: [Column]
    }

    /// A column of a table or view.
    public struct Column: Sendable, Equatable {
        /// Name in SQL.
        public let name: String
        /// What it means, with its unit.
        public let description: String
    }

    /// Every documented table and view: views first, because they are what most questions need.
    public static let objects: [Object] =
        Schemas.views.flatMap(parse) + Schemas.migrations.map(\.sql).flatMap(parse)

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
                let parts = comment.split(separator: "Columns", maxSplits: 1)
                objects.append(
                    Object(
                        name: String(words[2]), kind: kind,
                        description: parts.first.map { $0.joined(separator: " ").trimmed } ?? "",
                        columns: parts.count > 1 ? columns(parts[1]) : []))
            }
            comment = []
        }
        return objects
    }

    /// A column's line is indented by two, the continuation of its description by more.
    private static func columns(_ lines: ArraySlice<String>) -> [Column] {
        var columns: [Column] = []
        for line in lines where !line.trimmed.isEmpty {
            if line.hasPrefix("   "), let last = columns.popLast() {
                columns.append(Column(name: last.name, description: "\(last.description) \(line.trimmed)"))
            } else {
                let words = line.trimmed.split(separator: " ", maxSplits: 1)
                columns.append(
                    Column(name: String(words[0]), description: words.count > 1 ? String(words[1]).trimmed : ""))
            }
        }
        return columns
    }
}

extension String {
    fileprivate var trimmed: String {
        let body = drop(while: { $0 == " " })
        return String(body[..<(body.lastIndex(where: { $0 != " " }).map(body.index(after:)) ?? body.startIndex)])
    }
}
