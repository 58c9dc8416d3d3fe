import Foundation
import Report
import TraceStore

/// Runs SQL and prints its rows as they come.
struct RowPrinter {
    let session: QuerySession
    var format: TableFormat
    var timeout: Nanoseconds?

    func run(_ sql: String, parameters: [String: SQLValue] = [:]) throws {
        let output = BufferedOutput()
        // What came before an error is shown before it.
        defer { output.flush() }
        var table: TableFormatter?
        var isFirst = true
        try session.run(sql, parameters: parameters, timeout: timeout.map { .nanoseconds($0.ns) }) { columns in
            table?.finish()
            if !isFirst, format == .table { output.write("\n") }
            isFirst = false
            table = TableFormatter(format, columns: columns, write: output.write)
        } row: { row in
            table?.add(row.map(Value.init))
        }
        table?.finish()
    }
}

/// stdout, in large pieces.
final class BufferedOutput {
    private static let pieceSize = 1 << 16
    private let handle: FileHandle
    private var waiting = Data()

    init(_ handle: FileHandle = .standardOutput) { self.handle = handle }

    func write(_ text: String) {
        waiting.append(contentsOf: text.utf8)
        if waiting.count >= Self.pieceSize { flush() }
    }

    func flush() {
        handle.write(waiting)
        waiting.removeAll(keepingCapacity: true)
    }
}

extension Value {
    /// The same value for a table.
    init(_ value: SQLValue) {
        self =
            switch value {
            case .null: .null
            case .integer(let number): .integer(number)
            case .real(let number): .real(number)
            case .text(let text): .text(text)
            case .blob(let bytes): .blob(bytes)
            }
    }
}

/// Lists of what can be asked.
enum Catalog {
    /// Views, tables and named queries with their first sentence.
    static func list(_ format: TableFormat) {
        var rows = SchemaCatalog.objects.map { [$0.name, $0.kind.rawValue, "", firstSentence($0.description)] }
        rows += NamedQuery.all.map { query in
            let parameters = query.parameters.map { "\($0.name)=\($0.defaultText)" }.joined(separator: " ")
            return [query.name, "query", parameters, firstSentence(query.description)]
        }
        print(["name", "kind", "parameters", "answers"], rows, format)
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
        let output = BufferedOutput()
        var table = TableFormatter(format, columns: columns, write: output.write)
        for row in rows { table.add(row.map { .text($0) }) }
        table.finish()
        output.flush()
    }

    private static func firstSentence(_ text: String) -> String {
        text.firstRange(of: ". ").map { text[..<$0.lowerBound] + "." } ?? text
    }
}
