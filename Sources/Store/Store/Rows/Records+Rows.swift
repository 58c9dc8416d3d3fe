import GRDB
import Model

/// What the `recording` row says beyond ``RecordingInfo``: how far the derived tables go.
struct Derived: Equatable {
    var exactTimes = false
    var rowsThrough: Int64 = 0
    var summarized = false

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.flag("exact_times", &exactTimes)
        try row.integer("rows_through", &rowsThrough, in: 0...Int64.max)
        try row.flag("summarized", &summarized)
    }
}

extension RecordingInfo: StoredRecord {
    static let table = "recording"
    private static let sizes: ClosedRange<Int64> = 0...1 << 32

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.text("id", &id)
        try row.text("tool", &tool)
        try row.text("command_line", &commandLine)
        try row.text("guest_kind", &guestKind)
        try row.text("guest", &guest)
        try row.integer("seed", &seed)
        try row.text("host", &host)
        try row.text("kernel", &kernel)
        try row.text("kvm_module", &kvmModule)
        try row.text("cpu", &cpu)
        try row.flag("pml", &pml)
        try row.flag("nested", &nested)
        try row.integer("page_size", &pageSize, in: 4096...65536)
        try row.integer("vcpu_count", &vcpuCount, in: 0...4096)
        try row.integer("memory_bytes", &memoryBytes, in: 0...1 << 60)
        try row.word("source", &source)
        try row.word("mode", &mode)
        try row.integer("ring_entries", &ringEntries, in: Self.sizes)
        try row.integer("ring_soft_limit", &ringSoftLimit, in: Self.sizes)
        try row.integer("clear_chunk_pages", &clearChunkPages, in: Self.sizes)
        try row.flag("initially_set", &initiallySet)
        try row.time("interval_ns", &intervalNs)
        try row.time("start_ns", &startNs)
        try row.integer("wall_offset_ns", &wallOffsetNs, in: -(1 << 61)...1 << 61)
        try row.time("end_ns", &endNs)
        try row.word("end_reason", &endReason)
        // Of a recording that begins; whoever reads one asks ``read(_:_:)`` for it.
        var derived = Derived()
        try derived.code(&row)
    }

    var contradiction: String? { pageSize.nonzeroBitCount == 1 ? nil : "page_size is no power of two" }

    /// Provenance as the file gives it.
    static func read(_ db: Database, _ path: String) throws -> (RecordingInfo, Derived) {
        var row = try CheckedRows(db, path, table)
        guard try row.step() else {
            throw RecordingError(path, .corrupt(table: table, row: nil, "it has no row"))
        }
        var info = try RecordingInfo(row: &row)
        var derived = Derived()
        try derived.code(&row)
        guard try !row.step() else { throw row.corrupt("there must be one row only") }

        var capabilities = try CheckedRows(db, path, "capability", order: "name")
        while try capabilities.step() {
            let name = try capabilities.text("name")
            var value = 0
            try capabilities.integer("value", &value)
            let former = info.capabilities.updateValue(value, forKey: name)
            guard former == nil else { throw capabilities.corrupt("\(name) is there twice") }
        }
        var labels = try CheckedRows(db, path, "label", order: "key")
        while try labels.step() {
            let key = try labels.text("key")
            let former = info.labels.updateValue(try labels.text("value"), forKey: key)
            guard former == nil else { throw labels.corrupt("\(key) is there twice") }
        }
        return (info, derived)
    }
}

extension MemorySlot: StoredRecord {
    static let table = "memslot"

    init() { self.init(slot: 0, baseGFN: 0, pages: 0, logged: false) }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.integer("slot", &slot, in: 0...0xffff)
        try row.integer("address_space", &addressSpace, in: 0...0xffff)
        try row.integer("generation", &generation, in: 1...1 << 60)
        try row.integer("base_gfn", &baseGFN, in: 0...Int64(largestGFN))
        try row.integer("pages", &pages, in: 0...Int64(largestGFN) + 1)
        try row.flag("logged", &logged)
        try row.flag("readonly", &readonly)
        try row.text("name", &name)
        try row.time("created_ns", &createdNs)
        try row.time("deleted_ns", &deletedNs)
    }

    var contradiction: String? { baseGFN + pages <= largestGFN + 1 ? nil : "the slot ends beyond 2^51 pages" }
}

extension Iteration: StoredRecord {
    static let table = "iteration"

    init() { self.init(id: 0, startNs: 0, endNs: 0) }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.integer("id", &id, in: 1...Int64.max)
        try row.time("start_ns", &startNs)
        try row.time("end_ns", &endNs)
        try row.amount("kick_ns", &kickNs)
        try row.amount("pause_ns", &pauseNs)
        try row.amount("scan_ns", &scanNs)
        try row.amount("get_ns", &getNs)
        try row.amount("clear_ns", &clearNs)
        try row.amount("reset_ns", &resetNs)
        try row.amount("resume_ns", &resumeNs)
        try row.time("guest_progress", &guestProgress)
    }

    var contradiction: String? { startNs <= endNs ? nil : "start_ns is later than end_ns" }
}

/// Without its entries, which travel beside it.
extension Harvest: StoredRecord {
    static let table = "harvest"

