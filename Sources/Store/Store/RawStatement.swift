import GRDB
import GRDBSQLite
import Model

/// A prepared statement on the raw handle, for hot paths and for values that cannot be trusted.
/// It must not outlive its connection, and is used on the connection's queue only.
@safe final class RawStatement {
    private let handle: OpaquePointer
    private let database: OpaquePointer
    private var isAtEnd = false

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

    /// Compiles the first statement of `sql` and leaves the rest; nil when nothing but space and comments is left.
    init?(_ db: Database, firstOf sql: inout Substring) throws {
        guard let connection = unsafe db.sqliteConnection else { throw DatabaseError(resultCode: .SQLITE_MISUSE) }
        var handle: OpaquePointer?
        while unsafe handle == nil {
            if sql.isEmpty { return nil }
            var used = 0
            let code = unsafe String(sql).withCString { text in
                var tail: UnsafePointer<CChar>?
                let code = unsafe sqlite3_prepare_v3(connection, text, -1, 0, &handle, &tail)
                unsafe used = tail.map { unsafe $0 - text } ?? 0
                return code
            }
            guard code == SQLITE_OK else { throw unsafe Self.failure(connection, nil) }
            // A NUL in the text ends it for SQLite, and so for us.
            sql = used == 0 ? "" : Substring(sql.utf8.dropFirst(used))
        }
        guard let handle = unsafe handle else { return nil }
        unsafe (self.handle, self.database) = (handle, connection)
    }

    deinit { unsafe sqlite3_finalize(handle) }

    func bind(_ index: Int32, _ value: Int64?) {
        if let value {
            unsafe sqlite3_bind_int64(handle, index, value)
        } else {
            unsafe sqlite3_bind_null(handle, index)
        }
    }

    func bind(_ index: Int32, _ value: String?) {
        guard let value else { return bind(index, nil as Int64?) }
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

    /// Advances to the next row; false at the end, and from then on until ``reset()``.
    func step() throws -> Bool {
        if isAtEnd { return false }
        switch unsafe sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            // Another step would begin anew.
            isAtEnd = true
            return false
        default: throw failure()
        }
    }

    func reset() {
        unsafe sqlite3_reset(handle)
        isAtEnd = false
    }

    /// Whether the statement changes nothing in the file.
    var isReadOnly: Bool { unsafe sqlite3_stmt_readonly(handle) != 0 }

    /// Indexes and names of the parameters, the names without their prefix.
    var parameterNames: [(Int32, String)] {
        unsafe (0..<sqlite3_bind_parameter_count(handle)).map { place in
            let name = unsafe sqlite3_bind_parameter_name(handle, place + 1).map { unsafe String(cString: $0) }
            return (place + 1, String(name?.dropFirst() ?? ""))
        }
    }

    func bind(_ index: Int32, _ value: SQLValue) {
        let transient = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .null: unsafe sqlite3_bind_null(handle, index)
        case .integer(let value): bind(index, value)
        case .real(let value): unsafe sqlite3_bind_double(handle, index, value)
        case .text(let value): bind(index, value)
        case .blob(let value): unsafe sqlite3_bind_blob64(handle, index, value, UInt64(value.count), transient)
        }
    }

    func value(_ column: Int32) -> SQLValue {
        switch type(column) {
        case SQLITE_INTEGER: .integer(int64(column))
        case SQLITE_FLOAT: unsafe .real(sqlite3_column_double(handle, column))
        case SQLITE_TEXT: .text(text(column))
        case SQLITE_BLOB: .blob(withBytes(column) { unsafe $0.withUnsafeBufferPointer { unsafe Array($0) } })
        default: .null
        }
    }

    var columnCount: Int32 { unsafe sqlite3_column_count(handle) }
    func columnName(_ column: Int32) -> String { unsafe String(cString: sqlite3_column_name(handle, column)) }
    func type(_ column: Int32) -> Int32 { unsafe sqlite3_column_type(handle, column) }
    func int64(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

    /// The integer, or nil for anything else.
    func integer(_ column: Int32) -> Int64? { type(column) == SQLITE_INTEGER ? int64(column) : nil }

    func byteCount(_ column: Int32) -> Int { unsafe Int(sqlite3_column_bytes(handle, column)) }

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
