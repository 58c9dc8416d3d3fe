import EntryTable
import Foundation
import GRDB
import GRDBSQLite
import Model
import Schemas
import Synchronization

/// SQL on one recording that can do nothing but read.
///
/// The public views answer on every file, with or without plain rows: they are made anew in the session from the
/// program's own definitions, so what a file says about views does not matter.
package final class QuerySession: Sendable {
    package let file: RecordingFile
    let watch = Watch()
    /// Recordings beside it stay open, and so locked, as long as the session.
    private let others = Mutex<[RecordingFile]>([])

    /// Opens a session on the recording at `path`.
    ///
    /// - Throws: ``RecordingError``.
    package init(path: String) throws {
        file = try RecordingFile(path: path)
        let counts = try file.counts
        do {
            try file.connection.queue.unsafeReentrantRead { db in
                if counts.rows < counts.entries || file.state == .recording { try Self.shadowRows(db) }
                let timeline = Self.slotTimeline(file)
                if let timeline { db.add(function: timeline) }
                for view in Schema.views(exactTimes: file.derived.exactTimes, slotFunction: timeline?.name) {
                    try db.execute(sql: view.replacingOccurrences(of: "CREATE VIEW", with: "CREATE TEMP VIEW"))
                }
                for table in Schema.optionalTables where try !Schema.isThere(table, db) {
                    let columns = SchemaCatalog.columns(of: table).map { "NULL AS \($0)" }.joined(separator: ", ")
                    try db.execute(sql: "CREATE TEMP VIEW \(table) AS SELECT \(columns) WHERE 0")
                }
                // Its first use declares its columns, which the authorizer would take for an attempt to create a table.
                try db.execute(sql: "SELECT 1 FROM \(EntryTable.name) LIMIT 0")
                unsafe sqlite3_set_authorizer(db.sqliteConnection, Self.authorize, nil)
                let context = unsafe Unmanaged.passUnretained(watch).toOpaque()
                unsafe sqlite3_progress_handler(db.sqliteConnection, Self.checkInterval, Self.check, context)
            }
        } catch { throw RecordingError.reading(path, error) }
    }

    /// Finds slots where there are many, in a file that does not change; nil elsewhere.
    private static func slotTimeline(_ file: RecordingFile) -> DatabaseFunction? {
        // A damaged row of slots must not keep the rest of the file from being asked.
        guard file.state != .recording, let slots = try? file.slots, slots.count >= SlotTimeline.worthwhile else {
            return nil
        }
        let timeline = Mutex(SlotTimeline(slots))
        return DatabaseFunction("_slot_at", argumentCount: 2, pure: true) { values in
            guard let gfn = Int64.fromDatabaseValue(values[0]), let ns = Int64.fromDatabaseValue(values[1]) else {
                return nil
            }
            return timeline.withLock { $0.slot(of: GFN(bitPattern: gfn), at: ns) }
        }
    }

    /// Runs statements one after the other, and hands out their rows as they come.
    ///
    /// - Parameters:
    ///   - sql: One statement or several.
    ///   - parameters: Values by name without prefix; `limit` is bound to `:limit`, `@limit` or `$limit`.
    ///   - timeout: The longest time for all statements together.
    ///   - columns: Receives the column names of each statement that returns rows, before its rows.
    ///   - row: Receives each row.
    /// - Throws: ``RecordingError``, and what `columns` and `row` throw.
    package func run(
        _ sql: String, parameters: [String: SQLValue] = [:], timeout: Duration? = nil,
        columns: ([String]) throws -> Void, row: ([SQLValue]) throws -> Void
    ) throws {
        watch.begin(timeout)
        do {
            try file.connection.queue.unsafeReentrantRead { db in
                var rest = Substring(sql)
                while let statement = try RawStatement(db, firstOf: &rest) {
                    guard statement.isReadOnly else { throw DatabaseError(resultCode: .SQLITE_AUTH) }
                    try bind(parameters, to: statement)
                    let count = statement.columnCount
                    if count > 0 { try columns((0..<count).map(statement.columnName)) }
                    while try statement.step() { try row((0..<count).map(statement.value)) }
                }
            }
        } catch let error as DatabaseError { throw explain(error) }
    }

    /// How many statements of `sql` return rows; it is prepared only.
    ///
    /// - Throws: ``RecordingError``.
    package func resultCount(of sql: String) throws -> Int {
        do {
            return try file.connection.queue.unsafeReentrantRead { db in
                var (rest, count) = (Substring(sql), 0)
                while let statement = try RawStatement(db, firstOf: &rest) {
                    count += statement.columnCount > 0 ? 1 : 0
                }
                return count
            }
        } catch let error as DatabaseError { throw explain(error) }
    }

    func keep(_ other: RecordingFile) { others.withLock { $0.append(other) } }

    /// Stops the run in progress; callable from any thread.
    package func interrupt() { watch.interrupt() }

    func bind(_ parameters: [String: SQLValue], to statement: RawStatement) throws {
        for (index, name) in statement.parameterNames {
            guard let value = parameters[name] else {
                throw RecordingError(file.path, .query("it has the parameter '\(name)', but no value for it was given"))
            }
            statement.bind(index, value)
        }
    }

    func explain(_ error: DatabaseError) -> RecordingError {
        switch error.resultCode {
        case .SQLITE_INTERRUPT: RecordingError(file.path, watch.timedOut ? .timeout : .interrupted)
        case .SQLITE_AUTH, .SQLITE_READONLY: RecordingError(file.path, .query("only statements that read are allowed"))
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: RecordingError.reading(file.path, error)
        case .SQLITE_NOMEM:
            RecordingError(
                file.path,
                .query(
                    "it needs more than \(Units.size(Connection.mostMemory)) of memory: ask for fewer or shorter values"
                ))
        case .SQLITE_TOOBIG:
            RecordingError(
                file.path,
                .query("a value is longer than \(Units.size(Int64(Connection.longestValue))): ask for a part of it"))
        default: RecordingError(file.path, .query(Self.suggesting(error.message ?? "\(error.resultCode)")))
        }
    }

    /// A message of SQLite, and what a name that it does not know may have been meant to be.
    private static func suggesting(_ message: String) -> String {
        let columns = SchemaCatalog.objects.flatMap { $0.columns.map(\.name) }
        for (beginning, known) in [
            ("no such table: ", SchemaCatalog.objects.map(\.name)), ("no such column: ", columns),
        ] where message.hasPrefix(beginning) {
            let name = String(message.dropFirst(beginning.count).split(separator: ".").last ?? "")
            if let nearest = Suggestion.nearest(to: name, among: known) {
                return message + " (did you mean \(nearest)?)"
            }
        }
        return message
    }

    /// Puts decoded segments in the place of plain rows.
    private static func shadowRows(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TEMP VIEW dirty_entry AS SELECT seq, gfn FROM \(EntryTable.name);
                CREATE TEMP VIEW entry_time AS SELECT seq, ts_ns FROM \(EntryTable.name)
                    WHERE (SELECT exact_times FROM main.recording);
                """)
    }

    // MARK: - What SQL may do

    /// Pragmas that only tell; with an argument, only those that take the name of what to tell about.
    private static let pragmas: Set = [
        "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list",
    ]
    private static let plainPragmas: Set = [
        "user_version", "application_id", "page_count", "page_size", "encoding", "compile_options", "journal_mode",
        "database_list", "function_list", "schema_version",
    ]
    private static let functions: Set = ["load_extension", "fts3_tokenizer", "edit", "readfile", "writefile"]

    static let authorize:
        @convention(c) (
            UnsafeMutableRawPointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?,
            UnsafePointer<CChar>?
        ) -> Int32 = { _, action, first, second, _, _ in
            func word(_ text: UnsafePointer<CChar>?) -> String? {
                unsafe text.map { unsafe String(cString: $0).lowercased() }
            }
            let allowed =
                switch action {
                case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: true
                case SQLITE_FUNCTION: unsafe !functions.contains(word(second) ?? "")
                case SQLITE_PRAGMA:
                    unsafe pragmas.contains(word(first) ?? "")
                        || (second == nil && plainPragmas.contains(word(first) ?? ""))
                default: false
                }
            return allowed ? SQLITE_OK : SQLITE_DENY
        }

    // MARK: - How long it may take

    /// Virtual-machine instructions between two looks at the clock: about ten microseconds.
    private static let checkInterval: Int32 = 1000

    private static let check: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { context in
        guard let context = unsafe context else { return 0 }
        return unsafe Unmanaged<Watch>.fromOpaque(context).takeUnretainedValue().mustStop ? 1 : 0
    }

    final class Watch: Sendable {
        private struct State {
            var deadline: ContinuousClock.Instant?
            var interrupted = false
        }
        private let state = Mutex(State())

        func begin(_ timeout: Duration?) {
            state.withLock { $0 = State(deadline: timeout.map { ContinuousClock.now + $0 }) }
        }
        func interrupt() { state.withLock { $0.interrupted = true } }
        var timedOut: Bool { state.withLock { !$0.interrupted } }
        var mustStop: Bool {
            state.withLock { state in
                if state.interrupted { return true }
                return state.deadline.map { ContinuousClock.now >= $0 } ?? false
            }
        }
    }
}
