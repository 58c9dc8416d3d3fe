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

    /// Those that a recording has only if it asked for what they hold.
    static let optionalTables = ["page_content", "harvest_span", "migration"]

    /// Base tables that are made from the packed entries.
    static let derivedTables: Set = ["dirty_entry", "entry_time", "iteration_summary", "page_summary", "vcpu"]

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

    /// Makes sure that writing to the tables runs no SQL of the file: constraints, defaults, computed columns and indexes
    /// of expressions must be this program's own. Triggers are switched off, views are not used.
    static func checkDefinitions(_ db: Database, _ path: String, version: Int) throws {
        let own = try definitions(version: version)
        let definition = try RawStatement(db, "SELECT sql FROM main.sqlite_schema WHERE type = ? AND name = ?")
        let indexes = try RawStatement(db, "SELECT name FROM pragma_index_list(?) WHERE origin = 'c'")
        /// What the file says of an object; nil when it does not have it, or several.
        func stored(_ type: String, _ name: String) throws -> String? {
            defer { definition.reset() }
            definition.bind(1, type)
            definition.bind(2, name)
            guard try definition.step() else { return nil }
            let sql = definition.text(0)
            return try definition.step() ? nil : sql
        }
        for table in baseTables + optionalTables {
            guard let sql = own[table] else { continue }
            if try optionalTables.contains(table) && !isThere(table, db) { continue }
            guard try stored("table", table) == sql else {
                throw RecordingError(path, .foreignDefinition("table \(table)"))
            }
            indexes.reset()
            indexes.bind(1, table)
            while try indexes.step() {
                let index = indexes.text(0)
                guard let sql = own[index], try stored("index", index) == sql else {
                    throw RecordingError(path, .foreignDefinition("index \(index)"))
                }
            }
        }
    }

    /// Whether the file itself has anything by this name.
    static func isThere(_ table: String, _ db: Database) throws -> Bool {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM main.sqlite_schema WHERE name = ?", arguments: [table]) != 0
    }

    /// Tables and indexes of a version as SQLite keeps them, by name.
    private static func definitions(version: Int) throws -> [String: String] {
        try DatabaseQueue().inDatabase { db in
            for migration in Schemas.migrations where migration.version <= version {
                try db.execute(sql: migration.sql)
            }
            for sql in Schemas.optional { try db.execute(sql: sql) }
            try Finisher.indexGFNs(db)
            let rows = try Row.fetchAll(
                db, sql: "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["name"], $0["sql"]) })
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
    /// elsewhere it is the harvest's, so that a condition on it finds the harvests through their index. With
    /// `slotFunction`, `dirty.slot` is what it says of a GFN and the harvest's time.
    static func views(exactTimes: Bool, slotFunction: String? = nil) -> [String] {
        Schemas.views.map { view in
            var view = view
            if exactTimes {
                view = view.replacingOccurrences(
                    of: "h.ts_ns AS ts_ns", with: "(SELECT t.ts_ns FROM entry_time AS t WHERE t.seq = e.seq) AS ts_ns")
            }
            if let slotFunction, let start = view.range(of: "(\n        SELECT s.slot")?.lowerBound,
                let end = view.range(of: ") AS slot")?.lowerBound
            {
                view.replaceSubrange(start..<end, with: "\(slotFunction)(e.gfn, h.ts_ns")
            }
            return view
        }
    }

    private static func wallClockNs() -> Int64 { Int64(Date().timeIntervalSince1970 * 1e9) }
}
