import Foundation
import Model
import Store
import TestSupport

/// Recordings made by hand to hurt a reader.
enum Hostile {
    static var files: [(String, (String) throws -> Void)] {
        bySQL.map { name, sql in
            (
                name,
                { path in
                    try Bases.write(path, rows: true)
                    try Bases.loosen(path)
                    try Bases.execute(path, sql)
                }
            )
        } + [
            ("pages in circles", circles), ("one page many rings", manyRings),
            ("many short iterations", manyIterations),
            ("far apart pages", farApart), ("neighbouring pages of many vCPUs", manyVCPUs),
        ]
    }

    private static let bySQL = [
        ("entry count 2^63-1", "UPDATE harvest SET entry_count = 9223372036854775807"),
        ("entry count 2^20 on few bytes", "UPDATE harvest SET entry_count = 1048576"),
        ("negative entry count", "UPDATE harvest SET entry_count = -5"),
        ("entry counts that cancel out", "UPDATE harvest SET entry_count = CASE id % 2 WHEN 0 THEN 60 ELSE -60 END"),
        ("blob of 60 MB", "UPDATE harvest SET entries = zeroblob(60000000) WHERE id = 3"),
        ("negative times", "UPDATE harvest SET since_ns = -1000, ts_ns = -500; UPDATE iteration SET start_ns = -5"),
        ("times near 2^63", "UPDATE harvest SET ts_ns = 9223372036854775807; UPDATE iteration SET end_ns = 1 << 62"),
        (
            "times at the limit",
            "UPDATE iteration SET start_ns = 0, end_ns = 1 << 60; UPDATE recording SET start_ns = 0"
        ),
        ("durations that overflow", "UPDATE iteration SET pause_ns = 1 << 60, scan_ns = 1 << 60"),
        (
            "iterations without time",
            "UPDATE iteration SET start_ns = 0, end_ns = 0; UPDATE harvest SET since_ns = 0, ts_ns = 0"
        ),
        ("2^40 slots", "UPDATE memslot SET slot = slot + (1 << 40)"),
        ("slots of 2^51 pages", "UPDATE memslot SET pages = 1 << 51, base_gfn = 0"),
        ("slots of 2^63 pages", "UPDATE memslot SET pages = 9223372036854775807"),
        (
            "100,000 slots",
            """
            WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 65000)
            INSERT INTO memslot(slot, address_space, generation, base_gfn, pages, logged, readonly, name, created_ns)
            SELECT i, 0, 1, 256, 16384, 1, 0, 'x', 1 FROM n
            """
        ),
        ("text for integers", "UPDATE harvest SET iteration = 'one', vcpu = 'zero', first_seq = 'first'"),
        ("text for a blob", "UPDATE harvest SET entries = 'entries'"),
        ("2^63 vCPUs", "UPDATE recording SET vcpu_count = 9223372036854775807"),
        ("memory of 2^63 bytes", "UPDATE recording SET memory_bytes = 9223372036854775807; DELETE FROM memslot"),
        ("memory of 2^60 bytes", "UPDATE recording SET memory_bytes = 1 << 60; DELETE FROM memslot"),
        ("pages of 3 bytes", "UPDATE recording SET page_size = 3"),
        ("pages of 64 KiB", "UPDATE recording SET page_size = 65536; UPDATE memslot SET pages = 1 << 51, base_gfn = 0"),
        (
            "two recordings",
            "CREATE TEMP TABLE r AS SELECT * FROM recording; UPDATE r SET id = 'b'; INSERT INTO recording SELECT * FROM r"
        ),
        ("rows through 2^63-1", "UPDATE recording SET rows_through = 9223372036854775807"),
        ("row numbers at the end", "UPDATE dirty_entry SET seq = 9223372036854775807 WHERE seq = 1"),
        ("first_seq in circles", "UPDATE harvest SET first_seq = 1"),
        (
            "views replaced by triggers",
            """
            DROP VIEW dirty; CREATE TABLE dirty(seq);
            CREATE TRIGGER top_pages_2 AFTER INSERT ON dirty BEGIN DELETE FROM harvest; END;
            DROP VIEW top_pages; CREATE TRIGGER top_pages AFTER UPDATE ON recording BEGIN DELETE FROM harvest; END;
            """
        ),
        (
            "views that never end",
            """
            DROP VIEW dirty;
            CREATE VIEW dirty AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS seq FROM n
            """
        ),
        ("a table that is a view", "DROP TABLE harvest; CREATE VIEW harvest AS SELECT 1 AS id"),
        ("a table without rowid", "DROP TABLE loss; CREATE TABLE loss(iteration PRIMARY KEY, ts_ns) WITHOUT ROWID"),
        ("a column called rowid", "ALTER TABLE loss ADD COLUMN rowid"),
        (
            "constraints that compute",
            """
            CREATE TABLE more(x CHECK (length(hex(zeroblob(20000000))) > x));
            PRAGMA ignore_check_constraints = ON;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO more SELECT i FROM n
            """
        ),
        (
            "constraints that compute when rows are made",
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, 'gfn INTEGER', 'gfn INTEGER CHECK (length(randomblob(10000000)) > gfn)')
                WHERE name IN ('dirty_entry', 'page_summary')
            """
        ),
        (
            "defaults that grow the file",
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, 'gfn INTEGER', 'more DEFAULT (hex(randomblob(10000000))), gfn INTEGER')
                WHERE name = 'dirty_entry'
            """
        ),
        (
            "an index that computes",
            // Made of something else: to compute it takes longer than there is time, and more memory than SQLite may have here.
            """
            CREATE INDEX evil ON dirty_entry(gfn);
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = 'CREATE INDEX evil ON dirty_entry(length(hex(zeroblob(100000000)) || gfn))' WHERE name = 'evil'
            """
        ),
        ("an index of the first values", "DROP INDEX harvest_ts_ns; CREATE INDEX harvest_ts_ns ON harvest(iteration)"),
        (
            "tables that hang on ours",
            """
            CREATE TABLE more(x DEFAULT (hex(randomblob(100000000))) REFERENCES page_summary(gfn) ON DELETE SET DEFAULT);
            INSERT INTO more SELECT gfn FROM page_summary
            """
        ),
        ("no vCPUs", "UPDATE recording SET vcpu_count = 0"),
        ("a text of 60 MB", "UPDATE recording SET guest = hex(zeroblob(30000000))"),
        ("control characters", "UPDATE recording SET guest = char(27) || '[2J' || char(0) || 'x', host = x'ff'"),
        (
            "gaps between iterations",
            "UPDATE iteration SET id = id * 1000000; UPDATE harvest SET iteration = iteration * 1000000"
        ),
    ]

    private static func circles(_ path: String) throws {
        try Bases.write(path, iterations: 3000, entries: 4, rows: true)
        try PageCircles.make(in: path)
    }

    private static func write(
        _ path: String, vcpus: Int, memoryPages: UInt64, _ harvests: [(vcpu: Int, gfns: [GFN])]
    ) throws {
        var info = Bases.info()
        info.vcpuCount = vcpus
        let slots = [MemorySlot(slot: 0, baseGFN: 0, pages: memoryPages, logged: true, name: "all", createdNs: 1)]
        let writer = try RecordingWriter(path: path, info: info, slots: slots)
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 1000, endNs: 3000))
        batch.harvests = harvests.map { vcpu, gfns in
            (
                Harvest(
                    iteration: 1, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: 1000, tsNs: 2000,
                    entryCount: gfns.count), gfns
            )
        }
        try writer.commit(batch)
        try writer.finish(reason: .duration, endNs: 3000, rows: false)
    }

    private static func manyRings(_ path: String) throws {
        let gfns = Array(0..<GFN(50))
        try write(path, vcpus: 4096, memoryPages: 1 << 20, (0..<4096).map { ($0, gfns) })
    }

    private static func manyVCPUs(_ path: String) throws {
        let gfns = Array(0..<GFN(1 << 19))
        try write(path, vcpus: 4096, memoryPages: 1 << 20, [(0, gfns), (4095, gfns)])
    }

    private static func farApart(_ path: String) throws {
        try write(path, vcpus: 1, memoryPages: 1 << 51, [(0, (0..<1 << 19).map { GFN($0) << 30 })])
    }

    private static func manyIterations(_ path: String) throws {
        let writer = try RecordingWriter(path: path, info: Bases.info(), slots: Bases.slots)
        for id in 1...20_000 as ClosedRange<Int64> {
            var batch = IterationBatch(iteration: Iteration(id: id, startNs: id * 1000, endNs: id * 1000 + 1000))
            let harvest = Harvest(
                iteration: id, source: .dirtyRing, vcpu: 0, cause: .periodic, sinceNs: id * 1000, tsNs: id * 1000 + 500,
                entryCount: 2)
            batch.harvests = [(harvest, [256 + GFN(id % 500), 256 + GFN(id % 7)])]
            try writer.commit(batch)
        }
        try writer.finish(reason: .duration, endNs: 30_000_000)
    }
}
