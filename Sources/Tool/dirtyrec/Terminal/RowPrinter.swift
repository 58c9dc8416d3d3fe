import Model
import Platform
import Report
import Store

/// Runs SQL and prints its rows as they come.
struct RowPrinter {
    let session: QuerySession
    var format: TableFormat
    /// Whether text that a spreadsheet would run is made harmless.
    var neutralizes = false
    var timeout: Nanoseconds?

    /// - Returns: How many rows there were.
    @discardableResult
    func run(_ sql: String, parameters: [String: SQLValue] = [:]) throws -> Int {
        let output = Output.standard
        let watchdog = Watchdog(session.file.path, limitNs: timeout?.ns)
        defer { watchdog.stop() }
        var table: TableFormatter?
        var isFirst = true
        var rows = 0
        // One JSON value in all: the array of rows, or of several such arrays.
        let isNested = try format == .json && session.resultCount(of: sql) > 1
        if isNested { output.write("[") }
        try session.run(sql, parameters: parameters, timeout: timeout.map { .nanoseconds($0.ns) }) { columns in
            table?.finish()
            if !isFirst, format == .table { output.write("\n") }
            if !isFirst, isNested { output.write(",") }
            isFirst = false
            table = TableFormatter(format, columns: columns, neutralizes: neutralizes, write: output.write)
        } row: {
            rows += 1
            table?.add($0)
            try output.check()
        }
        table?.finish()
        if isNested { output.write("]\n") }
        return rows
    }
}

/// Lists of what can be asked.
enum Catalog {
    /// Views, tables and named queries with their first sentence.
    static func list(_ format: TableFormat) {
        var rows = SchemaCatalog.objects.map { [$0.name, $0.kind.rawValue, "", firstSentence($0.description)] }
        rows += NamedQuery.all.map { [$0.name, "query", parameters($0), firstSentence($0.description)] }
        print(["name", "kind", "parameters", "answers"], rows, format)
    }

    /// Fleet queries with their first sentence.
    static func listFleet(_ format: TableFormat) {
        let rows = NamedQuery.fleet.map { [$0.name, parameters($0), firstSentence($0.description)] }
        print(["name", "parameters", "answers"], rows, format)
    }

    private static func parameters(_ query: NamedQuery) -> String {
        query.parameters.map { "\($0.name)=\($0.defaultText)" }.joined(separator: " ")
    }

    /// Columns, and parameters of a named query; false when there is nothing of that name.
    static func describe(_ name: String, _ format: TableFormat) -> Bool {
        var rows: [[String]] = []
        if let object = SchemaCatalog.objects.first(where: { $0.name == name }) {
            rows = object.columns.map { [$0.name, "column", $0.description] }
        } else if let query = try? NamedQuery.named(name) {
            rows = query.parameters.map {
                [$0.name, "parameter", "\($0.description) (\($0.kind.rawValue), \($0.defaultText))"]
            }
            rows += query.columns.map { [$0.name, "column", $0.description] }
        }
        if !rows.isEmpty { print(["name", "kind", "meaning"], rows, format) }
        return !rows.isEmpty
    }

    private static func print(_ columns: [String], _ rows: [[String]], _ format: TableFormat) {
        var table = TableFormatter(format, columns: columns, write: Output.standard.write)
        for row in rows { table.add(row.map { .text($0) }) }
        table.finish()
    }

    private static func firstSentence(_ text: String) -> String {
        text.firstRange(of: ". ").map { text[..<$0.lowerBound] + "." } ?? text
    }
}
