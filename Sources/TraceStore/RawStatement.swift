import GRDB
import GRDBSQLite

/// A prepared statement on the raw handle, for hot paths and for values that cannot be trusted.
/// It must not outlive its connection, and is used on the connection's queue only.
@safe final class RawStatement {
    private let handle: OpaquePointer
    private let database: OpaquePointer

    convenience init(_ db: Database, _ sql: String) throws {
        guard let connection = unsafe db.sqliteConnection else { throw DatabaseError(resultCode: .SQLITE_MISUSE) }
        try unsafe self.init(connection, sql)
    }

    init(_ connection: OpaquePointer, _ sql: String) throws {
        unsafe self.database = connection
        var handle: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle = unsafe handle else { throw unsafe Self.failure(connection, sql) }
        unsafe self.handle = handle
    }

    deinit { unsafe sqlite3_finalize(handle) }

    func bind(_ index: Int32, _ value: Int64?) {
        if let value {
            unsafe sqlite3_bind_int64(handle, index, value)
        } else {
            unsafe sqlite3_bind_null(handle, index)
        }
    }

    func bind(_ index: Int32, _ value: String) {
        // SQLITE_TRANSIENT: SQLite takes its own copy.
        let transient = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        unsafe sqlite3_bind_text(handle, index, value, Int32(value.utf8.count), transient)
    }

    /// Binds `bytes` without copying them and runs the statement to its end.
    func run(blob bytes: [UInt8], at index: Int32) throws {
        try unsafe bytes.withUnsafeBytes { buffer in
            _ = unsafe sqlite3_bind_blob64(handle, index, buffer.baseAddress, UInt64(buffer.count), nil)
            try run()
        }
    }

    /// Binds integers from the first parameter on and runs the statement to its end.
    func run(_ values: [Int64?]) throws {
        for (index, value) in values.enumerated() { bind(Int32(index + 1), value) }
        try run()
    }

    /// Runs a statement that returns no rows, and makes it ready for the next run.
    func run() throws {
        let code = unsafe sqlite3_step(handle)
        guard code == SQLITE_DONE else {
            let error = failure()
            unsafe sqlite3_reset(handle)
            throw error
        }
        unsafe sqlite3_reset(handle)
    }

    /// Advances to the next row; false at the end.
    func step() throws -> Bool {
        switch unsafe sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw failure()
        }
    }

    func reset() { unsafe sqlite3_reset(handle) }

    var columnCount: Int32 { unsafe sqlite3_column_count(handle) }
    func columnName(_ column: Int32) -> String { unsafe String(cString: sqlite3_column_name(handle, column)) }
    func type(_ column: Int32) -> Int32 { unsafe sqlite3_column_type(handle, column) }
    func int64(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }
    func double(_ column: Int32) -> Double { unsafe sqlite3_column_double(handle, column) }

    func text(_ column: Int32) -> String { withBytes(column) { String(copying: $0) } }

    /// Calls `body` with the bytes of a blob or text, which are valid until then only.
    func withBytes<Result>(_ column: Int32, _ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
        let start = unsafe sqlite3_column_blob(handle, column)
        let count = unsafe Int(sqlite3_column_bytes(handle, column))
        let bytes = unsafe UnsafeBufferPointer(start: start?.assumingMemoryBound(to: UInt8.self), count: count)
        return try unsafe body(bytes.span)
    }

    private func failure() -> DatabaseError { unsafe Self.failure(database, nil) }

    private static func failure(_ database: OpaquePointer, _ sql: String?) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: unsafe sqlite3_extended_errcode(database)).primaryResultCode,
            message: unsafe String(cString: sqlite3_errmsg(database)), sql: sql)
    }
}

extension String {
    /// Text of a file; what is not UTF-8 becomes replacement characters.
    fileprivate init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
