import GRDB
import Model

/// Completes files after the recorder is gone. The only code besides the writer that changes a file.
package enum Recovery {
    /// What ``recover(path:rows:progress:)`` found and did.
    package struct Outcome: Sendable, Equatable {
        /// The file was cut off; its end reason is now `recovered`.
        package var wasCutOff = false
        /// The schema version that the file had, when it was an older one.
        package var migratedFrom: Int?
        /// Iterations in the file, all of them kept.
        package var iterations: Int64 = 0
        /// Entries in the file, all of them kept.
        package var entries: Int64 = 0
        package var completion = Completion.whole
    }

    /// Completes a file that was cut off or whose completion was interrupted: end reason, plain rows, summaries, single
    /// file. Loses nothing that was committed, and rows and summaries agree with the packed entries then. An older file is brought to the current schema.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - rows: Whether a cut-off recording gets plain rows.
    ///   - progress: Called now and then.
    /// - Throws: ``RecordingError``; `.notCutOff` when there is nothing to do.
    package static func recover(
        path: String, rows: Bool = true, progress: ((FinishProgress) -> Void)? = nil
    ) throws -> Outcome {
        try complete(path, progress) { finisher, file, outcome in
            let (info, derived) = file
            outcome.wasCutOff = info.endReason == nil
            let areRowsPartial = derived.rowsThrough > 0 && derived.rowsThrough < outcome.entries
            let wasLogLeft = finisher.connection.hadJournal
            guard
                outcome.wasCutOff || !derived.summarized || areRowsPartial || outcome.migratedFrom != nil || wasLogLeft
            else { throw RecordingError(path, .notCutOff) }
            if outcome.wasCutOff {
                try finisher.end(reason: .recovered, endNs: max(lastEnd(finisher, path), info.startNs))
            }
            if areRowsPartial || (rows && !derived.summarized) { try finisher.expandRows() }
            if !derived.summarized { try finisher.summarize() }
            // What damage has left of rows and summaries is not believed: the packed entries decide.
            guard try !isDerivedRight(path, outcome.entries, progress) else { return }
            let hadRows = derived.rowsThrough > 0
            try finisher.dropDerived()
            if rows || hadRows { try finisher.expandRows() }
            try finisher.summarize()
            guard try isDerivedRight(path, outcome.entries, progress) else {
                throw RecordingError(path, .damaged("rows or summaries do not come out as the packed entries say"))
            }
        }
    }

    /// Whether everything that is made from the packed entries agrees with them.
    private static func isDerivedRight(
        _ path: String, _ total: Int64, _ progress: ((FinishProgress) -> Void)?
    ) throws -> Bool {
        let findings = try Verifier.verify(path: path) { done in
            progress?(FinishProgress(phase: .check, completed: done, total: total))
        }
        return !findings.contains { Schema.derivedTables.contains($0.table) }
    }

    /// Makes the plain rows of a file that was recorded without them.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - indexed: Whether to add an index on `dirty_entry.gfn`, for many questions about single pages.
    ///   - rebuild: Whether to make rows and summaries anew even if they are there.
    ///   - progress: Called now and then.
    /// - Throws: ``RecordingError``.
    package static func expandRows(
        path: String, indexed: Bool = false, rebuild: Bool = false, progress: ((FinishProgress) -> Void)? = nil
    ) throws {
        _ = try complete(path, progress) { finisher, _, _ in
            if rebuild { try finisher.dropDerived() }
            try finisher.expandRows()
            if rebuild { try finisher.summarize() }
            if indexed { try finisher.indexGFNs() }
        }
    }

    private static func complete(
        _ path: String, _ progress: ((FinishProgress) -> Void)?,
        _ body: (Finisher, (RecordingInfo, Derived), inout Outcome) throws -> Void
    ) throws -> Outcome {
        let lock = try FileLock(path, .exclusive)
        guard lock.isGranted else { throw RecordingError(path, .inUse) }
        _ = try FileHeader(path, lock.descriptor)
        var outcome = Outcome()
        let connection: Connection
        let file: (RecordingInfo, Derived)
        do {
            // First as readers see it: a file that is no recording must not be touched.
            connection = try .writable(path, lock: lock, .asItIs)
            file = try connection.queue.inDatabase { db in
                outcome.migratedFrom = try RecordingFile.checkIdentity(db, path, olderAllowed: true)
                try Schema.checkDefinitions(db, path, version: outcome.migratedFrom ?? Schema.version)
                if outcome.migratedFrom != nil { try Schema.migrate(db, tool: "dirtyrec recover") }
                let counts = try RecordingFile.Counts(db, path)
                (outcome.iterations, outcome.entries) = (counts.iterations, counts.entries)
                return try RecordingInfo.read(db, path)
            }
        } catch { throw RecordingError.reading(path, error) }
        do {
            let finisher = Finisher(connection: connection, path: path, progress: progress)
            try finisher.leaveLog()
            try body(finisher, file, &outcome)
            if try !finisher.close() { outcome.completion = .withLog }
            return outcome
        } catch {
            throw RecordingError.writing(path, error, .init(synced: outcome.iterations, committed: outcome.iterations))
        }
    }

    /// When the last iteration ended, in nanoseconds; 0 without one.
    private static func lastEnd(_ finisher: Finisher, _ path: String) throws -> Int64 {
        try finisher.connection.queue.inDatabase { db in
            var rows = try CheckedRows(db, path, Iteration.table, ["end_ns"])
            var last: Int64 = 0
            while try rows.step() {
                var endNs: Int64 = 0
                try rows.time("end_ns", &endNs)
                last = max(last, endNs)
            }
            return last
        }
    }
}
