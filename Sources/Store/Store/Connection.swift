import CEntryTable
import CSQLiteShim
import Foundation
import GRDB
import GRDBSQLite
import Platform

/// A connection to the file together with the lock that guards it.
struct Connection {
    let path: String
    let queue: DatabaseQueue
    let lock: FileLock
    /// Whether a log or rollback journal lay beside the file when it was opened: an end that was not clean.
    let hadJournal: Bool
    /// Whether rows and summaries may be half-written, because their completion was interrupted.
    var isHalfDone = false

    /// No value of an honest file is longer: the packed entries of a harvest, with exact times, take at most 2 + 2²⁰ · 20
    /// bytes. It bounds what a hostile file or query can make us allocate.
    static let longestValue: Int32 = 24 << 20
    /// What all connections of the process may allocate together; what does not fit is sorted on disk, or refused.
    static let mostMemory: Int64 = 256 << 20

    /// How a transaction gets into the file.
    enum Journaling {
        /// By a log that somebody else syncs (``LogSync``); SQLite itself syncs it before pages move into the file. Never
        /// torn: a power cut takes the youngest iterations only.
        case log
        /// Straight, with a rollback journal: a commit is on the disk when it returns.
        case journal
        /// As the file is; a commit is on the disk when it returns.
        case asItIs
    }

