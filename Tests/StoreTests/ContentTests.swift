import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// The table that only those recordings have which asked what pages held.
@Suite struct ContentTests {
    let scratch = Scratch()

    /// What two pages of every iteration held.
    static func contents(_ batches: [IterationBatch]) -> [IterationBatch] {
        batches.map { batch in
            var batch = batch
            let id = batch.iteration.id
            batch.contents = [
                PageContent(
                    iteration: id, gfn: 300,
                    digest: .init(
                        isZero: id == 2, change: id == 1 ? nil : .init(words: 3, xbzrleBytes: 40), zstdBytes: 99,
                        hash: .max - UInt64(id))),
                PageContent(
                    iteration: id, gfn: 9999,
                    digest: .init(isZero: false, change: .init(words: 0, xbzrleBytes: 0), zstdBytes: 4096, hash: 7)),
            ]
            return batch
        }
    }

    private func written(_ batches: [IterationBatch]) throws -> String {
        let path = scratch.path("a.db")
        try Sample.write(path, batches)
        return path
    }

    @Test func `what pages held comes back`() throws {
        let batches = Self.contents(Sample.batches(3))
        let path = try written(batches)
        var found: [PageContent] = []
        try RecordingFile(path: path).replayContents { found.append($0) }
        #expect(found == batches.flatMap(\.contents))
        #expect(try Verifier.verify(path: path).isEmpty)
        #expect(try Recovery.recover(path: try cutOff(batches)).entries == 1206)
    }

    private func cutOff(_ batches: [IterationBatch]) throws -> String {
        let live = scratch.path("live.db")
        let writer = try RecordingWriter(path: live, info: Sample.info(), slots: Sample.slots)
        for batch in batches { try writer.commit(batch) }
        let path = scratch.path("cut.db")
        for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: live + suffix, toPath: path + suffix) }
        try writer.finish(reason: .duration, endNs: 1_000_000)
        return path
    }

    /// A part that is dropped takes the table with it.
    @Test func `a table that was rolled back is made again`() throws {
        let path = scratch.path("a.db")
        let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
        let batches = Self.contents(Sample.batches(2))
        var broken = batches[0]
        broken.verdicts = [OracleVerdict(iteration: 99, oracle: "no such iteration")]
        #expect(throws: RecordingError.self) { try writer.commit(broken) }
        for batch in batches { try writer.commit(batch) }
        try writer.finish(reason: .duration, endNs: 1_000_000)
        #expect(try Verifier.verify(path: path).isEmpty)
        #expect(try shell("sqlite3", [path, "SELECT count(*) FROM page_content"]) == "4\n")
    }

    @Test func `a recording that did not ask has no such table, and a session an empty one`() throws {
        let path = try written(Sample.batches(2))
        #expect(
            try shell("sqlite3", [path, "SELECT count(*) FROM sqlite_schema WHERE name = 'page_content'"]) == "0\n")
        try RecordingFile(path: path).replayContents { _ in Issue.record("there is nothing") }
        #expect(try QuerySession(path: path).all("SELECT * FROM page_content") == [])
        let content = try RecordingContent(RecordingFile(path: path))
        #expect(content.tables.filter(\.isAbsent).map(\.name) == ["page_content", "harvest_span", "migration"])
    }

    @Test func `a query counts what pages held`() throws {
        let query = try #require(NamedQuery.all.first { $0.name == "snapshots/contents" })
        let session = try QuerySession(path: written(Self.contents(Sample.batches(2))))
        var rows: [[SQLValue]] = []
        try session.run(query.sql, parameters: query.values([:]), columns: { _ in }, row: { rows.append($0) })
        let first: [SQLValue] = [
            .integer(1), .integer(2), .integer(0), .integer(1), .real(0), .real(4195.0 / 8192), .real(0.5), .integer(0),
        ]
        let second: [SQLValue] = [
            .integer(2), .integer(2), .integer(1), .integer(1), .real(1.5), .real(4195.0 / 8192), .real(40.0 / 8192),
            .integer(0),
        ]
        #expect(rows == [first, second])
    }

    @Test(arguments: [
        ("UPDATE page_content SET gfn = 17 WHERE rowid = 3", "page_content 3: no entry of iteration 2 names GFN 17"),
        (
            "INSERT INTO page_content SELECT * FROM page_content WHERE rowid = 6",
            "page_content 7: no entry of iteration 3 names GFN"
        ),
        ("UPDATE page_content SET iteration = 4 WHERE rowid = 6", "page_content"),
        ("UPDATE page_content SET iteration = 3 WHERE rowid = 1", "page_content 2: its iteration is over already"),
        ("UPDATE page_content SET zero = 2", "page_content 1: zero is 2, outside 0...1"),
        ("UPDATE page_content SET zstd_bytes = 4097", "page_content 1: it takes more than a page"),
        ("UPDATE page_content SET changed_words = 513", "page_content 1: "),
        (
            "UPDATE page_content SET xbzrle_bytes = NULL WHERE rowid = 2",
            "page_content 2: changed_words and xbzrle_bytes go together"
        ),
        ("DROP TABLE page_content; CREATE VIEW page_content AS SELECT 1", "refused"),
        (
            "DROP TABLE page_content; CREATE TABLE page_content(iteration, gfn, zero, changed_words, xbzrle_bytes, zstd_bytes, rowid)",
            "refused"
        ),
    ])
    func `damage is found and named`(sql: String, finding: String) throws {
        let path = try written(Self.contents(Sample.batches(3)))
        try #require(try shell("sqlite3", [path, sql]) == "")
        if finding == "refused" {
            #expect(throws: RecordingError.self) { try RecordingFile(path: path) }
            return
        }
        let found = try Verifier.verify(path: path).map {
            "\($0.table) \($0.row.map(String.init) ?? "-"): \($0.problem)"
        }
        #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
    }

    @Test func `a table of other words is not written to`() throws {
        let path = try written(Self.contents(Sample.batches(3)))
        _ = try shell(
            "sqlite3",
            [
                path,
                "DROP TABLE page_content; CREATE TABLE page_content(iteration INTEGER CHECK (random() > 0), gfn, zero, changed_words, xbzrle_bytes, zstd_bytes, hash); UPDATE recording SET summarized = 0",
            ])
        #expect(throws: RecordingError(path, .foreignDefinition("table page_content"))) {
            try Recovery.recover(path: path)
        }
    }
}
