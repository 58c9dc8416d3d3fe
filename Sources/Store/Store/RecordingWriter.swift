import Foundation
import GRDB
import Model
import Platform

/// Writes a recording, one transaction an iteration. For one thread at a time.
///
/// What ``commit(_:)`` has returned from survives `kill -9` of the process; what ``syncedIterations`` counts survives a
/// power cut, too. Only one writer can work on a file; readers see whole iterations meanwhile.
package final class RecordingWriter {
    /// How to create the file.
    package struct Options: Sendable {
        /// Replace a file that is there already.
        ///
        /// The new recording begins in `FILE.new`; the old file stays untouched until the first iteration of the new one
        /// is on the disk.
        package var replace = false
        /// When iterations are brought to the disk.
        package var sync = SyncPolicy.standard
        /// Iterations that come within so many nanoseconds share a transaction: for those that are made faster than they
        /// could be committed, and could be made again. Without effect where every iteration is synced.
        package var groupNs: Int64 = 0
        /// Called with the number of iterations that are safe whenever it has grown, on any thread.
        package var onSync: (@Sendable (Int64) -> Void)?

        /// Refuses to replace anything, unless told.
        package init(
            replace: Bool = false, sync: SyncPolicy = .standard, groupNs: Int64 = 0,
            onSync: (@Sendable (Int64) -> Void)? = nil
        ) {
            (self.replace, self.sync, self.groupNs, self.onSync) = (replace, sync, groupNs, onSync)
        }
    }

    /// Where the recording ends up, as the user wrote it.
    package let path: String
    /// Iterations that are in the file, whatever happens to the process; those of a group are not counted before its end.
    package private(set) var committedIterations: Int64 = 0
    /// Iterations that are in the file even after a power cut.
    package var syncedIterations: Int64 { sync?.synced ?? 0 }
    /// Whether nothing has come yet that is worth a file: no iteration, and no migration's log.
    package var isEmpty: Bool { committedIterations + grouped == 0 && !hasMigrations }
    /// Entries that are in the file, whatever happens to the process.
    package var committedEntries: Int64 { committedPosition.seq - 1 }

    /// What the iterations hold; of entries only as far as they were committed without an error. Entries are counted when it is asked.
    package var totals: RunningTotals {
        do { try summary?.show(in: &known) } catch { summary = nil }
        return known
    }

    private let options: Options
    /// A migration's log is a recording without an iteration, too.
    private let hasMigrations: Bool
    private var known = RunningTotals()
    /// What the summary tables will say; nil once something was rolled back that it knows: then the file is asked at the end.
    private var summary: RunningSummary?
    /// Where the recording ends up: not at a link, but at what it leads to.
    private let target: String
    private var connection: Connection
    private var tables: RecordingTables?
    /// Numbers that the next harvest gets; ahead of what is committed while an iteration comes in parts.
    private var position = RecordingTables.Position(harvest: 1, seq: 1)
    private var committedPosition = RecordingTables.Position(harvest: 1, seq: 1)
    /// Whole iterations in the open transaction, and when it began.
    private var grouped: Int64 = 0
    private var groupStart: Int64 = 0
    /// The file to be replaced, kept locked until it is.
    private var replaced: FileLock?
    /// Nil until the file has its place and its log.
    private var sync: LogSync?

    /// Tries whether a file can be created at `path`, and leaves nothing behind.
    ///
    /// - Throws: ``RecordingError``, as the initialiser would.
    package static func checkPlace(_ path: String, options: Options = Options()) throws {
        let replaced = options.replace ? try lockReplaced(path) : nil
        let target = options.replace ? Connection.resolved(path) : path
        let file = replaced == nil ? target : target + ".new"
        _ = try create(file, reportedAs: path, replacing: replaced)
        removeFiles(file)
    }

    /// Creates the file, exclusively, with its schema and provenance. If that fails, nothing is left behind.
    ///
    /// - Parameter migrations: What other tools said of the guest's migrations.
    /// - Throws: ``RecordingError``.
    package init(
        path: String, info: RecordingInfo, slots: [MemorySlot] = [], migrations: [MigrationObservation] = [],
        options: Options = Options()
    ) throws {
        (self.path, self.options, hasMigrations) = (path, options, !migrations.isEmpty)
        // The guest needs the other CPUs.
        summary = RunningSummary(vcpuCount: info.vcpuCount, workers: 1)
        replaced = options.replace ? try Self.lockReplaced(path) : nil
        target = options.replace ? Connection.resolved(path) : path
        let file = replaced == nil ? target : target + ".new"
        let lock = try Self.create(file, reportedAs: path, replacing: replaced)
        do {
            // A staged file gets its log only after it has moved: the log goes by the file's name.
            connection = try .writable(file, lock: lock, replaced == nil ? .log : .journal)
            try connection.queue.inDatabase { db in
                try Schema.migrate(db, tool: info.tool)
                try db.inTransaction {
                    try RecordingTables(db).insert(info, slots, migrations)
                    return .commit
                }
            }
            if replaced == nil { sync = try startSync(safe: 0) }
        } catch {
            Self.removeFiles(file)
            throw RecordingError.writing(path, error, .init())
        }
    }

    deinit { sync?.stop() }

    /// Adds one iteration, or a part of one, which is committed together with the parts that follow.
    ///
    /// After an error the file holds every iteration committed before, and the iteration may be added again from its
    /// beginning.
    ///
    /// - Throws: ``RecordingError``.
    package func commit(_ batch: IterationBatch) throws {
        do {
            if let failure = sync?.failure, failure != 0 { throw DatabaseError(resultCode: .SQLITE_IOERR) }
            // An iteration that comes in parts has a transaction of its own: what is not completed is dropped alone.
            if batch.isPart, grouped > 0 { try commitGroup() }
            try connection.queue.inDatabase { db in
                let tables = try self.tables ?? RecordingTables(db)
                self.tables = tables
                if !db.isInsideTransaction {
                    position = committedPosition
                    groupStart = monotonicNow()
                    try db.beginTransaction(.immediate)
                    // The harvests of a part come before the row of their iteration.
                    try db.execute(sql: "PRAGMA defer_foreign_keys = ON")
                }
                try tables.insert(batch, at: &position, into: &summary)
            }
            guard !batch.isPart else { return }
            grouped += 1
            known.add(batch)
            try summary?.visit(batch.iteration)
            let mayWait = options.groupNs > 0 && options.sync != .always && replaced == nil
            if !mayWait || monotonicNow() - groupStart >= options.groupNs { try commitGroup() }
        } catch {
            _ = takeSummary()
            rollBack()
            throw failure(error)
        }
    }

    /// Commits the iterations of the open transaction.
    private func commitGroup() throws {
        try requirePlace()
        try connection.queue.inDatabase { db in try db.commit() }
        committedPosition = position
        committedIterations += grouped
        grouped = 0
        if replaced != nil { try takePlace() }
        sync?.advance(to: committedIterations)
    }

    /// Ends the recording: end reason, more labels, plain rows (unless left out), summaries; then a single file is left.
    ///
    /// - Returns: What is left. If another program kept the file locked, it ended all the same, holds everything recorded, and
    ///   `dirtyrec recover` makes the rest.
    /// - Throws: ``RecordingError``. The file then holds every committed iteration, and `dirtyrec recover` completes it.
    @discardableResult
    package func finish(
        reason: EndReason, endNs: Int64, rows: Bool = true, labels: [String: String] = [:],
        progress: ((FinishProgress) -> Void)? = nil
    ) throws -> Completion {
        do {
            if grouped > 0 { try commitGroup() }
            rollBack()
            if replaced != nil { try takePlace() }
            let finisher = Finisher(connection: connection, path: path, progress: progress)
            try finisher.end(reason: reason, endNs: endNs, labels: labels)
            // From here on SQLite syncs what it writes.
            sync?.stop()
            sync?.sync()
            if let failure = sync?.failure, failure != 0 { throw DatabaseError(resultCode: .SQLITE_IOERR) }
            var completion = Completion.whole
            do {
                try finisher.leaveLog()
                if rows { try finisher.expandRows() }
                try finisher.summarize(takeSummary())
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY { completion = .partial }
            if try !finisher.close(), completion == .whole { completion = .withLog }
            try Self.syncFolder(target)
            return completion
        } catch { throw failure(error) }
    }

    /// Gives up a recording that has not got anywhere: removes the file if no iteration was committed.
    package func discard() {
        if grouped > 0 { try? commitGroup() }
        guard committedIterations == 0 else { return }
        tables = nil
        try? connection.queue.close()
        Self.removeFiles(replaced == nil ? target : target + ".new")
    }

    /// A file without a name, or under another one, is not what the user will look for.
    private func requirePlace() throws {
        guard connection.lock.isAt(replaced == nil ? target : target + ".new") else {
            throw RecordingError(path, .moved)
        }
    }

    /// What went wrong, and what is safe all the same: everything committed, if the disk still takes it.
    private func failure(_ error: any Error) -> RecordingError {
        do { try requirePlace() } catch let moved as RecordingError { return moved } catch {}
        sync?.sync()
        return .writing(path, error, .init(synced: syncedIterations, committed: committedIterations))
    }

    /// Makes the file's name and its log durable, and syncs the log from now on.
    private func startSync(safe: Int64) throws -> LogSync {
        try Self.syncFolder(target)
        let sync = try LogSync(path: target, policy: options.sync, safe: safe, onSync: options.onSync)
        sync.sync()
        return sync
    }

    private static func syncFolder(_ path: String) throws {
        let code = Durability.syncFolder(of: path)
        guard code == 0 else {
            throw RecordingError(path, .refused(doing: "sync the folder of", reason: systemError(code)))
        }
    }

    /// Drops the parts of an iteration that will not be completed. A full disk has made SQLite do so by itself.
    private func rollBack() {
        tables = nil
        grouped = 0
        connection.queue.inDatabase { db in
            guard db.isInsideTransaction else { return }
            try? db.rollback()
            _ = takeSummary()
        }
    }

    /// The summary, which counts nothing more; the totals stay.
    private func takeSummary() -> RunningSummary? {
        _ = totals
        defer { summary = nil }
        return summary
    }

    /// Moves a staged file, which is on the disk, to its place.
    ///
    /// An old file that was cut off has a log, which must not meet the new file, and without which the old file is not
    /// what it was. It goes as a whole then: should the power fail in between, there is only `FILE.new`, but all of it.
    private func takePlace() throws {
        tables = nil
        try connection.queue.close()
        if Self.companions.contains(where: { unsafe access(target + $0, F_OK) == 0 }) {
            _ = unsafe unlink(target)
            try Self.syncFolder(target)
            for suffix in Self.companions { _ = unsafe unlink(target + suffix) }
            try Self.syncFolder(target)
        }
        guard unsafe rename(target + ".new", target) == 0 else {
            throw RecordingError(path, .notReplaced(target + ".new", reason: systemError()))
        }
        replaced = nil
        connection = try .writable(target, lock: connection.lock, .log)
        sync = try startSync(safe: committedIterations)
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
    private static func create(_ file: String, reportedAs path: String, replacing old: FileLock?) throws -> FileLock {
        // What an earlier recorder left at the staging name is nobody's, unless that recorder still holds it.
        if old != nil, let left = try? FileLock(file, .exclusive) {
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
        if let old {
            var status = stat()
            if unsafe fstat(old.descriptor, &status) == 0 { fchmod(descriptor, status.st_mode & 0o7777) }
        }
        close(descriptor)
        // A log that outlived its file would be taken for the new file's.
        for suffix in companions { _ = unsafe unlink(file + suffix) }
        let lock = try FileLock(file, .exclusive)
        guard lock.isGranted else { throw RecordingError(path, .inUse) }
        return lock
    }
}
