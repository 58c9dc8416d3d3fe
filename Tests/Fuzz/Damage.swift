import Foundation
import GRDB
import TestSupport

/// Damages a copy of a recording at random.
enum Damage {
    private static let tables = [
        "recording", "capability", "label", "vcpu", "memslot", "iteration", "harvest", "dirty_entry", "entry_time",
        "iteration_summary", "page_summary", "kvm_stat", "stop_latency", "loss", "watch_event", "marker",
        "foreign_rate", "oracle_verdict", "schema_migration", "page_content", "harvest_span",
        "migration",
    ]
    private static let values = [
        "NULL", "0", "1", "-1", "2", "63", "64", "4096", "65536", "1048576", "1 << 40", "1 << 51", "1 << 60",
        "(1 << 60) - 1", "9223372036854775807", "-9223372036854775808", "1e308", "'text'", "''", "x''", "x'01'",
        "x'0100'", "x'01010200'", "zeroblob(100000)", "randomblob(200)", "'dirty-ring'", "'vmm'", "'ring_full'",
        "rowid", "-rowid", "rowid << 50",
    ]

    /// - Returns: what was done.
    static func apply(to base: String, as path: String, using random: inout Seeded) throws -> String {
        try Files.copy(base, path)
        let isLoose = base.contains("loose")
        if isLoose, Int.random(in: 0..<4, using: &random) > 0 { return try replaceValues(path, &random) }
        // Of a cut-off file the log holds nearly everything.
        let isLog = base.contains("cut") && Int.random(in: 0..<4, using: &random) > 0
        let file = URL(fileURLWithPath: isLog ? path + "-wal" : path)
        var bytes = try Data(contentsOf: file)
        defer { try? bytes.write(to: file) }
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            bytes = bytes.prefix(Int.random(in: 0..<bytes.count, using: &random))
            return "truncation"
        case 1:
            let from = Int.random(in: 0..<bytes.count, using: &random)
            let to = Int.random(in: 0..<bytes.count, using: &random)
            let length = min(Int.random(in: 1...8192, using: &random), bytes.count - max(from, to))
            bytes.replaceSubrange(to..<to + length, with: bytes[from..<from + length])
            return "block moved"
        case 2:
            // A page's head: its kind, its cells, where they are.
            let page = Int.random(in: 0..<max(bytes.count / 8192, 1), using: &random) * 8192
            for _ in 0..<4 { flip(page + Int.random(in: 0..<64, using: &random), in: &bytes, &random) }
            return "page head"
        default:
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                flip(Int.random(in: 0..<bytes.count, using: &random), in: &bytes, &random)
            }
            return "flips"
        }
    }

    private static func flip(_ place: Int, in bytes: inout Data, _ random: inout Seeded) {
        guard place < bytes.count else { return }
        bytes[place] = UInt8.random(in: 0...255, using: &random)
    }

    private static func replaceValues(_ path: String, _ random: inout Seeded) throws -> String {
        var done: [String] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let table = tables.randomElement(using: &random)!
            let columns = try DatabaseQueue(path: path).inDatabase { db in
                try String.fetchAll(db, sql: "SELECT name FROM pragma_table_info(?)", arguments: [table])
            }
            let value = values.randomElement(using: &random)!
            guard let column = columns.randomElement(using: &random) else { continue }
            let isAll = Bool.random(using: &random)
            let sql = "UPDATE OR IGNORE \(table) SET \(column) = \(value)" + (isAll ? "" : " WHERE rowid % 3 = 1")
            // Keys refuse what is no integer, and tables without a rowid have none: that is no damage then.
            if (try? Bases.execute(path, sql)) != nil { done.append("\(table).\(column) = \(value)") }
        }
        return done.joined(separator: ", ")
    }
}
