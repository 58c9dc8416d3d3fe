import ArgumentParser
import Fleet
import Model
import Platform
import Report
import Store

struct FleetCommand: ParsableCommand {
    /// Who answers.
    enum Engine: String, ExpressibleByArgument, CaseIterable { case duckdb, spark }

    static let configuration = CommandConfiguration(
        commandName: "fleet",
        abstract: "Ask many recordings at once, in a folder made by export --parquet.",
        discussion: """
            The same named queries run on DuckDB, which is embedded, and on Spark, and print the same table. docs/scale.md \
            says how far each goes, docs/sql.md describes the queries.

            Examples:
              dirtyrec fleet --list
              dirtyrec fleet fleet --query worst_convergers --set bandwidth=25Gbit/s
              dirtyrec fleet fleet --query overview --engine spark --master spark://host:7077
              dirtyrec fleet fleet --html fleet/index.html
            """)

    @Argument(help: "Folder of exported recordings.", completion: .directory)
    var folder: String?

    @Option(
        help: ArgumentHelp("Run this fleet query; may be repeated.", valueName: "name"), completion: .fleetQuery)
    var query: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Value of a parameter, as NAME=VALUE; may be repeated.", valueName: "name=value"),
        transform: Setting.init(parsing:))
    var settings: [Setting] = []

    @Option(help: "duckdb or spark.")
    var engine = Engine.duckdb

    @Option(help: ArgumentHelp("Spark's master, such as spark://host:7077 (default: local[*]).", valueName: "url"))
    var master: String?

    @Option(help: "table, csv, tsv, json, jsonl or markdown (default: table).")
    var format: TableFormat?

    @Flag(help: "With csv or tsv: put ' before text that a spreadsheet would run as a formula (=, +, -, @).")
    var spreadsheet = false

    @Option(
        help: ArgumentHelp("Write an overview of all recordings to this file.", valueName: "page"), completion: .page)
    var html: String?

    @Flag(help: "List the fleet queries.")
    var list = false

    func validate() throws {
        guard list || folder != nil else { throw ValidationError("Name a folder of exported recordings.") }
        guard list || !query.isEmpty || html != nil else {
            throw ValidationError("Give --query NAME or --html PAGE; see the names with: dirtyrec fleet --list")
        }
        guard !list || (query.isEmpty && html == nil) else {
            throw ValidationError("--list lists the queries: leave --query and --html out.")
        }
        guard html == nil || format == nil else { throw ValidationError("--format belongs to --query.") }
        guard !spreadsheet || format == .csv || format == .tsv else {
            throw ValidationError("--spreadsheet belongs to --format csv or tsv.")
        }
        guard html == nil || query.isEmpty else { throw ValidationError("Give either --query or --html.") }
        guard master == nil || engine == .spark else { throw ValidationError("--master belongs to --engine spark.") }
        guard settings.isEmpty || !query.isEmpty else { throw ValidationError("--set belongs to --query.") }
    }

    func run() throws {
        if list { return Catalog.listFleet(format ?? .table) }
        let questions: [FleetEngine.Question]
        _ = try Setting.byName(settings)
        do {
            let queries = try query.map(NamedQuery.fleet(named:))
            questions = try queries.map { query in
                // A setting is for every query that has the parameter; one that none has is for the first to refuse.
                let own = settings.filter { setting in
                    func has(_ query: NamedQuery) -> Bool { query.parameters.contains { $0.name == setting.name } }
                    return has(query) || !queries.contains(where: has)
                }
                return try .init(query, settings: Dictionary(own.map { ($0.name, $0.text) }) { $1 })
            }
        } catch let error as NamedQuery.Failure { throw ValidationError(error.description) }
        let target = try FleetFolder(reading: folder ?? "")
        if let html { return try FleetOverview(folder: target, engine: chosen).write(html) }
        try answer(questions, in: target)
    }

    private var chosen: FleetEngine { engine == .duckdb ? .duckdb : .spark(master: master ?? "local[*]") }

    private func answer(_ questions: [FleetEngine.Question], in folder: FleetFolder) throws {
        let output = Output.standard
        let format = format ?? .table
        var table: TableFormatter?
        var place: Int?
        try chosen.answer(questions, in: folder) { number, columns in
            table?.finish()
            if number > 0, format == .table { output.write("\n") }
            // Who reads a table knows files, not ids; other formats are the query's columns and nothing else.
            place = format == .table ? columns.firstIndex(of: "recording").map { $0 + 1 } : nil
            var columns = columns
            if let place { columns.insert("file", at: place) }
            table = TableFormatter(format, columns: columns, neutralizes: spreadsheet, write: output.write)
        } row: { row in
            var row = row
            if let place {
                var name: String?
                if case .text(let id) = row[place - 1] { name = folder.fileName(of: id) }
                row.insert(name.map { .text($0) } ?? .null, at: place)
            }
            table?.add(row)
            try output.check()
        }
        table?.finish()
    }
}
