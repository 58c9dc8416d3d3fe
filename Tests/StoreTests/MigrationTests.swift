import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// The table of what other tools said of migrations.
@Suite struct MigrationTests {
    let scratch = Scratch()

    private static let observations = [1, 1, 2].enumerated().map { place, attempt in
        var seen = MigrationObservation(tool: place == 2 ? .virsh : .qemu, line: Int64(place) + 1)
        (seen.attempt, seen.tsNs, seen.elapsedNs, seen.state) = (
            Int64(attempt), Int64(place), 5, place == 1 ? nil : "active"
        )
        (seen.pass, seen.transferredBytes, seen.remainingBytes, seen.totalBytes) = (1, 2, 3, 4)
        (seen.passBytes, seen.passNs, seen.zeroPages, seen.normalPages, seen.pageBytes) = (5, 6, 7, 8, 9)
        (seen.bytesPerSecond, seen.dirtyBytesPerSecond, seen.throttlePercent, seen.setupNs) = (10, 11, 12, 13)
        (seen.expectedDowntimeNs, seen.downtimeNs, seen.downtimeLimitNs, seen.bandwidthLimit) = (14, 15, 16, 17)
        seen.other = place == 2 ? nil : #"{"a":[1,"b"]}"#
        return seen
    }

    private func written(_ batches: [IterationBatch]) throws -> String {
        let path = scratch.path("a.db")
        let writer = try RecordingWriter(path: path, info: Sample.info(), migrations: Self.observations)
        for batch in batches { try writer.commit(batch) }
        try writer.finish(reason: .duration, endNs: 9_000_000_000)
        return path
    }

    @Test(arguments: [0, 3]) func `comes back, with iterations and without`(count: Int) throws {
        let path = try written(Sample.batches(count))
        let file = try RecordingFile(path: path)
        #expect(try file.migrations == Self.observations)
        #expect(file.state == .complete)
        #expect(try Verifier.verify(path: path).isEmpty)
        #expect(
            try QuerySession(path: path).all("SELECT attempt, tool, other ->> '$.a[1]' FROM migration WHERE line = 1")
                == [[.integer(1), .text("qemu"), .text("b")]])
        #expect(try RecordingContent(file).tables.first { $0.name == "migration" }?.rows == 3)
    }

    @Test func `is in no other recording, and empty in its sessions`() throws {
        let path = scratch.path("b.db")
        try Sample.write(path, Sample.batches(2))
        #expect(try shell("sqlite3", [path, "SELECT count(*) FROM sqlite_schema WHERE name = 'migration'"]) == "0\n")
        #expect(try QuerySession(path: path).all("SELECT * FROM migration") == [])
        #expect(try RecordingFile(path: path).migrations == [])
    }

    @Test(arguments: [
        ("UPDATE migration SET attempt = 3 WHERE rowid = 3", "migration 3: attempt 3 follows attempt 1"),
        (
            "UPDATE migration SET attempt = 1 WHERE rowid = 3; UPDATE migration SET attempt = 2 WHERE rowid = 2",
            "migration 3: attempt 1 follows attempt 2"
        ),
        ("UPDATE migration SET tool = 'me'", "migration 1: tool is the unknown word 'me'"),
        ("UPDATE migration SET elapsed_ns = -1", "migration 1: elapsed_ns is -1, outside 0"),
        ("UPDATE migration SET throttle_percent = 101", "migration 1: throttle_percent is 101, outside 0...100"),
        ("UPDATE migration SET transferred_bytes = 1 << 61", "migration 1: transferred_bytes is"),
        ("UPDATE migration SET other = '[1]'", "migration 1: other is no JSON object"),
        ("UPDATE migration SET other = '{' WHERE rowid = 2", "migration 2: other is no JSON object"),
        (
            "UPDATE migration SET other = printf('{\"a\":\"%.*c\"}', 20000, 'x')",
            "migration 1: other is longer than 16384 bytes"
        ),
        ("UPDATE migration SET state = printf('%.*c', 65, 'x')", "migration 1: state is longer than 64 bytes"),
        ("DROP TABLE migration; CREATE VIEW migration AS SELECT 1", "refused"),
    ])
    func `damage is found and named`(sql: String, finding: String) throws {
        let path = try written(Sample.batches(1))
        try #require(try shell("sqlite3", [path, sql]) == "")
        if finding == "refused" {
            #expect(throws: RecordingError.self) { try RecordingFile(path: path) }
            return
        }
        let found = try Verifier.verify(path: path).map { "\($0.table) \($0.row ?? 0): \($0.problem)" }
        #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
    }
}
