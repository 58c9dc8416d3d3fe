import GRDB
import Model

/// A recording opened for reading. Nothing is ever written: neither to the file nor beside it.
///
/// The file is not trusted: values are checked before they are used, and no SQL that the file holds is executed.
package final class RecordingFile: Recording, Sendable {
    /// How far a recording got.
    package enum State: String, Sendable {
        /// It ended, or was recovered.
        case complete
        /// It was killed or ran out of room; every committed iteration is there.
        case cutOff = "cut_off"
        /// Somebody is recording it right now; whole iterations are visible.
        case recording
    }

    /// How much a file holds.
    package struct Counts: Sendable, Equatable {
        /// Iterations committed.
        package var iterations: Int64 = 0
        /// Harvests committed.
        package var harvests: Int64 = 0
        /// Entries committed.
        package var entries: Int64 = 0
        /// Plain rows: as many as entries, or fewer when they were left out or not finished.
        package var rows: Int64 = 0
    }

    package let path: String
    package let info: RecordingInfo
    /// How far the recording had got when the file was opened.
    package let state: State
    /// Whether the summary tables are complete.
    package let isSummarized: Bool
    let derived: Derived
    let connection: Connection

    /// Opens the recording at `path`.
    ///
    /// - Throws: ``RecordingError``.
    package init(path: String) throws {
        self.path = path
        let connection = try Connection.readOnly(path)
        self.connection = connection
        do {
            (info, derived) = try connection.queue.unsafeReentrantRead { db in
                try Self.checkIdentity(db, path)
                var (info, derived) = try RecordingInfo.read(db, path)
                if connection.isHalfDone { (derived.rowsThrough, derived.summarized) = (0, false) }
                return (info, derived)
            }
        } catch { throw RecordingError.reading(path, error) }
        isSummarized = derived.summarized
        state = info.endReason != nil ? .complete : connection.lock.isGranted ? .cutOff : .recording
    }

    /// Whether somebody was recording it when the file was opened.
    package var isInProgress: Bool { state == .recording }

    package var counts: Counts {
        get throws {
            try read { db in
                var counts = try Counts(db, path)
                counts.rows = min(derived.rowsThrough, counts.entries)
                return counts
            }
        }
    }

    package var slots: [MemorySlot] { get throws { try all() } }
    package var losses: [Loss] { get throws { try all() } }
    package var markers: [Marker] { get throws { try all() } }
    package var stops: [StopLatency] { get throws { try all() } }
    package var verdicts: [OracleVerdict] { get throws { try all() } }
    package var statistics: [KVMStatistic] { get throws { try all() } }
    package var foreignRates: [ForeignRate] { get throws { try all() } }
    package var watchEvents: [WatchEvent] { get throws { try all() } }
    package var migrations: [MigrationObservation] {
        get throws {
            try read { db in
                guard try Schema.isThere(MigrationObservation.table, db) else { return [] }
                var rows = try CheckedRows(db, path, MigrationObservation.table)
                var result: [MigrationObservation] = []
                while try rows.step() {
                    let next = try MigrationObservation(row: &rows)
                    let last = result.last?.attempt ?? 0
                    guard next.attempt == last + 1 || next.attempt == last, result.count < MigrationObservation.most
                    else {
                        throw rows.corrupt(
                            next.attempt - last > 1 || next.attempt < last
                                ? "attempt \(next.attempt) follows attempt \(last)"
                                : "there are more than \(MigrationObservation.most)")
                    }
                    result.append(next)
                }
                return result
            }
        }
    }

    /// Streams all harvests and iterations in order, in bounded memory. Of a recording in progress, it gives what was
    /// committed when the call began.
    package func replay(into visitor: inout some RecordingVisitor) throws {
        try read { db in try RecordingReader(db: db, path: path, info: info).replay(into: &visitor) }
    }

    /// Streams what sampled pages held; nothing if the recording did not ask.
    package func replayContents(_ body: (PageContent) throws -> Void) throws {
        try read { db in
            guard try Schema.isThere(PageContent.table, db) else { return }
            var rows = try CheckedRows(db, path, PageContent.table)
            var last: Int64 = 0
            while try rows.step() {
                let content = try PageContent(row: &rows)
                guard content.iteration >= last else { throw rows.corrupt("its iteration is over already") }
                let (digest, pageSize) = (content.digest, info.pageSize)
                guard digest.zstdBytes <= pageSize, digest.change?.xbzrleBytes ?? 0 <= pageSize,
                    digest.change?.words ?? 0 <= pageSize / 8
                else {
                    throw rows.corrupt("it takes more than a page")
                }
                last = content.iteration
                try body(content)
            }
        }
    }

    private func all<Record: StoredRecord>() throws -> [Record] {
        try read { db in
            var rows = try CheckedRows(db, path, Record.table)
            var result: [Record] = []
            while try rows.step() { result.append(try Record(row: &rows)) }
            return result
        }
    }

    /// Errors of SQLite become errors about the file; errors of a visitor stay what they are.
    private func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
        do {
            return try connection.snapshot(body)
        } catch let error as DatabaseError { throw RecordingError.reading(path, error) }
    }

    /// Makes sure that the database is a recording whose base tables are honest tables.
    ///
    /// - Returns: The version of an older file if that is allowed, nil for a current one.
    @discardableResult
    static func checkIdentity(_ db: Database, _ path: String, olderAllowed: Bool = false) throws -> Int? {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        guard application == Schema.applicationID else { throw RecordingError(path, .notARecording) }
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version <= Schema.version else { throw RecordingError(path, .newerSchema(version)) }
        if version < Schema.version, olderAllowed { return version }
        guard version == Schema.version else { throw RecordingError(path, .olderSchema(version)) }
        let rootPage = try RawStatement(
            db, "SELECT count(*) FROM main.sqlite_schema WHERE name = ? AND type = 'table' AND rootpage > 0")
        // A column by one of these names would stand in for the rowid.
        let computed = try RawStatement(
            db,
            """
            SELECT count(*) FROM pragma_table_xinfo(?)
            WHERE hidden <> 0 OR lower(name) IN ('rowid', '_rowid_', 'oid')
            """)
        for table in Schema.baseTables + Schema.optionalTables {
            if try Schema.optionalTables.contains(table) && !Schema.isThere(table, db) { continue }
            rootPage.bind(1, table)
            computed.bind(1, table)
            guard try rootPage.step(), rootPage.int64(0) == 1, try computed.step(), computed.int64(0) == 0 else {
                throw RecordingError(path, .corrupt(table: table, row: nil, "it is missing or not a plain table"))
            }
            rootPage.reset()
            computed.reset()
        }
        return nil
    }
}

extension RecordingFile.Counts {
    /// Counts all but rows, by walks that end: SQLite's own sums over pages that refer to each other in circles need not.
    ///
    /// - Throws: ``RecordingError``, or a `DatabaseError`.
    init(_ db: Database, _ path: String) throws {
        var walk = try CheckedRows(db, path, Iteration.table, ["id"])
        while try walk.step() { iterations += 1 }
        walk = try CheckedRows(db, path, Harvest.table, ["entry_count"])
        while try walk.step() {
            var count: Int64 = 0
            try walk.amount("entry_count", &count)
            harvests += 1
            entries += count
        }
    }
}
