import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// The virtual table in programs that are not ours.
@Suite struct ExtensionTests {
    let scratch = Scratch()

    /// The extension lies beside the test bundle.
    private static let library = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("libdirtyrec_sqlite").path

    private static let query = "SELECT count(*), sum(seq), sum(gfn), sum(harvest), sum(ts_ns) FROM _segment_entry"

    private func expected(_ path: String) throws -> String {
        try QuerySession(path: path).all(Self.query)[0].map {
            if case .integer(let value) = $0 { "\(value)" } else { "?" }
        }
        .joined(separator: "|") + "\n"
    }

    @Test func `the sqlite3 shell reads packed entries`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(3), rows: false)
        let expected = try expected(path)
        #expect(expected.hasPrefix("1206|"))
        #expect(try shell("sqlite3", ["-readonly", "-cmd", ".load \(Self.library)", path, Self.query]) == expected)
    }

    @Test func `Python reads packed entries and is told of damage`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(3), rows: false)
        let program = """
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1])
            db.enable_load_extension(True)
            db.load_extension(sys.argv[2])
            print(*db.execute("SELECT seq, gfn FROM _segment_entry WHERE seq BETWEEN 5 AND 7").fetchall())
            db.execute("UPDATE harvest SET entries = x'0200' WHERE id = 2")
            try:
                db.execute("SELECT sum(gfn) FROM _segment_entry").fetchall()
            except sqlite3.Error as error:
                print(error)
            """
        // Some builds of Python come without extensions; Debian's has them.
        let gfns = Sample.batches(3)[0].harvests[0].gfns
        #expect(
            try shell("/usr/bin/python3", ["-c", program, path, Self.library])
                == "(5, \(gfns[4])) (6, \(gfns[5])) (7, \(gfns[6]))\nharvest row 2: segment version 2 is unknown\n")
    }

    @Test func `the extension brings no SQLite of its own`() throws {
        #expect(try !shell("ldd", [Self.library + ".so"]).contains("sqlite"))
    }
}
