import ArgumentParser
import Foundation
import KVM
import Report
import TraceModel
import TraceStore

/// `dirtyrec sql`.
struct SQL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "Ask a recording in SQL, read-only; without a query, list its tables and views.",
        discussion: """
            Examples:
              dirtyrec sql demo.db
              dirtyrec sql demo.db "SELECT vcpu, count(*) FROM dirty GROUP BY vcpu"
              dirtyrec sql demo.db --csv -f questions.sql > answers.csv
            """)

    @Argument(help: "The recording.")
    var file: String

    @Argument(help: "One SQL statement or several; - reads them from standard input.")
    var query: String?

    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("Read the SQL from this file.", valueName: "sql file"))
    var script: String?

    @Option(help: "table, csv, tsv, json, jsonl or markdown.")
    var format: TableFormat?

    @Flag(help: "Same as --format csv.")
    var csv = false

    @Flag(help: "Same as --format json.")
    var json = false

    @Option(help: ArgumentHelp("The longest time for the whole query.", valueName: "time"))
    var timeout: Nanoseconds?

    func validate() throws {
        guard query == nil || script == nil else { throw ValidationError("Give either a query or -f, not both.") }
        guard [csv, json, format != nil].count(where: { $0 }) <= 1 else {
            throw ValidationError("Give one of --csv, --json and --format.")
        }
    }

    func run() throws {
        let session = try QuerySession(path: file)
        let format = csv ? .csv : json ? .json : self.format ?? .table
        guard let sql = try statements() else {
            listObjects(format)
            return
        }
        Termination.watch { count in
            session.interrupt()
            if count > 1 { Foundation.exit(Failure.no) }
        }
        var table: TableFormatter?
        var isFirst = true
        try session.run(sql, timeout: timeout.map { .nanoseconds($0.ns) }) { columns in
            table?.finish()
            if !isFirst, format == .table { Self.write("\n") }
            isFirst = false
            table = TableFormatter(format, columns: columns, write: Self.write)
        } row: { row in
            table?.add(row.map(Self.value))
        }
        table?.finish()
    }

    private static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    private func statements() throws -> String? {
        if let script {
            do { return try String(contentsOfFile: script, encoding: .utf8) } catch {
                throw ValidationError("Cannot read \(script): it must be a readable file of UTF-8 text.")
            }
        }
        guard query == "-" else { return query }
        return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    }

    private static func value(_ value: SQLValue) -> Value {
        switch value {
        case .null: .null
        case .integer(let number): .integer(number)
        case .real(let number): .real(number)
        case .text(let text): .text(text)
        case .blob(let bytes): .blob(bytes)
        }
    }

    private func listObjects(_ format: TableFormat) {
        var table = TableFormatter(format, columns: ["object", "kind", "column", "description"], write: Self.write)
        for object in SchemaCatalog.objects {
            table.add([.text(object.name), .text(object.kind.rawValue), .null, .text(object.description)])
            for column in object.columns {
                table.add([.text(object.name), .text("column"), .text(column.name), .text(column.description)])
            }
        }
        table.finish()
    }
}
