import GRDB
import Model

/// What a file that somebody else may have written holds, by walks that end: SQLite's own sums over pages that refer to each other in
/// circles need not.
struct RecordingCounts {
    private(set) var iterations: Int64 = 0
    private(set) var entries: Int64 = 0
    /// When the last iteration ended; 0 without one.
    private(set) var lastEndNs: Int64 = 0

    /// - Throws: `RecordingError` of a file that contradicts itself.
    init(_ db: Database, _ path: String) throws {
        var rows = try CheckedRows(db, path, Iteration.table, ["end_ns"])
        while try rows.step() {
            var endNs: Int64 = 0
            try rows.time("end_ns", &endNs)
            lastEndNs = max(lastEndNs, endNs)
            iterations += 1
        }
        entries = try Self.entries(db, path)
    }

    /// The entries alone.
    static func entries(_ db: Database, _ path: String) throws -> Int64 {
        var rows = try CheckedRows(db, path, Harvest.table, ["entry_count"])
        var entries: Int64 = 0
        while try rows.step() {
            var count: Int64 = 0
            try rows.amount("entry_count", &count)
            entries += count
        }
        return entries
    }
}