    /// Opens a file for writing. The caller made sure that it may. What is committed survives `kill -9` of any process,
    /// because the kernel has its bytes.
    static func writable(_ path: String, lock: FileLock, _ journaling: Journaling) throws -> Connection {
        let hadJournal = size(resolved(path) + "-wal") != nil || size(resolved(path) + "-journal") != nil
        var configuration = hardened()
        // The transaction of an iteration that comes in parts stays open between them.
        configuration.allowsUnsafeTransactions = true
        // What other tables of a foreign file refer to would run their actions.
        configuration.foreignKeysEnabled = journaling != .asItIs
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA page_size = 8192;
                    PRAGMA synchronous = \(journaling == .log ? "NORMAL" : "EXTRA");
                    PRAGMA secure_delete = OFF;
                    PRAGMA cache_size = -16384;
                    PRAGMA wal_autocheckpoint = \(Self.checkpointPages);
                    PRAGMA journal_size_limit = \(Self.largestIdleLog);
                    """)
        }
        let queue = try DatabaseQueue(path: uri(path, "mode=rw"), configuration: configuration)
        // Only now, because the page size cannot change in WAL mode.
        if journaling != .asItIs {
            let mode = journaling == .log ? "WAL" : "DELETE"
            try queue.inDatabase { db in
                _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = \(mode)")
                // SQLite makes the log when it is first looked at.
                _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema")
            }
        }
        return Connection(path: path, queue: queue, lock: lock, hadJournal: hadJournal)
    }

    /// The log is moved into the file each time that it has grown to this many pages: 32 MiB.
    static let checkpointPages = 4096
    /// A log that a slow reader let grow is cut to this size when it begins anew.
    private static let largestIdleLog = 64 << 20

    /// Opens a file strictly for reading: nothing in its folder is changed or created.
    ///
    /// | the file                            | is read through                                                   |
    /// |-------------------------------------|-------------------------------------------------------------------|
    /// | ended cleanly                       | SQLite's plain read-only mode                                     |
    /// | is being recorded                   | the same; the log's shared index makes whole iterations visible   |
    /// | cut off                             | an index in private memory                                        |
    /// | cut off, and another program has it | the log's shared index: only there its commits can be seen        |
    /// | in WAL mode without a log           | `immutable`: there is nothing but the file                        |
    /// | cut off while rows were being made  | as the rollback journal would leave it                            |
    static func readOnly(_ path: String) throws -> Connection {
        let lock = try FileLock(path, .shared)
        let header = try FileHeader(path, lock.descriptor)
        let real = resolved(path)
        let logBytes = size(real + "-wal") ?? 0
        let journalBytes = size(real + "-journal") ?? 0
        var parameters = "mode=ro"
        let isHalfDone = lock.isGranted && journalBytes > 0
        if isHalfDone {
            csqlite_register_rollback_vfs()
            parameters = "mode=ro&immutable=1&vfs=\(CSQLITE_ROLLBACK_VFS)"
        } else if lock.isGranted, header.isWAL {
            if logBytes == 0 {
                parameters = "mode=ro&immutable=1"
            } else if !isIndexInUse(real + "-shm") {
                csqlite_register_private_wal_vfs()
                parameters = "mode=ro&vfs=\(CSQLITE_PRIVATE_WAL_VFS)"
            }
        }
        // The log may hold pages that the file does not have yet, and is the truth about its length; so is the journal.
        if logBytes == 0, lock.isGranted, !isHalfDone { try header.checkLength() }
        var configuration = hardened()
        configuration.readonly = true
        do {
            let queue = try DatabaseQueue(path: uri(path, parameters), configuration: configuration)
            return Connection(
                path: path, queue: queue, lock: lock, hadJournal: logBytes > 0 || journalBytes > 0,
                isHalfDone: isHalfDone)
        } catch { throw RecordingError.reading(path, error) }
    }

    /// A second way into the file for another thread, which must not outlive this one and its lock.
    func beside() throws -> DatabaseQueue {
        try DatabaseQueue(path: queue.path, configuration: queue.configuration)
    }

    /// Runs `body` on one state of the file: what others commit meanwhile stays out of sight.
    func snapshot<Result>(_ body: (Database) throws -> Result) throws -> Result {
        try queue.unsafeReentrantRead { db in
            let isOutermost = !db.isInsideTransaction
            if isOutermost { try db.beginTransaction(.deferred) }
            // Damage that was met within can make the commit fail; there is nothing to keep.
            defer { if isOutermost { unsafe sqlite3_exec(db.sqliteConnection, "ROLLBACK", nil, nil, nil) } }
            return try body(db)
        }
    }

    /// Every connection has the virtual table of entries, as if it had loaded our extension.
    private static let entryTable: Int32 = unsafe csqlite_auto_extension(sqlite3_dirtyrecsqlite_init)
    private static let formerLimit = sqlite3_hard_heap_limit64(mostMemory)

    private static func hardened() -> Configuration {
        precondition(entryTable == SQLITE_OK && formerLimit >= 0, "SQLite has no memory left")
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            guard let handle = unsafe db.sqliteConnection, unsafe csqlite_harden(handle) == SQLITE_OK else {
                throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "SQLite is too old for untrusted files")
            }
            unsafe sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0)
            unsafe sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, longestValue)
            // Users' SQL means the same here and in any other SQLite, whatever the host's language: what GRDB adds goes.
            for function: DatabaseFunction in [
                .capitalize, .lowercase, .uppercase, .localizedCapitalize, .localizedLowercase, .localizedUppercase,
            ] { db.remove(function: function) }
            for collation: DatabaseCollation in [
                .unicodeCompare, .caseInsensitiveCompare, .localizedCaseInsensitiveCompare, .localizedCompare,
                .localizedStandardCompare,
            ] { db.remove(collation: collation) }
            try db.execute(sql: "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0")
        }
        return configuration
    }

    /// Whether a process is connected through the log's shared index. Each one holds a shared lock on byte 128 of it as long
    /// as it is (the "dead man's switch" of SQLite's `os_unix.c`).
    private static func isIndexInUse(_ path: String) -> Bool {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        (lock.l_start, lock.l_len) = (128, 1)
        // Of an open file description: a connection of this process counts, too.
        return unsafe csqlite_get_lock(descriptor, &lock) == 0 && lock.l_type != Int16(F_UNLCK)
    }

    private static func size(_ path: String) -> Int64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// SQLite keeps the log beside the file itself, not beside a link to it.
    static func resolved(_ path: String) -> String {
        // A link may lead to a file that is not there yet.
        guard let real = unsafe realpath(path, nil) else { return (try? FilePlace(path))?.path ?? path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    static func uri(_ path: String, _ parameters: String) -> String {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        let escaped = absolute.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? absolute
        return "file://\(escaped)?\(parameters)"
    }
}

/// The first hundred bytes of an SQLite file.
struct FileHeader {
    private static let magic = Array("SQLite format 3\0".utf8)

    let path: String
    let fileBytes: Int64
    private let bytes: [UInt8]

    init(_ path: String, _ descriptor: CInt) throws {
        var status = stat()
        unsafe fstat(descriptor, &status)
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count == 100, bytes.starts(with: Self.magic) else { throw RecordingError(path, .notADatabase) }
        self.path = path
        self.fileBytes = Int64(status.st_size)
        self.bytes = bytes
    }

    var isWAL: Bool { bytes[18] == 2 || bytes[19] == 2 }

    /// Whether the file is as long as it says.
    private var isWhole: Bool { fileBytes >= expectedBytes }

    /// A copy that ended early is better told at once than by the first page that is missing.
    func checkLength() throws {
        guard isWhole else {
            throw RecordingError(path, .damaged("it ends after \(fileBytes) of \(expectedBytes) bytes"))
        }
    }

    private var expectedBytes: Int64 {
        let pageSize = integer(at: 16, bytes: 2) == 1 ? 65536 : integer(at: 16, bytes: 2)
        return integer(at: 28, bytes: 4) * pageSize
    }

    private func integer(at offset: Int, bytes count: Int) -> Int64 {
        bytes[offset..<offset + count].reduce(0) { $0 << 8 | Int64($1) }
    }
}