    init() {
        self.init(iteration: 0, source: .dirtyRing, vcpu: nil, cause: .periodic, sinceNs: 0, tsNs: 0, entryCount: 0)
    }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.integer("id", &id, in: 1...Int64.max)
        try row.integer("iteration", &iteration, in: 1...Int64.max)
        try row.word("source", &source)
        try row.vcpu("vcpu", &vcpu)
        try row.word("cause", &cause)
        try row.time("since_ns", &sinceNs)
        try row.time("ts_ns", &tsNs)
        try row.integer("entry_count", &entryCount, in: 0...Int64(Segment.maxEntries))
        try row.integer("first_seq", &firstSeq)
        try row.integer("provisional_count", &provisionalCount, in: 0...Int64(entryCount))
        try row.amount("scan_ns", &scanNs)
        try row.amount("reset_ns", &resetNs)
        try row.amount("stall_ns", &stallNs)
    }

    var contradiction: String? { sinceNs <= tsNs ? nil : "since_ns is later than ts_ns" }
}

/// For how many pages each entry of a harvest stands, if for more than one.
struct HarvestSpan: StoredRecord {
    static let table = "harvest_span"
    var harvest: Int64 = 0
    var pages: Int64 = 1

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.integer("harvest", &harvest, in: 1...Int64.max)
        try row.integer("pages", &pages, in: 2...Harvest.mostEntryPages)
    }

    var contradiction: String? { pages.nonzeroBitCount == 1 ? nil : "pages is \(pages), no power of two" }
}

extension Loss: StoredRecord {
    static let table = "loss"

    init() { self.init(iteration: 0, tsNs: 0, kind: .aborted, detail: "") }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.time("iteration", &iteration)
        try row.time("ts_ns", &tsNs)
        try row.word("kind", &kind)
        try row.vcpu("vcpu", &vcpu)
        try row.amount("entries", &entries)
        try row.text("detail", &detail)
    }
}

extension Marker: StoredRecord {
    static let table = "marker"

    init() { self.init(tsNs: 0, iteration: 0, text: "") }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.time("ts_ns", &tsNs)
        try row.time("iteration", &iteration)
        try row.vcpu("vcpu", &vcpu)
        try row.text("text", &text)
    }
}

extension StopLatency: StoredRecord {
    static let table = "stop_latency"

    init() { self.init(iteration: 0, vcpu: 0, latencyNs: 0) }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.time("iteration", &iteration)
        try row.vcpu("vcpu", &vcpu)
        try row.amount("latency_ns", &latencyNs)
    }
}

extension ForeignRate: StoredRecord {
    static let table = "foreign_rate"

    init() { self.init(tool: "", sinceNs: 0, tsNs: 0, bytesPerSecond: 0, quantum: 0) }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.text("tool", &tool)
        try row.vcpu("vcpu", &vcpu)
        try row.time("since_ns", &sinceNs)
        try row.time("ts_ns", &tsNs)
        try row.amount("bytes_per_second", &bytesPerSecond)
        try row.amount("quantum", &quantum)
    }
}

extension OracleVerdict: StoredRecord {
    static let table = "oracle_verdict"

    init() { self.init(iteration: 0, oracle: "") }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.time("iteration", &iteration)
        try row.text("oracle", &oracle)
        try row.amount("expected", &expected)
        try row.amount("missing", &missing)
        try row.amount("unexplained", &unexplained)
        try row.amount("provisional", &provisional)
        try row.amount("first_read", &firstRead)
        try row.amount("initially_set", &initiallySet)
        try row.amount("page_table", &pageTable)
        try row.amount("silent", &silent)
    }
}

extension KVMStatistic: StoredRecord {
    static let table = "kvm_stat"

    init() { self.init(iteration: 0, vcpu: nil, name: "", value: 0) }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.time("iteration", &iteration)
        try row.vcpu("vcpu", &vcpu)
        try row.text("name", &name)
        try row.integer("value", &value, in: -(1 << 60)...1 << 60)
    }
}

extension WatchEvent: StoredRecord {
    static let table = "watch_event"

    init() { self.init(iteration: 0, tsNs: 0, vcpu: 0, gpa: 0, oldValue: [], newValue: [], rip: 0) }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.time("iteration", &iteration)
        try row.time("ts_ns", &tsNs)
        try row.vcpu("vcpu", &vcpu)
        try row.integer("gpa", &gpa)
        try row.blob("old_value", &oldValue)
        try row.blob("new_value", &newValue)
        try row.integer("rip", &rip)
    }
}

extension PageContent: StoredRecord {
    static let table = "page_content"

    init() { self.init(iteration: 0, gfn: 0, digest: Digest(isZero: false, change: nil, zstdBytes: 0, hash: 0)) }

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.time("iteration", &iteration)
        try row.integer("gfn", &gfn, in: 0...Int64(largestGFN))
        try row.flag("zero", &digest.isZero)
        var (words, xbzrle) = (digest.change?.words, digest.change?.xbzrleBytes)
        try row.amount("changed_words", &words)
        try row.amount("xbzrle_bytes", &xbzrle)
        digest.change = words == nil && xbzrle == nil ? nil : Change(words: words ?? -1, xbzrleBytes: xbzrle ?? -1)
        try row.amount("zstd_bytes", &digest.zstdBytes)
        try row.integer("hash", &digest.hash)
    }

    var contradiction: String? {
        guard let change = digest.change, change.words < 0 || change.xbzrleBytes < 0 else { return nil }
        return "changed_words and xbzrle_bytes go together"
    }
}
