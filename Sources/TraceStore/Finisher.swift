import GRDB
import TraceModel

/// How far the completion of a recording has got.
public struct FinishProgress: Sendable, Equatable {
    /// What is being made.
    public enum Phase: String, Sendable { case rows, summaries }
    /// What is being made.
    public let phase: Phase
    /// Entries done.
    public let completed: Int64
    /// Entries to do.
    public let total: Int64
}

/// Completes a recording: end reason, plain rows, summaries, single file. Each step may be interrupted and repeated.
struct Finisher {
    let connection: Connection
    let path: String
    let progress: ((FinishProgress) -> Void)?

    /// One transaction of plain rows. Its pages pass through the log, which is then moved into the file.
    private static let rowsPerTransaction: Int64 = 1 << 20

    /// Says when and why the recording ended.
    func end(reason: EndReason, endNs: Int64) throws {
        try connection.queue.inDatabase { db in
            try db.execute(sql: "UPDATE recording SET end_ns = ?, end_reason = ?", arguments: [endNs, reason.rawValue])
        }
    }

    /// Makes plain rows of all entries that have none yet.
    func expandRows() throws {
        try connection.queue.inDatabase { db in
            try EntryTable.register(db)
            let total = try Int64.fetchOne(db, sql: "SELECT coalesce(sum(entry_count), 0) FROM harvest") ?? 0
            let (_, derived) = try RecordingInfo.read(db, path)
            var done = derived.rowsThrough
            while done < total {
                let end = min(done + Self.rowsPerTransaction, total)
                try db.inTransaction {
                    try db.execute(
                        sql:
                            "INSERT INTO dirty_entry SELECT seq, gfn FROM \(EntryTable.name) WHERE seq BETWEEN ? AND ?",
                        arguments: [done + 1, end])
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
        try connection.queue.inDatabase { db in
            try db.execute(sql: "CREATE INDEX IF NOT EXISTS dirty_entry_gfn ON dirty_entry(gfn)")
        }
    }

    /// Writes the summary tables in one transaction.
    func summarize() throws {
        try connection.queue.inDatabase { db in
            let (info, _) = try RecordingInfo.read(db, path)
            let total = try Int64.fetchOne(db, sql: "SELECT coalesce(sum(entry_count), 0) FROM harvest") ?? 0
            try db.inTransaction {
                try db.execute(sql: "DELETE FROM iteration_summary; DELETE FROM page_summary")
                let iterations = try RawStatement(db, "INSERT INTO iteration_summary VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
                let pages = try RawStatement(db, "INSERT INTO page_summary VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                let report = progress
                var summary = Summary(
                    vcpuCount: info.vcpuCount,
                    emit: { row in
                        let counts = row.counts
                        try iterations.run([
                            row.iteration, counts.entries, counts.distinct, row.newPages, counts.crossRing,
                            counts.sameRing, counts.provisional, counts.vmm,
                        ])
                    },
                    progress: { report?(FinishProgress(phase: .summaries, completed: $0, total: total)) })
                try TraceReader(db: db, path: path, info: info).replay(into: &summary)
                try summary.finish { try pages.run($0.columns) }
                for (vcpu, totals) in summary.vcpus.enumerated() {
                    try db.execute(
                        sql: "INSERT OR REPLACE INTO vcpu VALUES (?, ?, ?, ?, ?, ?)",
                        arguments: [
                            vcpu, totals.harvests, totals.entries, totals.uniquePages, totals.ringFull, totals.stallNs,
                        ])
                }
                try db.execute(sql: "UPDATE recording SET summarized = 1")
                return .commit
            }
        }
    }

    /// Moves the log into the file and leaves the file alone in its folder. While somebody reads the file, the log has
    /// to stay; whoever opens it for writing next, `dirtyrec recover` for instance, moves it in.
    func close() throws {
        try connection.queue.inDatabase { db in
            do {
                _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {}
        }
        try connection.queue.close()
    }
}
