import Foundation
import GRDB

/// One column of one table set to an extreme, for every column and every extreme: what a range, a shift, a conversion or
/// a sum made from it would trap on.
enum Extremes {
    private static let values = [
        "NULL", "-1", "0", "1", "63", "64", "255", "4095", "4096", "65536", "1 << 31", "1 << 32", "1 << 40",
        "(1 << 51) - 1", "1 << 51", "(1 << 60) - 1", "1 << 60", "9223372036854775807", "-9223372036854775808", "''",
        "x''",
    ]

    /// What to do to a recording whose columns take every value, by name.
    static func all(of path: String) throws -> [(name: String, sql: String)] {
        let columns = try DatabaseQueue(path: path).inDatabase { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
                    WHERE m.type = 'table' AND m.name NOT IN ('dirty_entry', 'entry_time', 'schema_migration')
                    """)
        }
        return columns.flatMap { row in
            let (table, column): (String, String) = (row[0], row[1])
            return values.map { value in
                ("\(table).\(column) = \(value)", "UPDATE OR IGNORE \(table) SET \(column) = \(value)")
            }
        }
    }
}
