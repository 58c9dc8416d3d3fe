import Foundation
import Model
import Store

/// What answers fleet queries.
package enum FleetEngine: Sendable {
    case duckdb
    /// Spark: a master such as `spark://host:7077`, or `local[*]`.
    case spark(master: String)

    /// A query with values for its parameters.
    package struct Question: Sendable {
        package let query: NamedQuery
        package let values: [String: SQLValue]

        /// Asks `query`, with defaults for what `settings` leaves out.
        ///
        /// - Throws: `NamedQuery.Failure`.
        package init(_ query: NamedQuery, settings: [String: String] = [:]) throws {
            self.query = query
            values = try query.values(settings)
        }
    }

    /// Answers questions one after the other.
    ///
    /// - Parameters:
    ///   - columns: Receives the number of the question and its column names, before its rows.
    ///   - row: Receives each row.
    /// - Throws: ``FleetError``, and what `columns` and `row` throw.
    package func answer(
        _ questions: [Question], in folder: FleetFolder, columns: (Int, [String]) throws -> Void,
        row: ([SQLValue]) throws -> Void
    ) throws {
        var answered = 0
        try FleetHelper.run(try Request(self, questions, folder)) { data in
            let line = try JSONDecoder().decode(Line.self, from: data)
            if let names = line.columns { try columns(answered, names) }
            if let values = line.row { try row(values.map(\.value)) }
            if line.end != nil { answered += 1 }
        }
        guard answered == questions.count else {
            throw FleetError("The engine ended before it had answered everything.")
        }
    }

    private struct Request: Encodable {
        struct Parameter: Encodable {
            let name: String
            let type: String
            let value: EngineValue
        }
        struct Query: Encodable {
            let sql: String
            let parameters: [Parameter]
        }
        let `do`: String
        let master: String
        let settings: [String: String]
        let folder: String
        let tables: [String]
        let queries: [Query]

        init(_ engine: FleetEngine, _ questions: [Question], _ folder: FleetFolder) throws {
            self.folder = folder.path
            tables = try RecordingContent.tableNames
            queries = questions.map { question in
                Query(
                    sql: question.query.sql,
                    parameters: question.query.parameters.map {
                        Parameter(
                            name: $0.name, type: $0.kind == .text ? "text" : $0.kind == .real ? "real" : "integer",
                            value: EngineValue(value: question.values[$0.name] ?? .null))
                    })
            }
            switch engine {
            case .duckdb:
                (self.do, master, settings) = ("duckdb", "", [:])
            case .spark(let master):
                // Two hundred tasks, the default, are a cluster's measure.
                let isLocal = master.hasPrefix("local")
                (self.do, self.master) = ("spark", master)
                settings = isLocal ? ["spark.sql.shuffle.partitions": "8"] : [:]
            }
        }
    }

    private struct Line: Decodable {
        let columns: [String]?
        let row: [EngineValue]?
        let end: Bool?
    }
}

/// A value on its way to or from an engine. Real numbers are marked, so that 5.0 stays one.
private struct EngineValue: Codable {
    private struct Real: Codable { let real: Double }
    let value: SQLValue

    init(value: SQLValue) { self.value = value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            value = .null
        } else if let number = try? container.decode(Int64.self) {
            value = .integer(number)
        } else if let text = try? container.decode(String.self) {
            value = .text(text)
        } else {
            value = .real(try container.decode(Real.self).real)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch value {
        case .null, .blob: try container.encodeNil()
        case .integer(let number): try container.encode(number)
        case .real(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        }
    }
}
