import Foundation
import GRDB
import Model
import Platform

/// Writes a recording, one transaction an iteration. For one thread at a time.
///
/// What ``commit(_:)`` has returned from survives `kill -9` of the process. After a power cut the youngest iterations
/// may be missing, never torn. Only one writer can work on a file; readers see whole iterations meanwhile.
package final class RecordingWriter {
    /// How to create the file.
    package struct Options: Sendable {
        /// Replace a file that is there already.
        ///
        /// The new recording begins in `FILE.new`; the old file stays untouched until the first iteration is about to
        /// be committed, that is until the guest has really run.
        package var replace = false

        /// Refuses to replace anything.
        package init(replace: Bool = false) { self.replace = replace }
    }

    /// Where the recording ends up.
    package let path: String
    /// Iterations that are safe in the file.
    package private(set) var committedIterations: Int64 = 0
    /// Entries that are safe in the file.
    package var committedEntries: Int64 { committedPosition.seq - 1 }

    private var connection: Connection
    private var tables: RecordingTables?
    /// Numbers that the next harvest gets; ahead of what is committed while an iteration comes in parts.
    private var position = RecordingTables.Position(harvest: 1, seq: 1)
    private var committedPosition = RecordingTables.Position(harvest: 1, seq: 1)
    /// The file to be replaced, kept locked until it is.
    private var replaced: FileLock?

    /// Creates the file, exclusively, with its schema and provenance. If that fails, nothing is left behind.
    ///
    /// - Throws: ``RecordingError``.
    package init(path: String, info: RecordingInfo, slots: [MemorySlot] = [], options: Options = Options()) throws {
        self.path = path
        replaced = options.replace ? try Self.lockReplaced(path) : nil
        let file = replaced == nil ? path : path + ".new"
        let lock = try Self.create(file, reportedAs: path, stale: replaced != nil)
        do {
            // A staged file gets its log only after it has moved: the log goes by the file's name.
            connection = try .writable(file, lock: lock, journal: replaced == nil ? "WAL" : "DELETE")
            try connection.queue.inDatabase { db in
                try Schema.migrate(db, tool: info.tool)
                try db.inTransaction {
                    try RecordingTables.insert(db, info, slots)
                    return .commit
                }
            }
        } catch {
            Self.removeFiles(file)
            throw RecordingError.writing(path, error, safeIterations: 0)
        }
    }

    /// Adds one iteration, or a part of one, which is committed together with the parts that follow.
    ///
    /// After an error the file holds every iteration committed before, and the iteration may be added again from its
    /// beginning.
    ///
    /// - Throws: ``RecordingError``.
    package func commit(_ batch: IterationBatch) throws {
        do {
            try takePlace()
            try connection.queue.inDatabase { db in
                let tables = try self.tables ?? RecordingTables(db)
                self.tables = tables
                if !db.isInsideTransaction {
                    position = committedPosition
                    try db.beginTransaction(.immediate)
                    // The harvests of a part come before the row of their iteration.
                    try db.execute(sql: "PRAGMA defer_foreign_keys = ON")
                }
                try tables.insert(batch, at: &position)
                if !batch.isPart { try db.commit() }
            }
            guard !batch.isPart else { return }
            committedPosition = position
            committedIterations += 1
        } catch {
            tables = nil
            rollBack()
            throw RecordingError.writing(path, error, safeIterations: committedIterations)
        }
    }

    /// Ends the recording: end reason, more labels, plain rows (unless left out), summaries; then a single file is left.
    ///
    /// - Throws: ``RecordingError``. The file then holds every committed iteration, and `dirtyrec recover` completes it.
    package func finish(
        reason: EndReason, endNs: Int64, rows: Bool = true, labels: [String: String] = [:],
        progress: ((FinishProgress) -> Void)? = nil
    ) throws {
        do {
            try takePlace()
            tables = nil
            rollBack()
            let finisher = Finisher(connection: connection, path: path, progress: progress)
            try finisher.end(reason: reason, endNs: endNs, labels: labels)
            try finisher.leaveLog()
            if rows { try finisher.expandRows() }
            try finisher.summarize()
            try finisher.close()
        } catch { throw RecordingError.writing(path, error, safeIterations: committedIterations) }
    }

    /// Gives up a recording that has not got anywhere: removes the file if no iteration was committed.
    package func discard() {
        guard committedIterations == 0 else { return }
        tables = nil
        try? connection.queue.close()
        Self.removeFiles(replaced == nil ? path : path + ".new")
    }

    /// Drops the parts of an iteration that will not be completed. A full disk has made SQLite do so by itself.
    private func rollBack() {
        connection.queue.inDatabase { db in
            if db.isInsideTransaction { try? db.rollback() }
        }
    }

    /// Moves a staged file to its place. The old file's log must not meet the new file, so it goes first.
    private func takePlace() throws {
        guard replaced != nil else { return }
        try connection.queue.close()
        for suffix in Self.companions { _ = unsafe unlink(path + suffix) }
        guard unsafe rename(path + ".new", path) == 0 else {
            throw RecordingError(path, .refused(doing: "replace", reason: systemError()))
        }
        replaced = nil
        connection = try .writable(path, lock: connection.lock)
    }

    private static let companions = ["-wal", "-shm", "-journal"]

    private static func removeFiles(_ path: String) {
        for suffix in companions + [""] { _ = unsafe unlink(path + suffix) }
    }

    /// The lock on the file to be replaced; nil when there is none.
    private static func lockReplaced(_ path: String) throws -> FileLock? {
        do {
            let lock = try FileLock(path, .shared)
            guard lock.isGranted else { throw RecordingError(path, .inUse) }
            return lock
        } catch let error as RecordingError where error.problem == .missing { return nil }
    }

    /// Creates an empty file and locks it.
    private static func create(_ file: String, reportedAs path: String, stale: Bool) throws -> FileLock {
        // What an earlier recorder left at the staging name is nobody's, unless that recorder still holds it.
        if stale, let left = try? FileLock(file, .exclusive) {
            guard left.isGranted else { throw RecordingError(path, .inUse) }
            removeFiles(file)
        }
        let descriptor = unsafe open(file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            switch errno {
            case EEXIST: throw RecordingError(path, .exists)
            case ENOENT, ENOTDIR:
                let folder = (path as NSString).deletingLastPathComponent
                // Folders such as /proc are there, and take no file.
                guard !FileManager.default.fileExists(atPath: folder) else {
                    throw RecordingError(path, .refused(doing: "create", reason: "that folder takes no files"))
                }
                throw RecordingError(path, .folderMissing(folder))
            default: throw RecordingError(path, .refused(doing: "create", reason: systemError()))
            }
        }
        close(descriptor)
        // A log that outlived its file would be taken for the new file's.
        for suffix in companions { _ = unsafe unlink(file + suffix) }
        let lock = try FileLock(file, .exclusive)
        guard lock.isGranted else { throw RecordingError(path, .inUse) }
        return lock
    }
}
