import Foundation
import GRDB
import GRDBSQLite
import Model

/// What notebooks need beyond queries: several recordings side by side, and results that later queries can use. Both are
/// made by the session itself; SQL that the user writes still can do nothing but read.
extension QuerySession {
    /// The most recordings in one session.
    package static let mostAttached = 10
    /// What results of cells may take on disk, in pages of 4 KiB: 1 GiB.
    private static let mostCellPages = 262_144

    /// Whether `sql` ends with a complete statement.
    package static func isComplete(_ sql: String) -> Bool { unsafe sqlite3_complete(sql) != 0 }

    /// Whether `name` can be given to a cell: a plain word that means nothing else yet.
    package static func isFree(_ name: String) -> Bool {
        guard let first = name.utf8.first, first == 0x5f || (0x61...0x7a).contains(first | 0x20), name.utf8.count <= 64,
            name.utf8.allSatisfy({ $0 == 0x5f || (0x61...0x7a).contains($0 | 0x20) || (0x30...0x39).contains($0) })
        else { return false }
        let lower = name.lowercased()
        return !SchemaCatalog.objects.contains { $0.name == lower } && !lower.hasPrefix("sqlite_")
            && !["main", "temp"].contains(lower)
    }

    /// Makes the recording at `path` readable as schema `name`: `SELECT … FROM b.iteration_rate`.
    ///
    /// The views of such a schema are those that the file holds, so they must be exactly the program's own, and a
    /// recording without plain rows has an empty `dirty` there.
    ///
    /// - Throws: ``RecordingError``.
    package func attach(_ path: String, as name: String) throws {
        let other = try RecordingFile(path: path)
        guard other.state == .complete else {
            throw RecordingError(
                path, .query("only recordings that ended can be read side by side; finish it with dirtyrec recover"))
        }
        do {
            try other.connection.queue.unsafeReentrantRead { db in
                try Self.checkViews(db, path, exactTimes: other.derived.exactTimes)
            }
            try file.connection.queue.unsafeReentrantRead { db in
                let handle = unsafe db.sqliteConnection
                unsafe sqlite3_set_authorizer(handle, nil, nil)
                unsafe sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, Int32(Self.mostAttached))
                defer {
                    unsafe sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0)
                    unsafe sqlite3_set_authorizer(handle, Self.authorize, nil)
                }
                let statement = try RawStatement(db, "ATTACH ? AS ?")
                statement.bind(1, Connection.uri(path, "mode=ro"))
                statement.bind(2, name)
                try statement.run()
            }
        } catch { throw RecordingError.reading(path, error) }
        keep(other)
    }

    /// Runs one SELECT and keeps its rows as the table `name`, which later queries can use.
    ///
    /// - Throws: ``RecordingError``.
    package func define(_ name: String, as sql: String, parameters: [String: SQLValue] = [:], timeout: Duration? = nil)
        throws
    {
        guard Self.isFree(name) else {
            throw RecordingError(file.path, .query("'\(name)' is no free name for a result"))
        }
        watch.begin(timeout)
        do {
            try file.connection.queue.unsafeReentrantRead { db in
                // Alone and under the strict rules first: what follows must be one statement that reads.
                var rest = Substring(sql)
                guard let alone = try RawStatement(db, firstOf: &rest), alone.isReadOnly, alone.columnCount > 0 else {
                    throw RecordingError(file.path, .query("a result comes from one SELECT"))
                }
                guard try RawStatement(db, firstOf: &rest) == nil else {
                    throw RecordingError(
                        file.path, .query("a result comes from one SELECT, not from several statements"))
                }
                unsafe sqlite3_set_authorizer(db.sqliteConnection, Self.authorizeDefinition, nil)
                defer { unsafe sqlite3_set_authorizer(db.sqliteConnection, Self.authorize, nil) }
                try RawStatement(db, "PRAGMA temp.max_page_count = \(Self.mostCellPages)").drain()
                let statement = try RawStatement(db, "CREATE TEMP TABLE \"\(name)\" AS \(sql)")
                try bind(parameters, to: statement)
                try statement.drain()
            }
        } catch let error as DatabaseError { throw explain(error) }
    }

    /// No view of a file is used unless it is word for word the program's own.
    private static func checkViews(_ db: Database, _ path: String, exactTimes: Bool) throws {
        let own = Set(Schema.views(exactTimes: exactTimes).flatMap(statements))
        let stored = try RawStatement(db, "SELECT name, sql FROM main.sqlite_schema WHERE type IN ('view', 'trigger')")
        while try stored.step() {
            guard own.contains(stored.text(1)) else {
                throw RecordingError(
                    path, .corrupt(table: stored.text(0), row: nil, "it is not the view that dirtyrec makes"))
            }
        }
    }

    /// The `CREATE VIEW` statements of a file of views, as SQLite stores them.
    private static func statements(_ sql: String) -> [String] {
        sql.split(separator: ";").compactMap { part in
            part.firstRange(of: "CREATE VIEW").map { String(part[$0.lowerBound...]) }
        }
    }

    private static let authorizeDefinition:
        @convention(c) (
            UnsafeMutableRawPointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?,
            UnsafePointer<CChar>?
        ) -> Int32 = { context, action, first, second, database, trigger in
            let isTemporary = unsafe database.map { unsafe String(cString: $0) } == "temp"
            switch action {
            case SQLITE_CREATE_TEMP_TABLE: return SQLITE_OK
            case SQLITE_INSERT, SQLITE_UPDATE: return isTemporary ? SQLITE_OK : SQLITE_DENY
            case SQLITE_PRAGMA:
                return unsafe first.map { unsafe String(cString: $0) } == "max_page_count" && isTemporary
                    ? SQLITE_OK : SQLITE_DENY
            default: return unsafe authorize(context, action, first, second, database, trigger)
            }
        }
}

extension RawStatement {
    /// Runs the statement to its end, whatever rows it returns.
    fileprivate func drain() throws { while try step() {} }
}
