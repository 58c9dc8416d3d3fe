import EntryTable
import GRDB
import Model

/// How far the completion of a recording has got.
package struct FinishProgress: Sendable, Equatable {
    /// What is being made.
    package enum Phase: String, Sendable { case rows, summaries, check }
    package let phase: Phase
    package let completed: Int64
    package let total: Int64
}

/// In how many pieces a finished recording is left.
package enum Completion: Sendable, Equatable {
    /// The file is all there is to keep.
    case whole
    /// Somebody reads it just now, so the log must stay: the file is not whole without it.
    case withLog
    /// Somebody who reads it kept it locked: rows or summaries are missing.
    case partial
}

/// Completes a recording: end reason, single file, plain rows, summaries. Each step may be interrupted and repeated.
///
/// Rows and summaries are written without the log, straight into the file: half the bytes. A kill leaves a rollback
/// journal, which any writer undoes; until then readers use the packed entries, which this never touches.
struct Finisher {
    let connection: Connection
    let path: String
    let progress: ((FinishProgress) -> Void)?

    /// One transaction of plain rows; progress is told after each.
    private static let rowsPerTransaction: Int64 = 1 << 20

    /// Says when and why the recording ended.
    func end(reason: EndReason, endNs: Int64, labels: [String: String] = [:]) throws {
        try connection.queue.inDatabase { db in
            try db.execute(sql: "UPDATE recording SET end_ns = ?, end_reason = ?", arguments: [endNs, reason.rawValue])
            for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
                try db.execute(sql: "INSERT INTO label(key, value) VALUES (?, ?)", arguments: [key, value])
            }
        }
    }

    /// Makes plain rows of all entries that have none yet.
    func expandRows() throws {
        try connection.queue.inDatabase { db in
            let total = try RecordingFile.Counts(db, path).entries
            let (_, derived) = try RecordingInfo.read(db, path)
            var done = derived.rowsThrough
            while done < total {
                let end = min(done + Self.rowsPerTransaction, total)
                try db.inTransaction {
                    // SQLite numbers the rows itself: then it appends without a search for each row. The numbers are
                    // right if the last one is.
                    try db.execute(
                        sql:
                            "INSERT INTO dirty_entry(gfn) SELECT gfn FROM \(EntryTable.name) WHERE seq BETWEEN ? AND ?",
                        arguments: [done + 1, end])
                    let last = try Int64.fetchOne(db, sql: "SELECT max(seq) FROM dirty_entry")
                    guard last == end else {
                        throw RecordingError(
                            path, .corrupt(table: "dirty_entry", row: last, "there are rows that nobody made"))
                    }
                    if derived.exactTimes {
                        try db.execute(
                            sql: """
                                INSERT INTO entry_time SELECT seq, ts_ns FROM \(EntryTable.name)
                                WHERE seq BETWEEN ? AND ?
                                """,
                            arguments: [done + 1, end])
                    }
                    try db.execute(sql: "UPDATE recording SET rows_through = ?", arguments: [end])
                    return .commit
                }
                done = end
                progress?(FinishProgress(phase: .rows, completed: done, total: total))
            }
        }
    }

    /// Forgets rows and summaries, so that they are made anew.
    func dropDerived() throws {
        try connection.queue.inDatabase { db in
            try db.inTransaction {
                try db.execute(
                    sql: """
                        DELETE FROM dirty_entry;
                        DELETE FROM entry_time;
                        UPDATE recording SET rows_through = 0, summarized = 0;
                        """)
                return .commit
            }
        }
    }

    /// Adds an index by page, for many questions about single pages.
    func indexGFNs() throws {
        try connection.queue.inDatabase(Self.indexGFNs)
    }

    static func indexGFNs(_ db: Database) throws {
        try db.execute(sql: "CREATE INDEX IF NOT EXISTS dirty_entry_gfn ON dirty_entry(gfn)")
    }

    /// Writes the summary tables in one transaction: what has been summed up while the file was written, or else what
    /// its segments say.
    func summarize(_ running: RunningSummary? = nil) throws {
        try connection.queue.inDatabase { db in
            try db.inTransaction {
                try db.execute(sql: "DELETE FROM iteration_summary; DELETE FROM page_summary; DELETE FROM vcpu")
                var iterations = try Insertion(db, RunningSummary.IterationRow.table)
                var pages = try Insertion(db, RunningSummary.PageRow.table)
                var vcpus = try Insertion(db, RunningSummary.VCPURow.table)
                var summary = try running ?? replayed(db) { try iterations.insert($0) }
                let (rows, entries) = try summary.finish(
                    iteration: { try iterations.insert($0) }, page: { try pages.insert($0) })
                progress?(FinishProgress(phase: .summaries, completed: entries, total: entries))
                for row in rows { try vcpus.insert(row) }
                try db.execute(sql: "UPDATE recording SET summarized = 1")
                return .commit
            }
        }
    }

    private func replayed(
        _ db: Database, _ take: @escaping (RunningSummary.IterationRow) throws -> Void
    ) throws -> RunningSummary {
        let (info, _) = try RecordingInfo.read(db, path)
        let total = try RecordingFile.Counts(db, path).entries
        let report = progress
        var summary = RunningSummary(
            vcpuCount: info.vcpuCount,
            follower: RunningSummary.Follower(
                row: take, progress: { report?(FinishProgress(phase: .summaries, completed: $0, total: total)) }))
        try RecordingReader(db: db, path: path, info: info).replay(into: &summary)
        return summary
    }

    /// Moves the log into the file and goes on without one. While somebody reads a recording that has just ended, the
    /// log has to stay; all else works with it, too.
    ///
    /// - Returns: Whether there is no log any more.
    @discardableResult
    func leaveLog() throws -> Bool {
        try waitingShortly { db in
            var mode: String?
            do {
                mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {}
            // Without a log each transaction must reach the disk in order, or a power cut could tear pages; with one,
            // nobody else syncs it any more.
            try db.execute(sql: "PRAGMA synchronous = EXTRA")
            return mode == "delete"
        }
    }

    /// Moves the log into the file, which is not in anybody's way unless he is reading at this moment.
    ///
    /// - Returns: Whether all of it is there.
    private func emptyLog() throws -> Bool {
        try waitingShortly { try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)")?[0] == 0 }
    }

    /// Somebody who follows a recording will not go away: nobody waits for him for long.
    private func waitingShortly<Result>(_ body: (Database) throws -> Result) throws -> Result {
        try connection.queue.inDatabase { db in
            try db.execute(sql: "PRAGMA busy_timeout = 500")
            defer { try? db.execute(sql: "PRAGMA busy_timeout = 5000") }
            return try body(db)
        }
    }

    /// Leaves the file alone in its folder, if no reader needs the log.
    ///
    /// - Returns: Whether the file is whole without a log.
    func close() throws -> Bool {
        let isWhole = try leaveLog() || emptyLog()
        try connection.queue.close()
        return isWhole
    }
}
