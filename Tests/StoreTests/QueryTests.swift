import Foundation
import Model
import Schemas
import TestSupport
import Testing

@testable import Store

@Suite struct QueryTests {
    @Test func `rows of huge values are refused`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(1))
        let session = try QuerySession(path: path)
        let many = Array(repeating: "zeroblob(20000000) || ''", count: 40).joined(separator: ", ")
        for (sql, sentence) in [
            ("SELECT zeroblob(60000000)", "a value is longer than 24 MiB: ask for a part of it"),
            ("SELECT \(many)", "it needs more than 256 MiB of memory: ask for fewer or shorter values"),
        ] {
            #expect(throws: RecordingError(path, .query(sentence))) { try session.all(sql) }
        }
        #expect(try session.all("SELECT count(*) FROM dirty") == [[.integer(402)]])
    }

    @Test func `a damaged row of slots does not keep the rest from being asked`() throws {
        let path = scratch.path("slots.db")
        try Sample.write(path, Sample.batches(1))
        _ = try shell("sqlite3", [path, "UPDATE memslot SET base_gfn = 1 << 60"])
        #expect(try QuerySession(path: path).all("SELECT count(*) FROM dirty") == [[.integer(402)]])
    }

    @Test(arguments: [
        "SELECT swiftCapitalizedString('a')", "SELECT swiftLowercaseString('a')", "SELECT swiftUppercaseString('a')",
        "SELECT swiftLocalizedCapitalizedString('a')", "SELECT swiftLocalizedLowercaseString('a')",
        "SELECT swiftLocalizedUppercaseString('a')", "SELECT 'a' < 'b' COLLATE swiftCompare",
        "SELECT 'a' < 'b' COLLATE swiftCaseInsensitiveCompare",
        "SELECT 'a' < 'b' COLLATE swiftLocalizedCaseInsensitiveCompare",
        "SELECT 'a' < 'b' COLLATE swiftLocalizedCompare", "SELECT 'a' < 'b' COLLATE swiftLocalizedStandardCompare",
    ])
    func `SQL has nothing that other SQLite programs lack and that depends on a language`(sql: String) throws {
        let session = try session()
        let error = #expect(throws: RecordingError.self) { try session.all(sql) }
        #expect("\(try #require(error))".contains("no such "))
    }

    let scratch = Scratch()

    private func session(rows: Bool = true, iterations: Int = 5) throws -> QuerySession {
        let path = scratch.path("\(rows)\(iterations).db")
        try Sample.write(path, Sample.batches(iterations), rows: rows)
        return try QuerySession(path: path)
    }

    @Test func `every table, view and column is documented`() throws {
        let session = try session()
        let catalog = SchemaCatalog.objects
        for object in catalog {
            #expect(!object.description.isEmpty, "\(object.name) lacks a description")
            for column in object.columns {
                #expect(column.description.hasSuffix("."), "\(object.name).\(column.name) lacks a description")
            }
            let columns = try session.all("SELECT name FROM pragma_table_xinfo('\(object.name)')")
            #expect(object.columns.map { [SQLValue.text($0.name)] } == columns, "columns of \(object.name)")
        }
        let stored = try session.all(
            "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        let optional = Set(Schema.optionalTables)
        #expect(stored == catalog.map(\.name).filter { !optional.contains($0) }.sorted().map { [.text($0)] })
        #expect(Set(Schema.baseTables + Schema.optionalTables) == Set(catalog.filter { $0.kind == .table }.map(\.name)))
    }

    @Test(arguments: [
        "iteration = 3", "vcpu = 1", "ts_ns BETWEEN 3000 AND 4000", "since_ns = 2000 AND iteration = 2",
        "iteration = 3 AND gfn = 300",
    ])
    func `the view touches only the harvests asked for`(condition: String) throws {
        for rows in [true, false] {
            let plan = try session(rows: rows).all("EXPLAIN QUERY PLAN SELECT seq, gfn FROM dirty WHERE \(condition)")
            let steps = plan.compactMap { if case .text(let text) = $0[3] { text } else { nil } }
            #expect(steps.first?.hasPrefix("SEARCH h USING INDEX harvest_") == true, "\(steps)")
            let range =
                rows
                ? "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
                : "SCAN _segment_entry VIRTUAL TABLE INDEX 3:"
            #expect(steps.dropFirst().first == range, "\(steps)")
        }
    }

    @Test func `queries answer the same with and without plain rows`() throws {
        let (with, without) = (try session(), try session(rows: false))
        #expect(try with.all("SELECT count(*) FROM main.dirty_entry") == [[.integer(2010)]])
        #expect(try without.all("SELECT count(*) FROM main.dirty_entry") == [[.integer(0)]])
        for query in [
            "SELECT * FROM dirty ORDER BY seq", "SELECT * FROM dirty WHERE seq = 700", "SELECT * FROM dirty_entry",
            "SELECT seq FROM dirty_entry WHERE seq > 2000", "SELECT seq FROM dirty_entry WHERE seq < 4",
            "SELECT seq FROM dirty_entry WHERE seq >= 1.5 AND seq <= 3", "SELECT 1 FROM dirty_entry WHERE seq = -5",
            "SELECT gfn FROM dirty_entry WHERE seq BETWEEN 401 AND 404 ORDER BY seq DESC",
            "SELECT count(*), count(DISTINCT gfn), count(DISTINCT vcpu), count(DISTINCT iteration) FROM dirty",
            "SELECT seq FROM dirty_entry WHERE seq > 9223372036854775806", "SELECT * FROM dirty WHERE provisional",
            "SELECT seq FROM dirty_entry WHERE seq IN (5, 3, 2009) ORDER BY seq",
            "SELECT gfn FROM dirty_entry WHERE seq = 'x'",
        ] { #expect(try with.all(query) == without.all(query), "\(query)") }
    }

    @Test func `the view says what the harvests say`() throws {
        let session = try session()
        var expected: [[SQLValue]] = []
        var seq: Int64 = 0
        for (harvest, gfns) in Sample.batches(5).flatMap(\.harvests) {
            for (index, gfn) in gfns.enumerated() {
                seq += 1
                expected.append([
                    .integer(seq), .integer(harvest.iteration), .text(harvest.source.rawValue),
                    harvest.vcpu.map { .integer(Int64($0)) } ?? .null, .integer(harvest.sinceNs),
                    .integer(harvest.tsNs), .integer(1), .integer(Int64(gfn)), .integer(Int64(gfn) * 4096),
                    .integer(index >= gfns.count - harvest.provisionalCount ? 1 : 0),
                ])
            }
        }
        #expect(try session.all("SELECT * FROM dirty ORDER BY seq") == expected)
        // Stock SQLite reads the same, with no help of ours.
        let count = "SELECT count(*), sum(gfn), sum(gpa), sum(slot), sum(provisional) FROM dirty"
        let native = try session.all(count)[0].map { if case .integer(let value) = $0 { "\(value)" } else { "?" } }
        #expect(try shell("sqlite3", [session.file.path, count]) == native.joined(separator: "|") + "\n")
    }

    @Test func `every view answers on empty recordings too`() throws {
        for session in [try session(iterations: 0), try session(rows: false, iterations: 0)] {
            for object in SchemaCatalog.objects { _ = try session.all("SELECT * FROM \(object.name)") }
        }
    }

    @Test func `summaries agree with SQL over the rows`() throws {
        let session = try session()
        #expect(
            try session.all("SELECT iteration, entries, unique_pages FROM iteration_summary")
                == session.all("SELECT iteration, count(*), count(DISTINCT gfn) FROM dirty GROUP BY iteration"))
        #expect(
            try session.all(
                """
                SELECT gfn, entries, iterations, vcpu_count, first_iteration, last_iteration, first_ns, last_ns
                FROM page_summary
                """)
                == session.all(
                    """
                    SELECT gfn, count(*), count(DISTINCT iteration), count(DISTINCT vcpu), min(iteration),
                        max(iteration), min(ts_ns), max(ts_ns) FROM dirty GROUP BY gfn ORDER BY gfn
                    """))
        #expect(
            try session.all("SELECT vcpu, entries, unique_pages FROM vcpu")
                == session.all(
                    "SELECT vcpu, count(*), count(DISTINCT gfn) FROM dirty WHERE vcpu NOT NULL GROUP BY vcpu"))
        #expect(
            try session.all("SELECT sum(new_pages) FROM iteration_summary")
                == session.all("SELECT count(*) FROM page_summary"))
        #expect(
            try session.all("SELECT gfn FROM page_summary WHERE vcpu_mask & 2")
                == session.all("SELECT DISTINCT gfn FROM dirty WHERE vcpu = 1 ORDER BY gfn"))
    }

    @Test(arguments: [
        "INSERT INTO label VALUES ('a', 'b')", "UPDATE recording SET host = 'x'", "DELETE FROM harvest",
        "CREATE TABLE t(x)", "CREATE TEMP TABLE t(x)", "CREATE TEMP VIEW v AS SELECT 1", "DROP VIEW dirty",
        "ATTACH ':memory:' AS other", "DETACH main", "VACUUM INTO '/tmp/x.db'", "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 9", "PRAGMA writable_schema = 1", "PRAGMA trusted_schema = 1", "REINDEX", "ANALYZE",
        "SELECT load_extension('x')", "PRAGMA query_only = 0", "BEGIN", "SAVEPOINT a",
        "SELECT fts3_tokenizer('simple')", "INSERT INTO temp.sqlite_master VALUES (1, 2, 3, 4, 5)",
        "PRAGMA wal_checkpoint", "PRAGMA optimize", "SELECT 1; DROP TABLE harvest",
        "CREATE VIRTUAL TABLE temp.t USING fts5(x)",
    ])
    func `SQL that does not read is refused`(sql: String) throws {
        let session = try session()
        let before = try Data(contentsOf: URL(fileURLWithPath: session.file.path))
        let error = #expect(throws: RecordingError.self) { _ = try session.all(sql) }
        #expect(error?.description.hasPrefix("The query failed: ") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: session.file.path)) == before)
        #expect(try session.all("SELECT count(*) FROM iteration") == [[.integer(5)]])
    }

    @Test func `errors in SQL are told in SQLite's words`() throws {
        let session = try session()
        #expect(throws: RecordingError(session.file.path, .query("no such table: elsewhere"))) {
            try session.all("SELECT * FROM elsewhere")
        }
        #expect(throws: RecordingError(session.file.path, .query("only statements that read are allowed"))) {
            try session.all("DELETE FROM harvest")
        }
    }

    @Test func `statements, parameters and values of every type pass`() throws {
        let session = try session()
        var names: [[String]] = []
        var rows: [[SQLValue]] = []
        try session.run(
            "SELECT :a AS a, $b AS b; -- a remark\n SELECT NULL, 1.5, x'00ff', 'ü'; ;",
            parameters: ["a": .text("x'; DROP"), "b": .blob([1, 2])], columns: { names.append($0) },
            row: { rows.append($0) })
        #expect(names == [["a", "b"], ["NULL", "1.5", "x'00ff'", "'ü'"]])
        #expect(rows == [[.text("x'; DROP"), .blob([1, 2])], [.null, .real(1.5), .blob([0, 255]), .text("ü")]])
        #expect(
            throws: RecordingError(
                session.file.path, .query("it has the parameter 'limit', but no value for it was given"))
        ) {
            try session.all("SELECT * FROM dirty LIMIT :limit")
        }
    }

    private static let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"

    @Test func `a query stops at its time limit`() throws {
        let session = try session()
        #expect(throws: RecordingError(session.file.path, .timeout)) {
            try session.all(Self.endless, timeout: .milliseconds(50))
        }
        #expect(try session.all("SELECT 1") == [[.integer(1)]])
    }

    @Test func `a query is interrupted from another thread`() throws {
        let session = try session()
        // Before the query has begun an interruption hits nothing: it is repeated until it has ended.
        let thread = Thread {
            while !Thread.current.isCancelled {
                Thread.sleep(forTimeInterval: 0.05)
                session.interrupt()
            }
        }
        thread.start()
        defer { thread.cancel() }
        #expect(throws: RecordingError(session.file.path, .interrupted)) {
            try session.all(Self.endless, timeout: .seconds(300))
        }
    }

    /// Where there are many slots, a session finds them without SQLite's search; the file's own view is the other way.
    @Test func `the slot of an entry is the same with many slots`() throws {
        var random = Seeded(3)
        // They come and go, move, and lie over each other in two address spaces.
        let slots = (0..<200).map { number in
            MemorySlot(
                slot: number % 50, addressSpace: number % 2, generation: number / 50 + 1,
                baseGFN: .random(in: 0...600, using: &random), pages: .random(in: 1...120, using: &random),
                logged: true,
                createdNs: .random(in: 0...4000, using: &random),
                deletedNs: Bool.random(using: &random) ? .random(in: 1000...9000, using: &random) : nil)
        }
        let path = scratch.path("slots.db")
        try Sample.write(path, Sample.batches(6), slots: slots)
        let sql = "SELECT seq, ifnull(slot, '-') FROM dirty ORDER BY seq"
        let stored = try shell("sqlite3", ["-separator", " ", path, sql]).split(separator: "\n")
        let session = try QuerySession(path: path)
        let found = try session.all(sql).map { row -> String in
            row.map { if case .integer(let number) = $0 { "\(number)" } else { "-" } }.joined(separator: " ")
        }
        #expect(found == stored.map(String.init))
        #expect(Set(found.map { $0.split(separator: " ")[1] }).count > 20)
        let plan = try session.all("EXPLAIN QUERY PLAN SELECT slot FROM dirty")
        #expect(!"\(plan)".contains("SCAN s") && !"\(plan)".contains("SUBQUERY"), "\(plan)")
    }
}
