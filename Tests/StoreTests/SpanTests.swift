import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// The table of entries that stand for several pages.
@Suite struct SpanTests {
    let scratch = Scratch()

    private struct Harvests: RecordingVisitor {
        var all: [Harvest] = []
        mutating func visit(_ harvest: Harvest, gfns: [GFN]) { all.append(harvest) }
        mutating func visit(_ iteration: Iteration) {}
    }

    private static func batches(_ count: Int) -> [IterationBatch] {
        Sample.batches(count).map { batch in
            var batch = batch
            if batch.iteration.id == 2 { batch.harvests[0].harvest.entryPages = 512 }
            return batch
        }
    }

    private func written(_ batches: [IterationBatch]) throws -> String {
        let path = scratch.path("a.db")
        try Sample.write(path, batches)
        return path
    }

    @Test func `for how many pages entries stand comes back`() throws {
        let path = try written(Self.batches(3))
        var harvests = Harvests()
        try RecordingFile(path: path).replay(into: &harvests)
        let large = harvests.all.filter { $0.entryPages != 1 }
        #expect(large.map(\.entryPages) == [512])
        #expect(large.map(\.iteration) == [2])
        #expect(try Verifier.verify(path: path).isEmpty)
        #expect(
            try QuerySession(path: path).all("SELECT harvest, pages FROM harvest_span")
                == [[.integer(large[0].id), .integer(512)]])
    }

    @Test func `a recording of single pages has no such table, and a session an empty one`() throws {
        let path = try written(Sample.batches(2))
        #expect(
            try shell("sqlite3", [path, "SELECT count(*) FROM sqlite_schema WHERE name = 'harvest_span'"]) == "0\n")
        #expect(try QuerySession(path: path).all("SELECT * FROM harvest_span") == [])
    }

    @Test(arguments: [
        ("UPDATE harvest_span SET pages = 500", "harvest_span 1: pages is 500, no power of two"),
        ("UPDATE harvest_span SET pages = 1", "harvest_span 1: pages is 1, outside 2...262144"),
        ("UPDATE harvest_span SET harvest = 1000", "harvest_span 1000: there is no harvest 1000"),
        ("DROP TABLE harvest_span; CREATE VIEW harvest_span AS SELECT 1", "refused"),
    ])
    func `damage is found and named`(sql: String, finding: String) throws {
        let path = try written(Self.batches(3))
        try #require(try shell("sqlite3", [path, "PRAGMA foreign_keys = OFF; " + sql]) == "")
        if finding == "refused" {
            #expect(throws: RecordingError.self) { try RecordingFile(path: path) }
            return
        }
        let found = try Verifier.verify(path: path).map {
            "\($0.table) \($0.row.map(String.init) ?? "-"): \($0.problem)"
        }
        #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
    }
}
