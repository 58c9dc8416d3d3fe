import Model

/// A record that is a row of a table. What ``code(_:)`` says and the schema says are the only places that know its columns,
/// and both know them by name.
protocol StoredRecord: EncodableRow {
    init()
    /// Hands every column of the table over, best in the order of the schema, with what its value may be.
    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure)
    /// What columns say that cannot all be true, as a clause.
    var contradiction: String? { get }
}

extension StoredRecord {
    var contradiction: String? { nil }

    /// Reads the row that `row` stands on, and checks every value.
    init(row: inout CheckedRows) throws {
        self.init()
        try code(&row)
        if let contradiction { throw row.corrupt(contradiction) }
    }

    func encode<Row: RowEncoder>(to row: inout Row) {
        var record = self
        record.code(&row)
    }
}

protocol EncodableRow {
    static var table: String { get }
    /// Gives every column of the table its value, best in the order of the schema.
    func encode<Row: RowEncoder>(to row: inout Row)
}

/// Takes a row's columns one by one, or gives them. What may be NULL is optional.
protocol RowCoder {
    associatedtype Failure: Error
    mutating func integer<V: FixedWidthInteger>(_ column: String, _ value: inout V, in range: ClosedRange<Int64>)
        throws(Failure)
    mutating func integer<V: FixedWidthInteger>(_ column: String, _ value: inout V?, in range: ClosedRange<Int64>)
        throws(Failure)
    /// A moment.
    mutating func time(_ column: String, _ value: inout Int64) throws(Failure)
    mutating func time(_ column: String, _ value: inout Int64?) throws(Failure)
    /// A duration or a number of things; they are summed up over the table, so that sums of readers cannot overflow.
    mutating func amount(_ column: String, _ value: inout Int64) throws(Failure)
    mutating func amount(_ column: String, _ value: inout Int64?) throws(Failure)
    mutating func vcpu(_ column: String, _ value: inout Int) throws(Failure)
    mutating func vcpu(_ column: String, _ value: inout Int?) throws(Failure)
    mutating func flag(_ column: String, _ value: inout Bool) throws(Failure)
    mutating func flag(_ column: String, _ value: inout Bool?) throws(Failure)
    mutating func text(_ column: String, _ value: inout String) throws(Failure)
    mutating func text(_ column: String, _ value: inout String?) throws(Failure)
    mutating func word<Word: RawRepresentable<String>>(_ column: String, _ value: inout Word) throws(Failure)
    mutating func word<Word: RawRepresentable<String>>(_ column: String, _ value: inout Word?) throws(Failure)
    mutating func blob(_ column: String, _ value: inout [UInt8]) throws(Failure)
}

extension RowCoder {
    /// Any integer of 64 bits; one without a sign is stored as one with.
    mutating func integer<V: FixedWidthInteger>(_ column: String, _ value: inout V) throws(Failure) {
        try integer(column, &value, in: Int64.min...Int64.max)
    }
    mutating func integer<V: FixedWidthInteger>(_ column: String, _ value: inout V?) throws(Failure) {
        try integer(column, &value, in: Int64.min...Int64.max)
    }
}

protocol RowEncoder: RowCoder where Failure == Never {
    mutating func set(_ column: String, _ value: Int64?)
    mutating func set(_ column: String, _ value: String?)
    mutating func set(_ column: String, _ value: [UInt8])
}

extension RowEncoder {
    mutating func set(_ column: String, _ value: (some FixedWidthInteger)?) {
        set(column, value.map { Int64(truncatingIfNeeded: $0) })
    }

    mutating func integer<V: FixedWidthInteger>(_ column: String, _ value: inout V, in _: ClosedRange<Int64>) {
        set(column, value)
    }
    mutating func integer<V: FixedWidthInteger>(_ column: String, _ value: inout V?, in _: ClosedRange<Int64>) {
        set(column, value)
    }
    mutating func time(_ column: String, _ value: inout Int64) { set(column, value) }
    mutating func time(_ column: String, _ value: inout Int64?) { set(column, value) }
    mutating func amount(_ column: String, _ value: inout Int64) { set(column, value) }
    mutating func amount(_ column: String, _ value: inout Int64?) { set(column, value) }
    mutating func vcpu(_ column: String, _ value: inout Int) { set(column, value) }
    mutating func vcpu(_ column: String, _ value: inout Int?) { set(column, value) }
    mutating func flag(_ column: String, _ value: inout Bool) { set(column, value ? 1 : 0) }
    mutating func flag(_ column: String, _ value: inout Bool?) { set(column, value.map { $0 ? 1 : 0 }) }
    mutating func text(_ column: String, _ value: inout String) { set(column, value) }
    mutating func text(_ column: String, _ value: inout String?) { set(column, value) }
    mutating func word<Word: RawRepresentable<String>>(_ column: String, _ value: inout Word) {
        set(column, value.rawValue)
    }
    mutating func word<Word: RawRepresentable<String>>(_ column: String, _ value: inout Word?) {
        set(column, value?.rawValue)
    }
    mutating func blob(_ column: String, _ value: inout [UInt8]) { set(column, value) }
}

/// The columns of a table, found by name: at once by who asks in their order.
struct ColumnFinder {
    let names: [String]
    private var next = 0

    init(_ names: [String]) { self.names = names }

    /// The place of a column; nil when there is none.
    mutating func place(of column: String) -> Int? {
        if next >= names.count || names[next] != column {
            guard let place = names.firstIndex(of: column) else { return nil }
            next = place
        }
        defer { next += 1 }
        return next
    }

    mutating func rewind() { next = 0 }
}
