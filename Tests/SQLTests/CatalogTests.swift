import Foundation
import GRDB
import GRDBSQLite
import Model
import Schemas
import TestSupport
import Testing

@testable import Store

/// What is public in SQL is documented, listed, and answers on every kind of file.
@Suite struct CatalogTests {
    private let folder = Scratch()
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func `every file in schemas/queries is a named query`() throws {
        let base = Self.root.appendingPathComponent("schemas/queries")
        let files = try #require(FileManager.default.subpaths(atPath: base.path)).filter { $0.hasSuffix(".sql") }
        #expect(files.map { String($0.dropLast(4)) }.sorted() == Schemas.queries.map(\.name).sorted())
        for query in Schemas.queries {
            let file = try String(contentsOf: base.appendingPathComponent(query.name + ".sql"), encoding: .utf8)
            #expect(query.sql == file, "\(query.name) leads to another file")
        }
        let areas = Set(NamedQuery.all.map { String($0.name.prefix { $0 != "/" }) })
        #expect(areas == ["working_set", "duplicates", "order", "convergence", "snapshots", "cost", "pages"])
    }

    @Test(arguments: NamedQuery.all.map(\.name))
    func `a named query documents its parameters and columns`(name: String) throws {
        let query = try NamedQuery.named(name)
        #expect(query.description.hasSuffix("."))
        #expect(!query.columns.isEmpty)
        for column in query.columns { #expect(column.description.hasSuffix("."), "\(column.name)") }
        for parameter in query.parameters {
            #expect(parameter.description.hasSuffix("."), "\(parameter.name)")
            #expect(query.sql.contains("-   \(parameter.name) "), "\(parameter.name)")
            #expect(query.sql.contains("  \(parameter.kind.rawValue) = "), "\(parameter.name) has an unknown type")
            _ = try parameter.value(parameter.defaultText)
        }
        let used = Set(query.sql.matches(of: /:([a-z]\w*)/).map { String($0.1) })
        #expect(used == Set(query.parameters.map(\.name)))
        for line in query.sql.split(separator: "\n") { #expect(line.count <= 120, "\(line)") }
    }

    @Test(arguments: Recordings.Ending.allCases)
    func `views and queries answer on every kind of file with the documented columns`(ending: Recordings.Ending) throws
    {
        for (number, recording) in [Recordings.random(seed: 1, iterations: 0), Recordings.random(seed: 7)].enumerated()
        {
            let path = folder.path + "/\(number).db"
            try Recordings.write(path, recording, ending: ending)
            let session = try QuerySession(path: path)
            for query in NamedQuery.all {
                var names: [String] = []
                try session.run(query.sql, parameters: query.values([:]), columns: { names = $0 }, row: { _ in })
                #expect(names == query.columns.map(\.name), "\(query.name)")
            }
            for object in SchemaCatalog.objects {
                var names: [String] = []
                try session.run("SELECT * FROM \(object.name)", columns: { names = $0 }, row: { _ in })
                #expect(names == object.columns.map(\.name), "\(object.name)")
            }
        }
    }

    @Test func `every file in schemas/fleet is a fleet query`() throws {
        let base = Self.root.appendingPathComponent("schemas/fleet")
        let files = try FileManager.default.contentsOfDirectory(atPath: base.path)
        #expect(files.sorted() == NamedQuery.fleet.map { $0.name + ".sql" }.sorted())
        for query in NamedQuery.fleet {
            let file = try String(contentsOf: base.appendingPathComponent(query.name + ".sql"), encoding: .utf8)
            #expect(query.sql == file, "\(query.name) leads to another file")
        }
    }

    @Test(arguments: NamedQuery.fleet.map(\.name))
    func `a fleet query is documented and means the same to every engine`(name: String) throws {
        let query = try NamedQuery.fleet(named: name)
        #expect(query.description.hasSuffix(".") && !query.columns.isEmpty)
        for column in query.columns { #expect(column.description.hasSuffix("."), "\(column.name)") }
        for parameter in query.parameters {
            #expect(parameter.description.hasSuffix("."), "\(parameter.name)")
            #expect(query.sql.contains("  \(parameter.kind.rawValue) = "), "\(parameter.name) has an unknown type")
            #expect(query.sql.contains("q.\(parameter.name)"), "\(parameter.name) is not used")
            _ = try parameter.value(parameter.defaultText)
        }
        let lines = query.sql.split(separator: "\n")
        for line in lines { #expect(line.count <= 120, "\(line)") }
        let statement = lines.filter { !$0.hasPrefix("--") }.joined(separator: "\n")
        // Engines divide integers differently, and call parameters differently.
        for match in statement.matches(of: /\/\s*(\S+)/) {
            #expect(
                match.1.hasPrefix("CAST(") || match.1.hasPrefix("nullif(CAST(") || match.1.hasPrefix("1e9")
                    || match.1.hasPrefix("nullif(b.unique_bytes"), "\(match.0)")
        }
        #expect(!statement.contains(":") && !statement.contains("%"))
        #expect(statement.hasSuffix(";") && statement.contains("ORDER BY"))
    }

    @Test func `queries answer the same with and without plain rows`() throws {
        let recording = Recordings.random(seed: 3)
        var answers: [[[[SQLValue]]]] = []
        for ending in [Recordings.Ending.rows, .noRows] {
            let path = folder.path + "/\(ending).db"
            try Recordings.write(path, recording, ending: ending)
            let session = try QuerySession(path: path)
            answers.append(
                try NamedQuery.all.map { try session.rows($0.name, $0.name == "pages/history" ? ["gfn": "70"] : [:]) })
        }
        #expect(answers[0] == answers[1])
    }

    /// What a self-join without an index costs: order/restored took minutes for 25,000 entries.
    @Test(arguments: NamedQuery.all.map(\.name)) func `a query's work grows with the recording, not with its square`(
        name: String
    ) throws {
        let query = try NamedQuery.named(name)
        var settings = name == "pages/history" ? ["gfn": "70"] : [:]
        for (parameter, value) in [("ticks", "1000"), ("cadence", "100ms")]
        where query.parameters.contains(where: { $0.name == parameter }) { settings[parameter] = value }
        let work = try [60, 240].map { iterations in
            let path = folder.path + "/\(iterations).db"
            try Recordings.write(path, Recordings.random(seed: 5, iterations: iterations))
            let session = try QuerySession(path: path)
            return try session.file.connection.queue.unsafeReentrantRead { db in
                let statement = try db.makeStatement(sql: query.sql)
                let values = try query.values(settings).mapValues(\.bound)
                let rows = try Row.fetchCursor(statement, arguments: StatementArguments(values))
                while try rows.next() != nil {}
                return unsafe Double(
                    sqlite3_stmt_status(statement.sqliteStatement, Int32(SQLITE_STMTSTATUS_VM_STEP), 0))
            }
        }
        #expect(work[1] < 8 * work[0], "\(work)")
    }

    @Test func `docs/sql.md is what the catalog says`() throws {
        let page = try String(contentsOf: Self.root.appendingPathComponent("docs/sql.md"), encoding: .utf8)
        #expect(page == SQLReference.markdown, "docs/sql.md is stale: run scripts/gen-docs")
    }

    @Test func `samples/datasette is what the catalog says`() throws {
        let file = Self.root.appendingPathComponent("samples/datasette/metadata.yaml")
        let yaml = try String(contentsOf: file, encoding: .utf8)
        #expect(yaml == DatasetteMetadata.yaml, "samples/datasette/metadata.yaml is stale: run scripts/gen-docs")
    }

    @Test func `settings are values, never SQL`() throws {
        let query = try NamedQuery.named("pages/history")
        #expect(try query.values(["gfn": "0x10"])["gfn"] == .integer(16))
        for bad in ["1; DROP TABLE harvest", "1 OR 1", "", "1e3"] {
            #expect(throws: NamedQuery.Failure.self) { try query.values(["gfn": bad]) }
        }
        #expect(
            throws: NamedQuery.Failure(description: "pages/history has no parameter 'page'; it has gfn, limit.")
        ) { try query.values(["page": "1"]) }
        #expect(
            try NamedQuery.named("convergence/link").values(["bandwidth": "1Gbit/s", "downtime": "2s"])
                == ["bandwidth": .integer(125_000_000), "downtime": .integer(2_000_000_000)])
        #expect(throws: NamedQuery.Failure.self) { try NamedQuery.named("pages/../x") }
    }

    @Test(arguments: [
        ("working_set/window", "ticks", ["0", "-1"], "1"), ("snapshots/diffs", "block", ["0", "0B"], "4KiB"),
        ("snapshots/diffs", "cadence", ["0s"], "1ns"), ("pages/regions", "bytes", ["0"], "4KiB"),
        ("snapshots/diffs", "coalesce", [], "0B"), ("pages/history", "gfn", ["-1"], "0"),
    ])
    func `lengths of nothing are refused, as the commands refuse them`(
        name: String, parameter: String, bad: [String], good: String
    ) throws {
        let query = try NamedQuery.named(name)
        for value in bad {
            #expect(throws: NamedQuery.Failure.self, "\(value)") { try query.values([parameter: value]) }
        }
        #expect(throws: Never.self) { try query.values([parameter: good]) }
    }

    @Test func `Tab completes what stands before the cursor`() {
        func complete(_ line: String) -> [String] {
            SQLCompletion.candidates(for: line, commands: [".mode", ".help"]).candidates
        }
        #expect(complete("SELECT * FROM iteration_") == ["iteration_rate", "iteration_summary"])
        #expect(complete("SELECT vcpu_rate.ent") == ["vcpu_rate.entries", "vcpu_rate.entries_per_s"])
        #expect(complete("sele") == ["select"])
        #expect(complete(".m") == [".mode"])
        #expect(complete(".query pages/h") == ["pages/history", "pages/hottest"])
        #expect(complete("SELECT ").isEmpty)
        #expect(SQLCompletion.commonPrefix(["iteration_rate", "iteration_summary"]) == "iteration_")
    }
}

extension SQLValue {
    /// As GRDB binds it.
    fileprivate var bound: (any DatabaseValueConvertible)? {
        switch self {
        case .null: nil
        case .integer(let value): value
        case .real(let value): value
        case .text(let text): text
        case .blob(let bytes): Data(bytes)
        }
    }
}
