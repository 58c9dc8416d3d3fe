import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// Each kind of damage, done by hand, is found and named.
@Suite struct VerifyTests {
    let scratch = Scratch()

    private func damaged(_ sql: String, rows: Bool = true) throws -> [String] {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(3), rows: rows)
        try #require(try shell("sqlite3", [path, sql]) == "")
        return try Verifier.verify(path: path).map { "\($0.table) \($0.row.map(String.init) ?? "-"): \($0.problem)" }
    }

    @Test(arguments: [
        ("UPDATE dirty_entry SET gfn = 5 WHERE seq = 9", "dirty_entry 9: gfn is 5, the packed entry says "),
        ("DELETE FROM dirty_entry WHERE seq = 9", "dirty_entry 9: the row is missing"),
        ("INSERT INTO dirty_entry VALUES (99999, 1)", "dirty_entry 99999: no packed entry has this number"),
        ("UPDATE recording SET rows_through = 99999", "recording 1: rows_through is 99999, but there are 1206 entries"),
        (
            "UPDATE recording SET rows_through = 1000; DELETE FROM dirty_entry WHERE seq > 1000",
            "recording 1: plain rows end at 1000 of 1206 entries"
        ),
        ("UPDATE recording SET end_ns = NULL", "recording 1: it has an end reason, but no end"),
        ("UPDATE recording SET summarized = 0", "recording 1: its completion was interrupted"),
        ("UPDATE recording SET pml = 7", "recording 1: pml is 7, outside 0...1"),
        (
            "UPDATE iteration_summary SET unique_pages = unique_pages + 1 WHERE iteration = 2",
            "iteration_summary 2: unique_pages is "
        ),
        ("DELETE FROM iteration_summary WHERE iteration = 3", "iteration_summary 3: the row is missing"),
        (
            "INSERT INTO page_summary VALUES (9999999, 1, 1, 1, 1, 1, 1, 1, 1)",
            "page_summary 9999999: nothing in the recording explains the row"
        ),
        ("UPDATE page_summary SET vcpu_mask = NULL WHERE gfn = 300", "page_summary 300: vcpu_mask is NULL instead of "),
        ("UPDATE vcpu SET ring_full = 8 WHERE vcpu = 1", "vcpu 1: ring_full is 8 instead of 3"),
        ("UPDATE harvest SET first_seq = 3 WHERE id = 2", "harvest 2: first_seq is 3 instead of 201"),
        ("UPDATE harvest SET entry_count = 199 WHERE id = 1", "harvest 1: "),
        ("UPDATE harvest SET entries = x'0200' WHERE id = 4", "harvest 4: segment version 2 is unknown"),
        ("UPDATE harvest SET cause = 'mood' WHERE id = 4", "harvest 4: cause is the unknown word 'mood'"),
        ("UPDATE harvest SET vcpu = 2 WHERE id = 1", "harvest 1: vcpu is 2, and there are 2 vCPUs"),
        ("UPDATE harvest SET ts_ns = -1 WHERE id = 1", "harvest 1: ts_ns is -1, outside 0..."),
        ("UPDATE harvest SET since_ns = 5000 WHERE id = 1", "harvest 1: since_ns is later than ts_ns"),
        (
            "UPDATE harvest SET since_ns = 1, ts_ns = 2 WHERE id = 4",
            "harvest 4: ts_ns is earlier than at the previous harvest of its source"
        ),
        (
            "UPDATE harvest SET provisional_count = 201 WHERE id = 1",
            "harvest 1: provisional_count is 201, outside 0...200"
        ),
        ("UPDATE harvest SET scan_ns = 1 << 61 WHERE id = 2", "harvest 2: scan_ns is "),
        ("UPDATE harvest SET stall_ns = 1 << 59", "harvest 2: stall_ns adds up to more than 2^60"),
        ("UPDATE harvest SET id = 99 WHERE id = 9", "harvest 99: harvest 9 is missing"),
        ("UPDATE iteration SET end_ns = start_ns WHERE id = 2", "iteration 2: end_ns is earlier than its last harvest"),
        ("UPDATE iteration SET start_ns = 0 WHERE id = 3", "iteration 3: iteration 3 follows iteration 2"),
        (
            "DELETE FROM iteration WHERE id = 2",
            "iteration_summary 2: it refers to a row of iteration that does not exist"
        ),
        ("UPDATE memslot SET pages = 10 WHERE slot = 1", "harvest 1: GFN "),
        ("UPDATE memslot SET deleted_ns = 2100 WHERE slot = 1", "harvest 7: GFN "),
        (
            "UPDATE memslot SET base_gfn = 1 << 51 WHERE slot = 1",
            "memslot 2: base_gfn is 2251799813685248, outside 0..."
        ),
        ("UPDATE loss SET kind = 'x'", "loss 1: kind is the unknown word 'x'"),
        ("DELETE FROM recording", "recording -: it has no row"),
        (
            "DROP INDEX harvest_vcpu; CREATE INDEX harvest_vcpu ON harvest(vcpu); DROP TABLE loss",
            "loss -: it is missing or not a plain table"
        ),
    ])
    func `damage is found`(sql: String, finding: String) throws {
        do {
            let findings = try damaged(sql)
            #expect(findings.first?.hasPrefix(finding) == true, "\(findings.prefix(3))")
        } catch let error as RecordingError {
            // What makes it no recording at all is told on opening.
            guard case .corrupt(let table, let row, let detail) = error.problem else { throw error }
            #expect("\(table) \(row.map(String.init) ?? "-"): \(detail)".hasPrefix(finding))
        }
    }

    @Test func `every finding says what to do`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2))
        #expect(try Verifier.verify(path: path) == [])
        _ = try shell("sqlite3", [path, "DELETE FROM dirty_entry WHERE seq = 9"])
        #expect(
            try Verifier.verify(path: path).map(\.description) == [
                "dirty_entry row 9: the row is missing. The packed entries decide; make the rest anew with: "
                    + "dirtyrec rows --rebuild \(path)"
            ])
        try Recovery.expandRows(path: path, rebuild: true)
        #expect(try Verifier.verify(path: path) == [])
    }

    @Test func `rows are made later, and indexed`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(3), rows: false)
        #expect(try RecordingFile(path: path).counts.rows == 0)
        #expect(try Verifier.verify(path: path) == [])
        try Recovery.expandRows(path: path, indexed: true)
        #expect(try RecordingFile(path: path).counts.rows == 1206)
        #expect(try Verifier.verify(path: path) == [])
        #expect(scratch.names == ["a.db"])
        let plan = try shell("sqlite3", [path, "EXPLAIN QUERY PLAN SELECT * FROM dirty_entry WHERE gfn = 1"])
        #expect(plan.contains("dirty_entry_gfn"))
    }

    @Test func `flipped bytes in pages are found`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(3))
        let good = try Data(contentsOf: URL(fileURLWithPath: path))
        var random = Seeded(5)
        var found = 0
        for _ in 0..<60 {
            var bad = good
            // Content of pages, not free space between: the last part of a page is where cells live.
            let page = Int.random(in: 0..<good.count / 8192, using: &random)
            let offset = page * 8192 + Int.random(in: 7900..<8192, using: &random)
            bad[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try bad.write(to: URL(fileURLWithPath: path))
            do { found += try Verifier.verify(path: path).isEmpty ? 0 : 1 } catch { found += 1 }
        }
        // Texts such as the host's name and unused bytes cannot contradict anything.
        #expect(found > 20)
    }
}
