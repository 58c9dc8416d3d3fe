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
    private static func replaceViews(_ db: Database) throws {
        for view in SchemaCatalog.objects where view.kind == .view {
            try db.execute(sql: "DROP VIEW IF EXISTS \(view.name)")
        }
        for sql in Schemas.views { try db.execute(sql: sql) }
    }

    private static func wallClockNs() -> Int64 { Int64(Date().timeIntervalSince1970 * 1e9) }
}
