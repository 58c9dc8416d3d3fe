import Analysis
import ArgumentParser
import Model
import Platform
import Report
import Store

struct Export: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable { case csv, jsonl, perfetto }
    enum EntryOrder: String, ExpressibleByArgument, CaseIterable { case ring, written }

    static let configuration = CommandConfiguration(
        abstract:
            "Write recordings for other tools: entries as CSV, JSON lines or Parquet, or a timeline for Perfetto.",
        discussion: """
            csv and jsonl have the columns of the view dirty (docs/sql.md), also without plain rows. perfetto is a Chrome \
            trace for ui.perfetto.dev: dirty rates, harvests, full rings, markers and losses. For other rows use: \
            dirtyrec sql FILE --csv QUERY

            --parquet makes a folder for DuckDB and Spark: DIR/recording=<id>/ with a file for every table, entries in \
            'dirty'. Any number of recordings; what is there already and unchanged is left alone, and what cannot be \
            exported is said and makes the exit status 1. It needs DuckDB for Python (scripts/setup-fleet).

            Examples:
              dirtyrec export demo.db --format perfetto -o demo.json
              dirtyrec export --parquet fleet before.db after.db
            """)

    @Argument(help: "The recording; with --parquet, any number.", completion: .recording)
    var files: [String]

    @Option(help: "csv, jsonl or perfetto.")
    var format: Format?

    @Option(name: .shortAndLong, help: "File to write; - is standard output.", completion: .file())
    var output: String?

    @Option(
        help: "With csv and jsonl: as entries stand in their ring, or as written, PML batches turned round.")
    var order = EntryOrder.ring

    @Option(
        help: ArgumentHelp("Folder to add the recordings to, as Parquet.", valueName: "dir"), completion: .directory)
    var parquet: String?

    @Option(help: ArgumentHelp("With --parquet: recordings exported at once (default: one a CPU).", valueName: "n"))
    var jobs: Int?

    @Flag(help: "With --parquet: add each recording's HTML report, for `dirtyrec fleet --html` to link to.")
    var pages = false

    @Flag(help: "Replace an existing file, or with --parquet recordings that are there and unchanged.")
    var force = false

    func validate() throws {
        if parquet != nil {
            guard format == nil, output == nil else {
                throw ValidationError("--parquet writes a folder: leave --format and -o out.")
            }
        } else {
            guard format != nil, output != nil else {
                throw ValidationError("Give --format and -o, or --parquet DIR.")
            }
            guard files.count == 1 else { throw ValidationError("Give one recording; --parquet takes any number.") }
        }
        guard order == .ring || (parquet == nil && format != .perfetto) else {
            throw ValidationError("--order belongs to csv and jsonl.")
        }
        guard parquet != nil || (jobs == nil && !pages) else {
            throw ValidationError("--jobs and --pages belong to --parquet.")
        }
        guard (1...256).contains(jobs ?? 1) else {
            throw ValidationError("--jobs \(jobs ?? 0) is not usable: give 1 to 256.")
        }
    }

    func run() throws {
        if let parquet {
            return try ParquetExport(files: files, into: parquet, jobs: jobs, force: force, pages: pages).run()
        }
        guard let file = files.first, let output else { return }
        let recording = try RecordingFile(path: file)
        try FileName.keep([file], from: output)
        let target = try Output.open(output, existing: force ? .replaced : .kept)
        try write(recording, file, to: target)
        try target.finish()
    }

    private func write(_ recording: RecordingFile, _ file: String, to target: Output) throws {
        if format == .perfetto { return try ChromeTrace.render(recording, write: target.write) }
        let total = try recording.counts.entries
        let session = try QuerySession(path: file)
        Termination.watch { _ in session.interrupt() }
        var table: TableFormatter?
        var done: Int64 = 0
        var written = order == .written ? try WrittenRows(recording) : nil
        try session.run("SELECT * FROM dirty") { columns in
            table = TableFormatter(format == .csv ? .csv : .jsonl, columns: columns, write: target.write)
            written?.gfnColumn = columns.firstIndex(of: "gfn") ?? 0
        } row: { row in
            if written == nil { table?.add(row) }
            for row in written?.add(row) ?? [] { table?.add(row) }
            try target.check()
            done += 1
            if done % 100_000 == 0 {
                Terminal.live("exported \(Units.count(done)) of \(Units.counted(total, "entry", "entries"))")
            }
        }
        for row in written?.rest() ?? [] { table?.add(row) }
        table?.finish()
        Terminal.endLive()
        if let written { Terminal.say(written.summary) }
    }
}

/// Holds back the rows of one harvest at a time and gives them in the order in which they were written.
private struct WrittenRows {
    /// Harvests with entries, in order.
    private struct List: RecordingVisitor {
        var harvests: [Harvest] = []
        mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { if !gfns.isEmpty { harvests.append(harvest) } }
        mutating func visit(_ iteration: Iteration) throws {}
    }

    /// Where a row says its page.
    var gfnColumn = 0
    private let harvests: [Harvest]
    private var restorer: WriteOrder
    private var next = 0
    private var held: [[SQLValue]] = []

    init(_ recording: RecordingFile) throws {
        var list = List()
        try recording.replay(into: &list)
        harvests = list.harvests
        restorer = WriteOrder(recording.info, try Analyzer.order(recording))
    }

    /// Takes a row. - Returns: all rows of its harvest once it is complete.
    mutating func add(_ row: [SQLValue]) -> [[SQLValue]] {
        held.append(row)
        // A recording that grows has harvests that were not there before.
        guard next < harvests.count else {
            defer { held = [] }
            return held
        }
        guard held.count == harvests[next].entryCount else { return [] }
        let gfns = held.map { row -> GFN in
            if case .integer(let gfn) = row[gfnColumn] { GFN(bitPattern: gfn) } else { 0 }
        }
        let rows = restorer.places(harvests[next], gfns: gfns).map { held[$0] }
        next += 1
        held = []
        return rows
    }

    /// What a harvest is short of: nothing, unless the file changed meanwhile.
    mutating func rest() -> [[SQLValue]] {
        defer { held = [] }
        return held
    }

    var summary: String {
        let share = restorer.entries == 0 ? 0 : Double(restorer.proven) / Double(restorer.entries)
        return "The place among the writes of their harvest is proven for \(Units.count(restorer.proven)) of "
            + "\(Units.counted(restorer.entries, "ring entry", "ring entries")) (\(Units.percent(share)))."
    }
}
