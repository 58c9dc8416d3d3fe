import GRDB
import GRDBSQLite
import Model

/// Reads a base table of a file that cannot be trusted: every value is checked for type and range before it is used.
/// Columns are read in the order in which they were named.
struct CheckedRows {
    /// No time lies later (36 years after boot), and no column of amounts adds up to more: sums cannot overflow.
    private static let largest: Int64 = 1 << 60

    /// No text is longer: twice the longest command line that Linux takes.
    private static let longestText = 4 << 20

    private let statement: RawStatement
    private let path: String
    private let table: String
    private let columns: [String]
    private var next: Int32 = 0
    private var sum: Int64 = 0
    private var rowNumber: Int64 = 0
    /// Bytes that texts and blobs may still add up to.
    private var room: Int64
    private var rowid: Int64?

    /// `NOT INDEXED` keeps indexes, which may lie, out of the way. A table without a rowid is small: `order` names its
    /// primary key, and the caller refuses a key that comes twice.
    ///
    /// Pages of a hostile file may refer to each other in circles: rowids that must ascend and bytes that must fit into
    /// the file end every walk through it.
    init(_ db: Database, _ path: String, _ table: String, _ columns: [String], order: String? = nil) throws {
        let all = (order == nil ? columns + ["rowid"] : columns).joined(separator: ", ")
        statement = try RawStatement(
            db, "SELECT \(all) FROM main.\(table) NOT INDEXED ORDER BY \(order ?? "rowid")")
        let pages = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        room = pages * (try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
        rowid = order == nil ? Int64.min : nil
        (self.path, self.table, self.columns) = (path, table, columns)
    }

    mutating func step() throws -> Bool {
        next = 0
        rowNumber += 1
        guard try statement.step() else { return false }
        if let previous = rowid {
            let rowid = statement.int64(Int32(columns.count))
            guard rowid > previous || rowNumber == 1 else { throw corrupt("it follows row \(previous)") }
            self.rowid = rowid
        }
        return true
    }

    /// Any integer.
    mutating func integer() throws -> Int64 {
        try expect(SQLITE_INTEGER, "an integer")
        return statement.int64(next - 1)
    }

    /// An integer in a range.
    mutating func integer(in range: ClosedRange<Int64>) throws -> Int64 {
        let value = try integer()
        guard range.contains(value) else {
            throw corrupt("\(columns[Int(next) - 1]) is \(value), outside \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    /// The number of one of `count` vCPUs.
    mutating func vcpu(of count: Int = 4096) throws -> Int {
        let value = try integer()
        guard value >= 0, value < count else {
            throw corrupt("\(columns[Int(next) - 1]) is \(value), and there are \(count) vCPUs")
        }
        return Int(value)
    }

    /// A moment.
    mutating func time() throws -> Int64 { try integer(in: 0...Self.largest) }

    /// A duration or a number of things; they are summed up over the table, so that sums of readers cannot overflow.
    mutating func amount() throws -> Int64 {
        let value = try integer(in: 0...Self.largest)
        sum += value
        guard sum <= Self.largest else { throw corrupt("\(columns[Int(next) - 1]) adds up to more than 2^60") }
        return value
    }

    mutating func flag() throws -> Bool { try integer(in: 0...1) == 1 }

    mutating func text() throws -> String {
        try expect(SQLITE_TEXT, "a text")
        guard statement.byteCount(next - 1) <= Self.longestText else {
            throw corrupt("\(columns[Int(next) - 1]) is longer than 4 MiB")
        }
        try takeRoom()
        return statement.text(next - 1)
    }

    /// One of the words that an enumeration knows.
    mutating func word<Word: RawRepresentable>(_ type: Word.Type) throws -> Word where Word.RawValue == String {
        let text = try text()
        guard let word = Word(rawValue: text) else {
            throw corrupt("\(columns[Int(next) - 1]) is the unknown word '\(text.prefix(40))'")
        }
        return word
    }

    /// The value that `read` reads, or nil for NULL.
    mutating func optional<Value>(_ read: (inout Self) throws -> Value) rethrows -> Value? {
        if statement.type(next) == SQLITE_NULL {
            next += 1
            return nil
        }
        return try read(&self)
    }

    mutating func blob() throws -> [UInt8] { try withBlob { unsafe $0.withUnsafeBufferPointer { unsafe Array($0) } } }

    /// Calls `body` with the bytes of a blob in place.
    mutating func withBlob<Result>(_ body: (Span<UInt8>) throws -> Result) throws -> Result {
        try expect(SQLITE_BLOB, "a blob")
        try takeRoom()
        return try statement.withBytes(next - 1, body)
    }

    /// An error about the row being read.
    func corrupt(_ detail: String) -> RecordingError {
        RecordingError(path, .corrupt(table: table, row: rowNumber, detail))
    }

    private mutating func takeRoom() throws {
        room -= Int64(statement.byteCount(next - 1))
        guard room >= 0 else { throw corrupt("\(columns[Int(next) - 1]) adds up to more than the file holds") }
    }

    private mutating func expect(_ type: Int32, _ name: String) throws {
        next += 1
        guard statement.type(next - 1) == type else { throw corrupt("\(columns[Int(next) - 1]) is not \(name)") }
    }
}
