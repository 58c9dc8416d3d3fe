import Model

/// A record that is a row of a table. What it says here and the schema says are the only places that know its columns,
/// and both know them by name.
protocol StoredRecord: EncodableRow {
    /// Reads the row that `row` stands on, and checks every value.
    init(row: inout CheckedRows) throws
}

/// Something that can be written as a row.
protocol EncodableRow {
    static var table: String { get }
    /// Gives every column of the table its value, best in the order of the schema.
    func encode(to row: inout some RowEncoder)
}

/// Takes a row's values by column.
protocol RowEncoder {
    mutating func set(_ column: String, _ value: Int64?)
    mutating func set(_ column: String, _ value: String?)
    mutating func set(_ column: String, _ value: [UInt8])
}

extension RowEncoder {
    /// An integer of 64 bits without a sign is stored as one with.
    mutating func set(_ column: String, _ value: (some FixedWidthInteger)?) {
        set(column, value.map { Int64(truncatingIfNeeded: $0) })
    }
    mutating func set(_ column: String, _ value: Bool?) { set(column, value.map { $0 ? 1 : 0 }) }
    mutating func set(_ column: String, _ word: (some RawRepresentable<String>)?) { set(column, word?.rawValue) }
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
