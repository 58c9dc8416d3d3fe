import CEntryTable
import Model

/// Decodes the segments of a range of harvests one after the other, for the virtual table.
@safe final class EntrySource {
    private let harvests: OpaquePointer
    private let database: OpaquePointer
    private var gfns: [GFN] = []
    private var times: [Int64] = []
    // SQLite walks these while arrays may move: the decoded segment is copied here.
    private let gfnBuffer: UnsafeMutablePointer<GFN>
    private var timeBuffer: UnsafeMutablePointer<Int64>?
    private var lowest: Int64 = 0
    private var highest: Int64 = 0
    /// Where the harvest decoded last begins. Pages of a hostile file's index may refer to each other in circles.
    private var latestFirst: Int64 = 0

    /// What went wrong, when something did.
    private(set) var failure = ""

    /// Nil when there is no table `harvest` to read from.
    init?(_ database: OpaquePointer) {
        // The harvest that holds the lowest entry begins at or before it.
        let sql = """
            SELECT id, since_ns, ts_ns, entry_count, first_seq, entries FROM main.harvest
            WHERE first_seq <= ?2 AND entry_count > 0 AND first_seq >= coalesce(
                (SELECT max(first_seq) FROM main.harvest WHERE first_seq <= ?1), 0)
            ORDER BY first_seq, id
            """
        var statement: OpaquePointer?
        guard unsafe ext_prepare(database, sql, &statement) == SQLITE_OK, let statement = unsafe statement else {
            return nil
        }
        unsafe (harvests, self.database) = (statement, database)
        unsafe gfnBuffer = .allocate(capacity: Segment.maxEntries)
    }

    deinit {
        unsafe ext_finalize(harvests)
        unsafe gfnBuffer.deallocate()
        unsafe timeBuffer?.deallocate()
    }

    /// Begins anew with the entries from `lowest` through `highest`.
    func rewind(from lowest: Int64, through highest: Int64) {
        unsafe ext_reset(harvests)
        unsafe ext_bind(harvests, 1, lowest)
        unsafe ext_bind(harvests, 2, highest)
        (self.lowest, self.highest, latestFirst) = (lowest, highest, 0)
    }

    /// Decodes the next harvest with entries in the range and points `cursor` at the first; at the end, the cursor is
    /// left without entries. False when the file is corrupt.
    func load(_ cursor: inout entry_cursor) -> Bool {
        unsafe (cursor.index, cursor.end) = (0, 0)
        while unsafe cursor.index >= cursor.end {
            switch unsafe ext_step(harvests) {
            case SQLITE_ROW: break
            case SQLITE_DONE: return true
            default:
                failure = unsafe "table harvest: \(String(cString: ext_error(database)))"
                return false
            }
            let first = unsafe ext_int64(harvests, 4)
            guard first > latestFirst else {
                failure = unsafe "harvest row \(ext_int64(harvests, 0)): first_seq does not ascend"
                return false
            }
            latestFirst = first
            do { try unsafe decode(into: &cursor) } catch {
                failure = unsafe "harvest row \(ext_int64(harvests, 0)): \(error)"
                return false
            }
        }
        return true
    }

    private func decode(into cursor: inout entry_cursor) throws(Segment.DecodingError) {
        let since = unsafe ext_int64(harvests, 1)
        let count = unsafe ext_int64(harvests, 3)
        let first = unsafe ext_int64(harvests, 4)
        guard (1...Int64(Segment.maxEntries)).contains(count), first >= 1, first < Int64.max - count else {
            throw Segment.DecodingError.tooManyEntries(Int(count))
        }
        let bytes = unsafe ext_blob(harvests, 5)?.assumingMemoryBound(to: UInt8.self)
        let segment = unsafe UnsafeBufferPointer(start: bytes, count: Int(ext_bytes(harvests, 5)))
        try unsafe Segment.decode(segment.span, count: Int(count), sinceNs: since, into: &gfns, times: &times)
        unsafe gfnBuffer.update(from: gfns, count: gfns.count)
        unsafe cursor.gfns = UnsafePointer(gfnBuffer)
        unsafe cursor.times = nil
        if !times.isEmpty {
            let buffer = unsafe timeBuffer ?? .allocate(capacity: Segment.maxEntries)
            unsafe buffer.update(from: times, count: times.count)
            unsafe timeBuffer = buffer
            unsafe cursor.times = UnsafePointer(buffer)
        }
        unsafe cursor.harvest = ext_int64(harvests, 0)
        unsafe cursor.ts_ns = ext_int64(harvests, 2)
        unsafe cursor.first_seq = first
        unsafe cursor.index = max(lowest - first, 0)
        unsafe cursor.end = min(highest - first, count - 1) + 1
    }
}
