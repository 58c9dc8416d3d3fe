import Foundation
import GRDB
import Schemas

/// Identity and versions of the file format.
enum Schema {
    /// `PRAGMA application_id`: the letters "Drec".
    static let applicationID: Int32 = 0x4472_6563

    /// The version that this program writes and reads.
    static let version = Schemas.migrations.last?.version ?? 0

    /// Base tables that native readers use. Nothing else that a file holds is ever executed.
    static let baseTables = [
        "recording", "capability", "label", "vcpu", "memslot", "iteration", "harvest", "dirty_entry", "entry_time",
        "iteration_summary", "page_summary", "kvm_stat", "stop_latency", "loss", "watch_event", "marker",
        "foreign_rate", "oracle_verdict", "schema_migration",
    ]

    /// Brings a file, new or old, to the current version in one transaction.
    static func migrate(_ db: Database, tool: String) throws {
        try db.inTransaction(.immediate) {
            let present = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            for migration in Schemas.migrations where migration.version > present {
                try db.execute(sql: migration.sql)
                try db.execute(
                    sql: "INSERT INTO schema_migration VALUES (?, ?, ?, ?)",
                    arguments: [migration.version, migration.name, wallClockNs(), tool])
            }
            if present < version { try replaceViews(db) }
            try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
            return .commit
        }
    }

    /// Views carry no data: a migration makes them anew.
    static func replaceViews(_ db: Database, exactTimes: Bool = false) throws {
        for view in SchemaCatalog.objects where view.kind == .view {
            try db.execute(sql: "DROP VIEW IF EXISTS \(view.name)")
        }
        for sql in views(exactTimes: exactTimes) { try db.execute(sql: sql) }
    }

    /// Definitions of the public views. Where entries have exact times, `dirty.ts_ns` is looked up entry by entry;
    /// elsewhere it is the harvest's, so that a condition on it finds the harvests through their index.
    static func views(exactTimes: Bool) -> [String] {
        guard exactTimes else { return Schemas.views }
        return Schemas.views.map {
            $0.replacingOccurrences(
                of: "h.ts_ns AS ts_ns", with: "(SELECT t.ts_ns FROM entry_time AS t WHERE t.seq = e.seq) AS ts_ns")
        }
    }

    private static func wallClockNs() -> Int64 { Int64(Date().timeIntervalSince1970 * 1e9) }
}
