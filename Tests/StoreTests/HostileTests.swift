import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// Files that nobody should trust: an error or an honest answer, never a crash, never a change.
@Suite struct HostileTests {
    let scratch = Scratch()

    private func error(_ path: String) -> RecordingError? {
        do {
            _ = try RecordingFile(path: path)
            return nil
        } catch { return error as? RecordingError }
    }

    private func file(_ name: String, _ bytes: Data) throws -> String {
        try bytes.write(to: URL(fileURLWithPath: scratch.path(name)))
        return scratch.path(name)
    }

    private func sqlite(_ name: String, _ sql: String) throws -> String {
        try #require(try shell("sqlite3", [scratch.path(name), sql]) == "")
        return scratch.path(name)
    }

    @Test func `walks through pages in circles end, also those of who may write`() throws {
        let path = scratch.path("circles.db")
        try Sample.write(path, Sample.batches(3000, entries: 4))
        try PageCircles.make(in: path)
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        // SQLite's own count of the rows takes half a minute, and says that all is well.
        for write in [{ _ = try Recovery.recover(path: path) }, { try Recovery.expandRows(path: path, rebuild: true) }]
        {
            do {
                try write()
                Issue.record("pages in circles were called complete")
            } catch let error as RecordingError {
                #expect(error.isDamage, "\(error)")
            }
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        #expect(try Verifier.verify(path: path) != [])
    }

    @Test func `what cannot be read is told in one sentence with the next step`() throws {
        let missing = scratch.path("missing.db")
        #expect(error(missing)?.description == "\(missing) does not exist.")
        #expect(error(missing)?.hint == "Make a recording with: dirtyrec record -o FILE")
        #expect(error(scratch.path)?.description == "\(scratch.path) is not a regular file.")
        let text = try file("text.db", Data(String(repeating: "hello ", count: 100).utf8))
        #expect(error(text)?.description == "\(text) is not an SQLite database.")
        let empty = try file("empty.db", Data())
        #expect(error(empty)?.description == "\(empty) is not an SQLite database.")
        let other = try sqlite("other.db", "CREATE TABLE t(x)")
        #expect(error(other)?.description == "\(other) is an SQLite database, but not a recording of dirtyrec.")

        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2))
        let good = try Data(contentsOf: URL(fileURLWithPath: path))
        let short = try file("short.db", good.prefix(good.count - 5000))
        #expect(
            error(short)?.description
                == "\(short) is damaged: it ends after \(good.count - 5000) of \(good.count) bytes.")
        #expect(error(short)?.hint == "See what is left with: dirtyrec verify \(short)")
        _ = try shell("sqlite3", [path, "PRAGMA user_version = 2"])
        #expect(
            error(path)?.description == "\(path) has schema version 2; this dirtyrec knows versions up to 1.")
        #expect(error(path)?.hint == "Read it with the dirtyrec that wrote it, or a newer one.")
        _ = try shell("sqlite3", [path, "PRAGMA user_version = 0"])
        #expect(error(path)?.description == "\(path) has schema version 0; this dirtyrec reads version 1.")
        #expect(error(path)?.hint == "Bring it up to date with: dirtyrec recover \(path)")
        let pipe = scratch.path("pipe.db")
        _ = try shell("mkfifo", [pipe])
        #expect(error(pipe)?.problem == .notAFile)
        #expect(throws: RecordingError(text, .notADatabase)) { try Recovery.recover(path: text) }
        #expect(throws: RecordingError(other, .notARecording)) { try Recovery.recover(path: other) }
        #expect(try shell("sqlite3", [other, "PRAGMA journal_mode"]) == "delete\n")
    }

    @Test(arguments: [
        "DROP TABLE harvest; CREATE VIEW harvest AS SELECT 1 AS id",
        "DROP TABLE loss; CREATE VIEW loss AS SELECT randomblob(1e9) AS detail",
        "DROP TABLE marker; CREATE VIRTUAL TABLE marker USING fts5(text)",
        "DROP TABLE label; CREATE TABLE label(key TEXT, value TEXT AS (hex(zeroblob(10000000))) VIRTUAL)",
        "DROP TABLE recording",
    ])
    func `tables replaced by something that computes are refused`(sql: String) throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(1))
        _ = try sqlite("a.db", sql)
        let error = error(path)
        guard case .corrupt(_, nil, let detail)? = error?.problem else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(detail == "it is missing or not a plain table")
    }

    @Test func `types that do not fit are refused`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(1))
        _ = try sqlite(
            "a.db",
            """
            CREATE TABLE copy(iteration, ts_ns, kind, vcpu, entries, detail);
            INSERT INTO copy VALUES ('one', 5, 'overrun', NULL, NULL, x'00');
            DROP TABLE loss; ALTER TABLE copy RENAME TO loss
            """)
        let file = try RecordingFile(path: path)
        #expect(throws: RecordingError(path, .corrupt(table: "loss", row: 1, "iteration is not an integer"))) {
            try file.losses
        }
    }

    @Test func `triggers and views of the file are never run`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2), rows: false)
        _ = try sqlite(
            "a.db",
            """
            CREATE TRIGGER evil AFTER INSERT ON dirty_entry BEGIN DELETE FROM harvest; END;
            DROP VIEW dirty; CREATE VIEW dirty AS SELECT 666 AS gfn
            """)
        try Recovery.expandRows(path: path)
        #expect(try RecordingFile(path: path).counts.harvests == 6)
        #expect(try QuerySession(path: path).all("SELECT count(*) FROM dirty") == [[.integer(804)]])
    }

    @Test(arguments: [
        "CREATE TABLE n(iteration INTEGER PRIMARY KEY, entries INTEGER NOT NULL, unique_pages INTEGER NOT NULL, new_pages INTEGER NOT NULL CHECK (length(randomblob(1000000000)) > 0), cross_ring, same_ring, provisional, vmm); DROP TABLE iteration_summary; ALTER TABLE n RENAME TO iteration_summary",
        "CREATE TABLE n(vcpu INTEGER PRIMARY KEY, harvests INTEGER, entries INTEGER, unique_pages INTEGER, ring_full INTEGER, stall_ns INTEGER, more DEFAULT (hex(randomblob(100000000)))); DROP TABLE vcpu; ALTER TABLE n RENAME TO vcpu",
        "CREATE INDEX evil ON dirty_entry(length(hex(zeroblob(100000000)) || gfn))",
        "CREATE INDEX evil ON page_summary(gfn) WHERE length(hex(zeroblob(100000000))) > gfn",
    ])
    func `SQL of the file does not run when it is written`(sql: String) throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2), rows: false)
        _ = try sqlite(
            "a.db", "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; DELETE FROM page_summary; \(sql)")
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        for write: () throws -> Void in [
            { _ = try Recovery.recover(path: path) }, { try Recovery.expandRows(path: path, rebuild: true) },
        ] {
            let error = #expect(throws: RecordingError.self, performing: write)
            guard case .foreignDefinition? = error?.problem else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test func `what else a file may hold is left alone`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2), rows: false)
        _ = try sqlite(
            "a.db",
            """
            CREATE TABLE note(text CHECK (length(text) > 0), page REFERENCES page_summary(gfn) ON DELETE SET NULL);
            CREATE INDEX note_text ON note(lower(text)); INSERT INTO note SELECT 'x', gfn FROM page_summary
            """)
        try Recovery.expandRows(path: path, indexed: true, rebuild: true)
        try Recovery.expandRows(path: path, indexed: true)
        #expect(try Verifier.verify(path: path) == [])
        #expect(try shell("sqlite3", [path, "SELECT count(page) > 0 FROM note"]) == "1\n")
    }

    @Test func `a recording without vCPUs can be read`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2))
        _ = try sqlite("a.db", "UPDATE recording SET vcpu_count = 0")
        let file = try RecordingFile(path: path)
        #expect(
            throws: RecordingError(path, .corrupt(table: "harvest", row: 1, "vcpu is 0, and there are 0 vCPUs"))
        ) { try Replayed.of(file) }
        _ = try sqlite("a.db", "UPDATE harvest SET vcpu = NULL; DELETE FROM vcpu")
        #expect(try Replayed.of(RecordingFile(path: path)).harvests.count == 6)
    }

    @Test func `huge counts allocate nothing`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(1), rows: false)
        for sql in [
            "UPDATE harvest SET entry_count = 9223372036854775807 WHERE id = 1",
            "UPDATE harvest SET entry_count = 1048576 WHERE id = 1",
            "UPDATE harvest SET first_seq = 9223372036854775807 WHERE id = 1",
            "UPDATE recording SET vcpu_count = 9223372036854775807", "UPDATE harvest SET entries = zeroblob(40000000)",
        ] {
            _ = try sqlite("a.db", sql)
            #expect(throws: RecordingError.self) {
                _ = try Replayed.of(RecordingFile(path: path))
            }
            #expect(throws: (any Error).self) {
                _ = try QuerySession(path: path).all("SELECT sum(gfn) FROM dirty_entry")
            }
        }
    }

    @Test func `random flips and truncations never crash a reader`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2, entries: 50), rows: true)
        let good = try Data(contentsOf: URL(fileURLWithPath: path))
        var random = Seeded(11)
        var refused = 0
        for _ in 0..<200 {
            var bad = good
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                bad[Int.random(in: 0..<bad.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                bad = bad.prefix(Int.random(in: 0..<bad.count, using: &random))
            }
            let path = try file("bad.db", bad)
            do {
                let file = try RecordingFile(path: path)
                _ = try Replayed.of(file)
                _ = try (file.slots, file.losses, file.markers, file.stops, file.verdicts, file.counts)
                _ = try QuerySession(path: path).all("SELECT count(*), sum(gpa) FROM dirty", timeout: .seconds(5))
            } catch { refused += 1 }
            _ = try? Verifier.verify(path: path)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bad)
        }
        #expect(refused > 50)
    }
}
