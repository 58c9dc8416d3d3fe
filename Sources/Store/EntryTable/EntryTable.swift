import CEntryTable

/// Puts the table on a connection; called by SQLite's entry point in `centrytable.c`.
@_cdecl("dirtyrec_register_entry_table")
public func registerEntryTable(_ db: OpaquePointer?) -> Int32 {
    unsafe ext_create_module(db, EntryTable.name, EntryTable.module)
}

/// The read-only virtual table `_segment_entry(seq, gfn, harvest, ts_ns)`: every entry of the packed segments as a row.
///
/// Plain rows are made from it, and queries on files without plain rows are answered by it. A condition on `seq` makes
/// it decode only the harvests that it needs.
package enum EntryTable {
    /// Its name in SQL.
    package static let name = "_segment_entry"
    private static let declaration = "CREATE TABLE x(seq INTEGER, gfn INTEGER, harvest INTEGER, ts_ns INTEGER)"

    /// Which bounds of `seq` a plan passes to the filter.
    private enum Plan {
        static let lower: Int32 = 1
        static let upper: Int32 = 2
        static let equal: Int32 = 4
        /// The lower bound itself is left out; likewise the upper one.
        static let above: Int32 = 8
        static let below: Int32 = 16
    }

    // Written once, before first use; read by SQLite ever after.
    nonisolated(unsafe) fileprivate static let module: UnsafePointer<sqlite3_module> = {
        let module = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
        unsafe module.initialize(to: sqlite3_module())
        unsafe module.pointee.xConnect = { db, _, _, _, table, error in unsafe connect(db, table, error) }
        unsafe module.pointee.xBestIndex = { _, info in unsafe plan(info) }
        unsafe module.pointee.xDisconnect = { table in
            unsafe ext_free(table)
            return SQLITE_OK
        }
        unsafe module.pointee.xOpen = { table, cursor in unsafe open(table, cursor) }
        unsafe module.pointee.xClose = { cursor in
            unsafe source(cursor).release()
            unsafe ext_free(cursor)
            return SQLITE_OK
        }
        unsafe module.pointee.xFilter = { cursor, plan, _, _, arguments in
            unsafe filter(cursor, plan, arguments)
        }
        unsafe module.pointee.xNext = { cursor in
            let entry = unsafe entries(cursor)
            unsafe entry.pointee.index &+= 1
            if unsafe entry.pointee.index < entry.pointee.end { return SQLITE_OK }
            return unsafe load(cursor)
        }
        unsafe module.pointee.xEof = { cursor in
            let entry = unsafe entries(cursor)
            return unsafe entry.pointee.index >= entry.pointee.end ? 1 : 0
        }
        unsafe module.pointee.xColumn = { cursor, context, column in unsafe value(cursor, context, column) }
        unsafe module.pointee.xRowid = { cursor, row in
            let entry = unsafe entries(cursor)
            unsafe row?.pointee = entry.pointee.first_seq &+ entry.pointee.index
            return SQLITE_OK
        }
        return unsafe UnsafePointer(module)
    }()

    @inline(__always)
    private static func entries(
        _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?
    ) -> UnsafeMutablePointer<entry_cursor> {
        // SQLite hands back the pointer that `open` gave it; its part is the first member.
        unsafe UnsafeMutableRawPointer(cursor.unsafelyUnwrapped).assumingMemoryBound(to: entry_cursor.self)
    }

    private static func source(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Unmanaged<EntrySource> {
        unsafe Unmanaged.fromOpaque(entries(cursor).pointee.source)
    }

    private static func connect(
        _ db: OpaquePointer?, _ table: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab>?>?,
        _ error: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> Int32 {
        let code = unsafe ext_declare_vtab(db, declaration)
        guard code == SQLITE_OK else { return code }
        _ = unsafe ext_vtab_innocuous(db)
        guard let memory = unsafe ext_malloc(UInt64(MemoryLayout<entry_table>.size)) else {
            return SQLITE_NOMEM
        }
        let created = unsafe memory.bindMemory(to: entry_table.self, capacity: 1)
        unsafe created.initialize(to: entry_table(base: sqlite3_vtab(), db: db))
        unsafe table?.pointee = UnsafeMutableRawPointer(created).assumingMemoryBound(to: sqlite3_vtab.self)
        return SQLITE_OK
    }

    private static func open(
        _ table: UnsafeMutablePointer<sqlite3_vtab>?,
        _ cursor: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab_cursor>?>?
    ) -> Int32 {
        let owner = unsafe UnsafeMutableRawPointer(table.unsafelyUnwrapped)
            .assumingMemoryBound(to: entry_table.self)
        guard let source = unsafe EntrySource(owner.pointee.db) else { return SQLITE_ERROR }
        guard let memory = unsafe ext_malloc(UInt64(MemoryLayout<entry_cursor>.size)) else {
            return SQLITE_NOMEM
        }
        let created = unsafe memory.bindMemory(to: entry_cursor.self, capacity: 1)
        unsafe created.initialize(to: entry_cursor())
        unsafe created.pointee.source = Unmanaged.passRetained(source).toOpaque()
        unsafe cursor?.pointee = UnsafeMutableRawPointer(created).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
        return SQLITE_OK
    }

    private static func plan(_ info: UnsafeMutablePointer<sqlite3_index_info>?) -> Int32 {
        guard let info = unsafe info else { return SQLITE_ERROR }
        var equal: Int?
        var lower: Int?
        var upper: Int?
        var (above, below): (Int32, Int32) = (0, 0)
        for index in unsafe 0..<Int(info.pointee.nConstraint) {
            let constraint = unsafe info.pointee.aConstraint[index]
            // Column 0 is seq, column -1 the rowid, which is the same.
            guard constraint.usable != 0, constraint.iColumn <= 0 else { continue }
            switch Int32(constraint.op) {
            case SQLITE_INDEX_CONSTRAINT_EQ: equal = index
            case SQLITE_INDEX_CONSTRAINT_GE: (lower, above) = (index, 0)
            case SQLITE_INDEX_CONSTRAINT_GT: (lower, above) = (index, Plan.above)
            case SQLITE_INDEX_CONSTRAINT_LE: (upper, below) = (index, 0)
            case SQLITE_INDEX_CONSTRAINT_LT: (upper, below) = (index, Plan.below)
            default: break
            }
        }
        // Filter arguments come in this order; `filter` reads them in the same.
        var bounds = [(Plan.lower, lower), (Plan.upper, upper)]
        if equal != nil { bounds = [(Plan.equal, equal)] }
        var arguments: Int32 = 0
        for case (let bit, let index?) in bounds {
            arguments += 1
            unsafe info.pointee.aConstraintUsage[index].argvIndex = arguments
            // The filter is exact: SQLite need not look at each row's number again.
            unsafe info.pointee.aConstraintUsage[index].omit = 1
            unsafe info.pointee.idxNum |= bit
        }
        if equal == nil { unsafe info.pointee.idxNum |= above | below }
        let isNarrow = equal != nil || (lower != nil && upper != nil)
        unsafe info.pointee.estimatedCost = isNarrow ? 1e3 : arguments > 0 ? 1e7 : 1e8
        if unsafe info.pointee.nOrderBy == 1, unsafe info.pointee.aOrderBy[0].iColumn <= 0,
            unsafe info.pointee.aOrderBy[0].desc == 0
        {
            unsafe info.pointee.orderByConsumed = 1
        }
        return SQLITE_OK
    }

    private static func filter(
        _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?, _ plan: Int32,
        _ arguments: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 {
        var lowest: Int64 = 1
        var highest = Int64.max
        var argument = 0
        /// The next argument as the nearest integers that are not above and not below it; nil for NULL.
        func next() -> (floor: Int64, ceiling: Int64)? {
            defer { argument += 1 }
            guard let value = unsafe arguments?[argument] else { return nil }
            return unsafe neighbours(value)
        }
        if plan & Plan.equal != 0 {
            guard let bound = next(), bound.floor == bound.ceiling else { return unsafe empty(cursor) }
            (lowest, highest) = (max(bound.floor, 1), bound.floor)
        }
        if plan & Plan.lower != 0 {
            guard let bound = next(), bound.floor < Int64.max else { return unsafe empty(cursor) }
            lowest = max(plan & Plan.above != 0 ? bound.floor + 1 : bound.ceiling, 1)
        }
        if plan & Plan.upper != 0 {
            guard let bound = next(), bound.ceiling > 0 else { return unsafe empty(cursor) }
            highest = plan & Plan.below != 0 && bound.ceiling < Int64.max ? bound.ceiling - 1 : bound.floor
        }
        guard lowest <= highest else { return unsafe empty(cursor) }
        unsafe source(cursor).takeUnretainedValue().rewind(from: lowest, through: highest)
        return unsafe load(cursor)
    }

    /// The integers around a value under SQLite's rules of comparison: text that is no number is greater than all.
    private static func neighbours(_ value: OpaquePointer) -> (floor: Int64, ceiling: Int64)? {
        switch unsafe ext_numeric_type(value) {
        case SQLITE_NULL: return nil
        case SQLITE_INTEGER:
            let integer = unsafe ext_value_int64(value)
            return (integer, integer)
        case SQLITE_FLOAT:
            let real = unsafe ext_value_double(value)
            return (Int64(clamping: real.rounded(.down)), Int64(clamping: real.rounded(.up)))
        default: return (Int64.max, Int64.max)
        }
    }

    private static func empty(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Int32 {
        let entry = unsafe entries(cursor)
        unsafe (entry.pointee.index, entry.pointee.end) = (0, 0)
        return SQLITE_OK
    }

    private static func load(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> Int32 {
        let source = unsafe source(cursor).takeUnretainedValue()
        if unsafe source.load(&entries(cursor).pointee) { return SQLITE_OK }
        // The message belongs to SQLite, so it has to come from SQLite's allocator.
        let message = Array(source.failure.utf8CString)
        let table = unsafe cursor.unsafelyUnwrapped.pointee.pVtab
        unsafe ext_free(table?.pointee.zErrMsg)
        let copy = unsafe ext_malloc(UInt64(message.count))?.bindMemory(to: CChar.self, capacity: message.count)
        unsafe copy?.update(from: message, count: message.count)
        unsafe table?.pointee.zErrMsg = copy
        return SQLITE_CORRUPT
    }

    @inline(__always)
    private static func value(
        _ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?, _ context: OpaquePointer?, _ column: Int32
    ) -> Int32 {
        let entry = unsafe entries(cursor)
        let index = unsafe Int(entry.pointee.index)
        let value: Int64 =
            switch column {
            case 0: unsafe entry.pointee.first_seq &+ Int64(index)
            case 1: unsafe Int64(bitPattern: entry.pointee.gfns[index])
            case 2: unsafe entry.pointee.harvest
            default: unsafe entry.pointee.times?[index] ?? entry.pointee.ts_ns
            }
        unsafe ext_result(context, value)
        return SQLITE_OK
    }
}

extension Int64 {
    /// The nearest integer to a number that is whole, or beyond all integers.
    fileprivate init(clamping real: Double) {
        self = Int64(exactly: real) ?? (real < 0 ? .min : .max)
    }
}
