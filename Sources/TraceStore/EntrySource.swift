import CSQLiteShim
import GRDB
import GRDBSQLite
import TraceModel

/// Decodes the segments of a range of harvests one after the other, for the virtual table.
@safe final class EntrySource {
    private let harvests: RawStatement
    private var gfns: [GFN] = []
    private var times: [Int64] = []
    // SQLite walks these while arrays may move: the decoded segment is copied here.
    private let gfnBuffer: UnsafeMutablePointer<GFN>
    private var timeBuffer: UnsafeMutablePointer<Int64>?
    private var lowest: Int64 = 0
    private var highest: Int64 = 0

    /// What went wrong, when something did.
    private(set) var failure = ""

    init(_ database: OpaquePointer) throws {
        // The harvest that holds the lowest entry begins at or before it.
        harvests = try unsafe RawStatement(
            database,
            """
            SELECT id, since_ns, ts_ns, entry_count, first_seq, entries FROM main.harvest
            WHERE first_seq <= ?2 AND entry_count > 0 AND first_seq >= coalesce(
                (SELECT max(first_seq) FROM main.harvest WHERE first_seq <= ?1), 0)
            ORDER BY first_seq, id
            """)
        unsafe gfnBuffer = .allocate(capacity: Segment.maxEntries)
    }

    deinit {
        unsafe gfnBuffer.deallocate()
        unsafe timeBuffer?.deallocate()
    }

    /// Begins anew with the entries from `lowest` through `highest`.
    func rewind(from lowest: Int64, through highest: Int64) {
        harvests.reset()
        harvests.bind(1, lowest)
        harvests.bind(2, highest)
        (self.lowest, self.highest) = (lowest, highest)
    }

    /// Decodes the next harvest with entries in the range and points `cursor` at the first; at the end, the cursor is
    /// left without entries. False when the file is corrupt.
    func load(_ cursor: inout csqlite_entry_cursor) -> Bool {
        unsafe (cursor.index, cursor.end) = (0, 0)
        do {
            while unsafe cursor.index >= cursor.end {
                guard try harvests.step() else { return true }
                try unsafe decode(into: &cursor)
            }
            return true
        } catch {
            failure = "harvest row \(harvests.int64(0)): \((error as? DatabaseError)?.message ?? "\(error)")"
            return false
        }
    }

    private func decode(into cursor: inout csqlite_entry_cursor) throws {
        let since = harvests.int64(1)
        let first = harvests.int64(4)
        let count = harvests.int64(3)
        guard (1...Int64(Segment.maxEntries)).contains(count), first >= 1, first < Int64.max - count else {
            throw Segment.DecodingError.tooManyEntries(Int(count))
        }
        try harvests.withBytes(5) { segment in
            try Segment.decode(segment, count: Int(count), sinceNs: since, into: &gfns, times: &times)
        }
        unsafe gfnBuffer.update(from: gfns, count: gfns.count)
        unsafe cursor.gfns = UnsafePointer(gfnBuffer)
        unsafe cursor.times = nil
        if !times.isEmpty {
            let buffer = unsafe timeBuffer ?? .allocate(capacity: Segment.maxEntries)
            unsafe buffer.update(from: times, count: times.count)
            unsafe timeBuffer = buffer
            unsafe cursor.times = UnsafePointer(buffer)
        }
        unsafe cursor.harvest = harvests.int64(0)
        unsafe cursor.ts_ns = harvests.int64(2)
        unsafe cursor.first_seq = first
        unsafe cursor.index = max(lowest - first, 0)
        unsafe cursor.end = min(highest - first, count - 1) + 1
    }
}
