import GRDB
import Model

/// Puts rows into a table: a prepared statement whose parameters are found by their columns' names.
struct Insertion: RowEncoder {
    private let statement: RawStatement
    private let table: String
    private var columns: ColumnFinder
    /// Columns of the next row that have a value, NULL included.
    private var filled = 0

    /// - Parameter conflict: What happens to a row that is there already.
    init(_ db: Database, _ table: String, onConflict conflict: String = "") throws {
        let columns = SchemaCatalog.columns(of: table)
        let parameters = columns.map { _ in "?" }.joined(separator: ", ")
        statement = try RawStatement(
            db, "INSERT INTO \(table)(\(columns.joined(separator: ", "))) VALUES (\(parameters)) \(conflict)")
        self.table = table
        self.columns = ColumnFinder(columns)
    }

    mutating func set(_ column: String, _ value: Int64?) { statement.bind(index(of: column), value) }
    mutating func set(_ column: String, _ value: String?) { statement.bind(index(of: column), value) }
    mutating func set(_ column: String, _ value: [UInt8]) { statement.bind(index(of: column), .blob(value)) }

    mutating func insert(_ row: some EncodableRow) throws {
        row.encode(to: &self)
        end()
        try statement.run()
    }

    /// Adds a row with the bytes of one more column, which are not copied.
    mutating func insert(_ row: some EncodableRow, _ column: String, _ bytes: [UInt8]) throws {
        row.encode(to: &self)
        let index = index(of: column)
        end()
        try statement.run(blob: bytes, at: index)
    }

    private mutating func end() {
        precondition(filled == columns.names.count, "\(table): a column without a value")
        filled = 0
        columns.rewind()
    }

    private mutating func index(of column: String) -> Int32 {
        guard let place = columns.place(of: column) else { preconditionFailure("\(table) has no column \(column)") }
        filled += 1
        return Int32(place) + 1
    }
}
