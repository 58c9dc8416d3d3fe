import Model
import Platform
import Report
import Store

/// The result of one SQL cell, as far as it is shown.
struct CellResult {
    var name: String
    /// What stands behind the fence in the notebook: language, name and settings.
    var info: String
    var sql: String
    var columns: [String] = []
    /// The first rows: at most ``CellRunner/mostRows``.
    var rows: [[SQLValue]] = []
    var count: Int64 = 0
    /// Why there are none.
    var error: String?
}

/// A chart, or why there is none.
struct ChartRequest {
    /// The Vega-Lite specification with the data in it, as JSON; nil when it cannot be drawn.
    var specification: String?
    var result: CellResult?
    var error: String?
}

/// Runs the cells of a notebook one after the other and remembers their results.
struct CellRunner {
    /// Rows of a result that are read for tables, charts and sentences.
    static let mostRows = 10_000
    /// What the kept rows of one cell may take.
    static let mostBytes = 64 << 20

    let session: QuerySession
    let parameters: [String: SQLValue]
    let timeout: Duration
    let progress: (Notebook.Progress) -> Void
    private(set) var failures = 0
    private var results: [String: CellResult] = [:]
    private var cells = 0

    init(
        session: QuerySession, parameters: [String: SQLValue], timeout: Duration,
        progress: @escaping (Notebook.Progress) -> Void
    ) {
        (self.session, self.parameters, self.timeout, self.progress) = (session, parameters, timeout, progress)
    }

    /// Runs a cell; its error becomes part of its result.
    ///
    /// - Throws: ``RecordingError`` when the user interrupted it.
    mutating func run(_ block: MarkdownDocument.CodeBlock) throws -> CellResult {
        cells += 1
        let words = block.info.dropFirst()
        let name = words.first.map { $0.contains("=") ? nil : $0 } ?? nil
        var result = CellResult(
            name: name ?? "cell_\(cells)", info: block.info.joined(separator: " "), sql: block.text)
        let clock = ContinuousClock()
        let start = clock.now
        do {
            if results[result.name] != nil {
                throw Notebook.Failure(description: "There is a cell of that name already.")
            }
            try fill(&result, settings: name == nil ? Array(words) : Array(words.dropFirst()))
            results[result.name] = result
        } catch let error as RecordingError {
            if error.problem == .interrupted { throw error }
            result.error = error.description
        } catch { result.error = "\(error)" }
        if result.error != nil { failures += 1 }
        progress(
            Notebook.Progress(
                cell: result.name, rows: result.count, duration: clock.now - start, error: result.error))
        return result
    }

    private func fill(_ result: inout CellResult, settings: [String]) throws {
        var values = parameters
        let pairs = settings.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        guard pairs.allSatisfy({ $0.count == 2 }) else {
            throw Notebook.Failure(description: "After the cell's name, write query=AREA/NAME and PARAMETER=VALUE.")
        }
        var sql = result.sql
        var named = Dictionary(pairs.map { ($0[0], $0[1]) }) { $1 }
        if let name = named.removeValue(forKey: "query") {
            let query = try NamedQuery.named(name)
            values = try query.values(named)
            sql = query.sql
        } else if !named.isEmpty {
            throw Notebook.Failure(description: "Settings belong to a named query: write query=AREA/NAME too.")
        }
        try session.define(result.name, as: sql, parameters: values, timeout: timeout)
        let table = "temp.\"\(result.name)\""
        var (columns, rows): ([String], [[SQLValue]]) = ([], [])
        var bytes = 0
        try session.run("SELECT * FROM \(table) LIMIT \(Self.mostRows)", timeout: timeout) {
            columns = $0
        } row: { row in
            bytes += row.reduce(0) { $0 + $1.byteCount }
            guard bytes <= Self.mostBytes else {
                throw Notebook.Failure(
                    description:
                        "The result takes more than \(Units.size(Int64(Self.mostBytes))): select fewer or shorter values."
                )
            }
            rows.append(row)
        }
        (result.columns, result.rows) = (columns, rows)
        var count: Int64 = 0
        try session.run("SELECT count(*) FROM \(table)", timeout: timeout) { _ in
        } row: { row in
            if case .integer(let number) = row[0] { count = number }
        }
        result.count = count
    }

    /// The chart of a `vega-lite` block.
    mutating func chart(_ block: MarkdownDocument.CodeBlock) -> ChartRequest {
        let name = block.info.dropFirst().first ?? ""
        guard let result = results[name] else {
            failures += 1
            return ChartRequest(error: "There is no result of a cell '\(name)' above; write: vega-lite CELL")
        }
        do {
            return ChartRequest(specification: try Chart.specification(block.text, data: result), result: result)
        } catch {
            failures += 1
            return ChartRequest(result: result, error: "\(error)")
        }
    }

    /// `text` with values in the place of `${cell.column}` and `${parameter}`.
    mutating func substitute(_ text: String, parameters: [String: String]) -> String {
        var output = ""
        var rest = Substring(text)
        while let start = rest.firstRange(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            output += rest[..<start.lowerBound]
            let reference = rest[start.upperBound..<end]
            if let value = value(of: reference, parameters) {
                output += value
            } else {
                failures += 1
                output += "[there is no value \(reference)]"
            }
            rest = rest[rest.index(after: end)...]
        }
        return output + rest
    }

    private func value(of reference: Substring, _ parameters: [String: String]) -> String? {
        let words = reference.split(separator: ".", maxSplits: 1).map(String.init)
        if words.count == 1 { return parameters[words[0]] }
        guard words.count == 2, let result = results[words[0]],
            let column = result.columns.firstIndex(of: words[1]), let row = result.rows.first
        else { return nil }
        return Sanitizer.line(Shown.text(row[column]))
    }
}
