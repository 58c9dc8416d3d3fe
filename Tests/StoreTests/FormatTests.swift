import Foundation
import GRDB
import Model
import TestSupport
import Testing

@testable import Store

/// What others rely on: the format as documented, and states of a file that only time can make.
@Suite struct FormatTests {
    let scratch = Scratch()

    private static var sample: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("samples/read_segments.py").path
    }

    @Test func `the Python reader sees what the rows say`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(3))
        let rows = try shell("sqlite3", ["-separator", " ", path, "SELECT seq, gfn, ts_ns FROM dirty ORDER BY seq"])
        #expect(rows.count > 1000)
        #expect(try shell("python3", [Self.sample, path]) == rows)
    }

    @Test func `the documented bytes are the bytes`() {
        var segment: [UInt8] = []
        Segment.encode([256, 257, 255], into: &segment)
        #expect(segment == [0x01, 0x00, 0x80, 0x04, 0x02, 0x03])
    }

    /// Stops in the middle of a transaction that makes rows, with part of it in the file already.
    private func halfDone(_ batches: [IterationBatch]) throws -> String {
        let path = scratch.path("whole.db")
        try Sample.write(path, batches, rows: false)
        let queue = try DatabaseQueue(path: path)
        try queue.inDatabase { db in
            try db.execute(sql: "PRAGMA cache_size = 2; BEGIN IMMEDIATE; UPDATE recording SET rows_through = 5")
            try db.execute(
                sql: """
                    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000)
                    INSERT INTO dirty_entry SELECT x, x FROM n
                    """)
            for suffix in ["", "-journal"] {
                try FileManager.default.copyItem(atPath: path + suffix, toPath: scratch.path("half.db" + suffix))
            }
            try db.execute(sql: "ROLLBACK")
        }
        return scratch.path("half.db")
    }

    /// Writes over every page that the journal can give back, as a power cut in the midst of a write may.
    ///
    /// - Returns: how many there were.
    private func tear(_ path: String) throws -> Int {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let journal = try Data(contentsOf: URL(fileURLWithPath: path + "-journal"))
        func integer(at place: Int) -> Int { journal[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
        let (records, sector, page) = (integer(at: 8), integer(at: 20), integer(at: 24))
        for record in 0..<records {
            let number = integer(at: sector + record * (page + 8))
            // Its first sector says that this is a database: a disk writes that whole, or not.
            let start = number == 1 ? 512 : (number - 1) * page
            bytes.replaceSubrange(start..<number * page, with: repeatElement(0xa5, count: number * page - start))
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        return records
    }

    @Test(arguments: [false, true])
    func `a kill or a power cut while rows were made leaves a readable file`(isTorn: Bool) throws {
        let batches = Sample.batches(4)
        let path = try halfDone(batches)
        if isTorn { #expect(try tear(path) > 0) }
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(before.count > 1 << 20)
        do {
            let file = try RecordingFile(path: path)
            #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: batches)))
            #expect(try file.counts.rows == 0)
            #expect(!file.isSummarized)
            #expect(try QuerySession(path: path).all("SELECT count(*) FROM dirty") == [[.integer(1608)]])
            #expect(try Verifier.verify(path: path).map(\.problem) == ["its completion was interrupted"])
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        #expect(try !Recovery.recover(path: path).wasCutOff)
        #expect(try RecordingFile(path: path).info.endReason == .duration)
        #expect(try Verifier.verify(path: path) == [])
        #expect(!scratch.names.contains("half.db-journal"))
    }
}
