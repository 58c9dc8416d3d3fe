import GRDB
import Model
import Schemas

/// What a finished recording holds, table by table: what a copy in another format must hold too.
package struct RecordingContent: Sendable {
    /// A table without its entries.
    package struct Table: Sendable {
        package let name: String
        /// Columns in order with their types: INTEGER, TEXT or BLOB.
        package let columns: [(name: String, type: String)]
        package let rows: Int64
        /// Whether the recording does not have it, because it did not ask for what it holds.
        package let isAbsent: Bool
    }

    /// Every table but those of entries and of schema versions; `harvest` without its packed entries.
    package let tables: [Table]
    /// Entries in the segments.
    package let entries: Int64
    /// Sum of their GFNs.
    package let gfnSum: UInt128
    /// Plain rows: as many as entries, or fewer when they were left out.
    package let rows: Int64
    /// Whether entries have times of their own.
    package let hasExactTimes: Bool

    private static let leftOut: Set = ["dirty_entry", "entry_time", "schema_migration"]

    /// Reads `file` to its end; every segment is checked.
    ///
    /// - Throws: ``RecordingError``; also when the recording is not complete.
    package init(_ file: RecordingFile) throws {
        switch file.state {
        case .recording: throw RecordingError(file.path, .inUse)
        case .cutOff: throw RecordingError(file.path, .incomplete)
        case .complete: break
        }
        guard file.isSummarized, !file.connection.hadJournal else { throw RecordingError(file.path, .incomplete) }
        var sum = EntrySum()
        try file.replay(into: &sum)
        (entries, gfnSum) = (sum.entries, sum.gfns)
        rows = try file.counts.rows
        hasExactTimes = file.derived.exactTimes
        do {
            tables = try file.connection.snapshot { db in
                try Self.definitions.map { name, columns, isKeyed in
                    if try Schema.optionalTables.contains(name) && !Schema.isThere(name, db) {
                        return Table(name: name, columns: columns, rows: 0, isAbsent: true)
                    }
                    // A table without a rowid is checked and counted by its key, the first column.
                    var rows = try CheckedRows(
                        db, file.path, name, [columns[0].name], order: isKeyed ? columns[0].name : nil)
                    var count: Int64 = 0
                    while try rows.step() { count += 1 }
                    return Table(name: name, columns: columns, rows: count, isAbsent: false)
                }
            }
        } catch { throw RecordingError.reading(file.path, error) }
    }

    /// Names of all tables that have a copy, `dirty` for the entries included.
    package static var tableNames: [String] { get throws { try definitions.map(\.name) + ["dirty"] } }

    /// The tables as this program defines them: a file's own words about its columns are not asked.
    private static var definitions: [(name: String, columns: [(name: String, type: String)], isKeyed: Bool)] {
        get throws {
            try DatabaseQueue().inDatabase { db in
                try Schema.migrate(db, tool: "")
                for sql in Schemas.optional { try db.execute(sql: sql) }
                return try (Schema.baseTables + Schema.optionalTables).filter { !leftOut.contains($0) }.map { table in
                    let columns = try Row.fetchAll(
                        db, sql: "SELECT name, type FROM pragma_table_info(?) WHERE type <> 'BLOB' OR ? <> 'harvest'",
                        arguments: [table, table])
                    let isKeyed = try Bool.fetchOne(
                        db, sql: "SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'", arguments: [table])
                    return (table, columns.map { ($0["name"], $0["type"]) }, isKeyed ?? false)
                }
            }
        }
    }

    private struct EntrySum: RecordingVisitor {
        var entries: Int64 = 0
        var gfns: UInt128 = 0

        mutating func visit(_ harvest: Harvest, gfns: [GFN]) {
            entries += Int64(gfns.count)
            // A segment has at most 2^20 entries of at most 51 bits, which may not fit 64.
            self.gfns += gfns.reduce(0) { $0 + UInt128($1) }
        }
        mutating func visit(_ iteration: Iteration) {}
    }
}
