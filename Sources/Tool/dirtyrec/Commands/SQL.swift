import ArgumentParser
import Foundation
import Model
import Platform
import Report
import Store

struct SQL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "Ask a recording in SQL, read-only; without a query, in a shell.",
        discussion: """
            Named queries answer the usual questions; their parameters are bound with --set. docs/sql.md describes every \
            table, view and named query. Without a query, a terminal gets a shell with history and completion, and \
            anything else is read as statements.

            Examples:
              dirtyrec sql --list
              dirtyrec sql demo.db --query duplicates/top_shared --set limit=5
              dirtyrec sql demo.db "SELECT vcpu, count(*) FROM dirty GROUP BY vcpu"
              dirtyrec sql demo.db --csv -f questions.sql > answers.csv
            """)

    @Argument(help: "The recording.", completion: .recording)
    var file: String?

    @Argument(help: "One SQL statement or several; - reads them from standard input.")
    var sql: String?

    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("Read the SQL from this file.", valueName: "sql file"),
        completion: .file(extensions: ["sql"]))
    var script: String?

    @Option(help: ArgumentHelp("Run this named query.", valueName: "area/name"), completion: .namedQuery)
    var query: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Value of a parameter, as NAME=VALUE; may be repeated.", valueName: "name=value"),
        transform: Setting.init(parsing:))
    var settings: [Setting] = []

    @Flag(help: "List views, tables and named queries.")
    var list = false

    @Flag(help: .hidden)
    var reference = false

    @Flag(help: .hidden)
    var datasette = false

    @Option(help: "table, csv, tsv, json, jsonl or markdown; json of several statements is an array of their arrays.")
    var format: TableFormat?

    @Flag(help: "Same as --format csv.")
    var csv = false

    @Flag(help: "Same as --format json.")
    var json = false

    @Flag(help: "With --csv or tsv: put ' before text that a spreadsheet would run as a formula (=, +, -, @).")
    var spreadsheet = false

    @Option(
        help: ArgumentHelp(
            "The longest time for the whole query (default: 5min; in the shell none).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var timeout: Nanoseconds?

    /// A query that nobody watches ends.
    private static let defaultTimeout = Nanoseconds(ns: 300_000_000_000)

    func validate() throws {
        guard [sql, script, query].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("Give one of a query, -f and --query.")
        }
        guard [csv, json, format != nil].count(where: { $0 }) <= 1 else {
            throw ValidationError("Give one of --csv, --json and --format.")
        }
        guard file != nil || list || reference || datasette else {
            throw ValidationError("Name a recording, or list what can be asked with: dirtyrec sql --list")
        }
        guard !list || (sql ?? script ?? query) == nil else {
            throw ValidationError("--list lists what can be asked: leave the query out.")
        }
        guard !spreadsheet || csv || format == .csv || format == .tsv else {
            throw ValidationError("--spreadsheet belongs to --csv or --format tsv.")
        }
        guard settings.isEmpty || sql != nil || script != nil || query != nil else {
            throw ValidationError("--set belongs to a query: give one, or --query.")
        }
    }

    func run() throws {
        let format = csv ? .csv : json ? .json : self.format ?? .table
        if reference { return Output.standard.write(SQLReference.markdown) }
        if datasette { return Output.standard.write(DatasetteMetadata.yaml) }
        if list { return Catalog.list(format) }
        let named = try query.map { try Self.named($0, settings) }
        let session = try QuerySession(path: file ?? "")
        var printer = RowPrinter(
            session: session, format: format, neutralizes: spreadsheet, timeout: timeout ?? Self.defaultTimeout)
        if let named {
            return try interruptibly(session) {
                let rows = try printer.run(named.sql, parameters: named.values)
                if rows == 0 { explainEmptiness(of: session.file) }
            }
        }
        if let sql = try statements() {
            let values = try Setting.byName(settings)
            for name in values.keys.sorted() where ![":", "@", "$"].contains(where: { sql.contains($0 + name) }) {
                throw ValidationError("The query has no parameter :\(name), which --set gives a value.")
            }
            return try interruptibly(session) { _ = try printer.run(sql, parameters: values.mapValues(\.guessed)) }
        }
        printer.timeout = timeout
        var shell = SQLShell(printer)
        try shell.run()
    }

    /// Queries that read summaries have none before the recording's end.
    private func explainEmptiness(of file: RecordingFile) {
        guard !file.isSummarized else { return }
        let reason =
            file.state == .recording
            ? "The recording has not ended yet: summaries, which this query may need, come at its end."
            : "Summaries, which this query may need, are missing; make them with: dirtyrec recover \(ShellWords.file(file.path))"
        Terminal.say("No rows. \(reason)")
    }

    /// Runs `body`; a signal stops the query, a second one the program.
    private func interruptibly(_ session: QuerySession, _ body: () throws -> Void) throws {
        Termination.watch { count in
            session.interrupt()
            if count > 1 { Termination.exit(Failure.no) }
        }
        try body()
    }

    /// The statement of a named query, and values for its parameters.
    static func named(_ name: String, _ settings: [Setting]) throws -> (sql: String, values: [String: SQLValue]) {
        do {
            let query = try NamedQuery.named(name)
            return (query.sql, try query.values(Setting.byName(settings).mapValues(\.text)))
        } catch let error as NamedQuery.Failure { throw ValidationError(error.description) }
    }

    private func statements() throws -> String? {
        if let script {
            do { return try String(contentsOfFile: script, encoding: .utf8) } catch {
                throw ValidationError("Cannot read \(script): it must be a readable file of UTF-8 text.")
            }
        }
        guard sql == "-" else { return sql }
        return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    }
}
