import GRDB
import GRDBSQLite
import Model

/// Reads a base table of a file that cannot be trusted: every value is checked for type and range before it is used.
/// Columns are read by name.
struct CheckedRows: RowCoder {
    /// No time lies later (36 years after boot), and no column of amounts adds up to more: sums cannot overflow.
    private static let largest: Int64 = 1 << 60

    /// No text is longer: twice the longest command line that Linux takes.
    private static let longestText = 4 << 20

    private let statement: RawStatement
    private let path: String
    private let table: String
    private var columns: ColumnFinder
    private let vcpuCount: Int
    private var sum: Int64 = 0
    private(set) var rowNumber: Int64 = 0
    /// The rowid of the row being read, where the table has one.
    var rowID: Int64? { rowid }
    /// Bytes that texts and blobs may still add up to.
    private var room: Int64
    private var rowid: Int64?

    /// `NOT INDEXED` keeps indexes, which may lie, out of the way. A table without a rowid is small: `order` names its
    /// primary key, and the caller refuses a key that comes twice.
    ///
    /// Pages of a hostile file may refer to each other in circles: rowids that must ascend and bytes that must fit into
    /// the file end every walk through it.
    ///
    /// - Parameters:
    ///   - columns: Those that will be read, if not all.
    ///   - after: The rowid after which they begin; all of them without.
    init(
        _ db: Database, _ path: String, _ table: String, _ columns: [String]? = nil, order: String? = nil,
        after: Int64? = nil, vcpuCount: Int = 4096
    ) throws {
        let columns = columns ?? SchemaCatalog.columns(of: table)
        let all = (order == nil ? columns + ["rowid"] : columns).joined(separator: ", ")
        statement = try RawStatement(
            db,
            "SELECT \(all) FROM main.\(table) NOT INDEXED \(after == nil ? "" : "WHERE rowid > ? ")ORDER BY \(order ?? "rowid")"
        )
        if let after { statement.bind(1, after) }
        let pages = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        room = pages * (try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
        rowid = order == nil ? Int64.min : nil
        (self.path, self.table, self.columns, self.vcpuCount) = (path, table, ColumnFinder(columns), vcpuCount)
    }

    mutating func step() throws -> Bool {
        columns.rewind()
        rowNumber += 1
        guard try statement.step() else { return false }
        if let previous = rowid {
            let rowid = statement.int64(Int32(columns.names.count))
            guard rowid > previous || rowNumber == 1 else { throw corrupt("it follows row \(previous)") }
            self.rowid = rowid
        }
        return true
    }

    mutating func integer<V: FixedWidthInteger>(
        _ column: String, _ value: inout V, in range: ClosedRange<Int64>
    ) throws {
        let number = statement.int64(try place(of: column, SQLITE_INTEGER, "an integer"))
        guard range.contains(number) else {
            throw corrupt("\(column) is \(number), outside \(range.lowerBound)...\(range.upperBound)")
        }
        value = V(truncatingIfNeeded: number)
    }

    mutating func integer<V: FixedWidthInteger>(
        _ column: String, _ value: inout V?, in range: ClosedRange<Int64>
    ) throws {
        try optional(column, &value, 0) { try $0.integer(column, &$1, in: range) }
    }

    /// The number of a vCPU.
    mutating func vcpu(_ column: String, _ value: inout Int) throws {
        try integer(column, &value)
        guard value >= 0, value < vcpuCount else {
            throw corrupt("\(column) is \(value), and there are \(vcpuCount) vCPUs")
        }
    }

    mutating func vcpu(_ column: String, _ value: inout Int?) throws {
        try optional(column, &value, 0) { try $0.vcpu(column, &$1) }
    }

    mutating func time(_ column: String, _ value: inout Int64) throws {
        try integer(column, &value, in: 0...Self.largest)
    }

    mutating func time(_ column: String, _ value: inout Int64?) throws {
        try optional(column, &value, 0) { try $0.time(column, &$1) }
    }

    mutating func amount(_ column: String, _ value: inout Int64) throws {
        try time(column, &value)
        sum += value
        guard sum <= Self.largest else { throw corrupt("\(column) adds up to more than 2^60") }
    }

    mutating func amount(_ column: String, _ value: inout Int64?) throws {
        try optional(column, &value, 0) { try $0.amount(column, &$1) }
    }

    mutating func flag(_ column: String, _ value: inout Bool) throws {
        var number: Int64 = 0
        try integer(column, &number, in: 0...1)
        value = number == 1
    }

    mutating func flag(_ column: String, _ value: inout Bool?) throws {
        try optional(column, &value, false) { try $0.flag(column, &$1) }
    }

    mutating func text(_ column: String, _ value: inout String) throws { value = try text(column) }

    mutating func text(_ column: String, _ value: inout String?) throws {
        value = try isNull(column) ? nil : text(column)
    }

    mutating func text(_ column: String) throws -> String {
        let place = try place(of: column, SQLITE_TEXT, "a text")
        guard statement.byteCount(place) <= Self.longestText else { throw corrupt("\(column) is longer than 4 MiB") }
        try takeRoom(place, column)
        return statement.text(place)
    }

    mutating func word<Word: RawRepresentable<String>>(_ column: String, _ value: inout Word) throws {
        value = try word(column)
    }

    mutating func word<Word: RawRepresentable<String>>(_ column: String, _ value: inout Word?) throws {
        value = try isNull(column) ? nil : word(column)
    }

    private mutating func word<Word: RawRepresentable<String>>(_ column: String) throws -> Word {
        let text = try text(column)
        guard let word = Word(rawValue: text) else {
            throw corrupt("\(column) is the unknown word '\(text.prefix(40))'")
        }
        return word
    }

    private mutating func isNull(_ column: String) throws -> Bool {
        statement.type(try place(of: column)) == SQLITE_NULL
    }

    private mutating func optional<Value>(
        _ column: String, _ value: inout Value?, _ start: Value, _ read: (inout Self, inout Value) throws -> Void
    ) throws {
        guard try !isNull(column) else { return value = nil }
        var known = start
        try read(&self, &known)
        value = known
    }

    mutating func blob(_ column: String, _ value: inout [UInt8]) throws {
        value = try withBlob(column) { unsafe $0.withUnsafeBufferPointer { unsafe Array($0) } }
    }

    /// Calls `body` with the bytes of a blob in place.
    mutating func withBlob<Result>(_ column: String, _ body: (Span<UInt8>) throws -> Result) throws -> Result {
        let place = try place(of: column, SQLITE_BLOB, "a blob")
        try takeRoom(place, column)
        return try statement.withBytes(place, body)
    }

    /// An error about the row being read.
    func corrupt(_ detail: String) -> RecordingError {
        RecordingError(path, .corrupt(table: table, row: rowNumber, detail))
    }

    private mutating func takeRoom(_ place: Int32, _ column: String) throws {
        room -= Int64(statement.byteCount(place))
        guard room >= 0 else { throw corrupt("\(column) adds up to more than the file holds") }
    }

    private mutating func place(of column: String) throws -> Int32 {
        guard let place = columns.place(of: column) else { throw corrupt("\(column) was not asked for") }
        return Int32(place)
    }

    private mutating func place(of column: String, _ type: Int32, _ name: String) throws -> Int32 {
        let place = try place(of: column)
        guard statement.type(place) == type else { throw corrupt("\(column) is not \(name)") }
        return place
    }
}
