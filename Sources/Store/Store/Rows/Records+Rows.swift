import GRDB
import Model

/// What the `recording` row says beyond ``RecordingInfo``: how far the derived tables go.
struct Derived: Equatable {
    var exactTimes = false
    var rowsThrough: Int64 = 0
    var summarized = false
}

extension RecordingInfo: StoredRecord {
    static let table = "recording"

    func encode(to row: inout some RowEncoder) {
        row.set("id", id)
        row.set("tool", tool)
        row.set("command_line", commandLine)
        row.set("guest_kind", guestKind)
        row.set("guest", guest)
        row.set("seed", seed)
        row.set("host", host)
        row.set("kernel", kernel)
        row.set("kvm_module", kvmModule)
        row.set("cpu", cpu)
        row.set("pml", pml)
        row.set("nested", nested)
        row.set("page_size", pageSize)
        row.set("vcpu_count", vcpuCount)
        row.set("memory_bytes", memoryBytes)
        row.set("source", source)
        row.set("mode", mode)
        row.set("ring_entries", ringEntries)
        row.set("ring_soft_limit", ringSoftLimit)
        row.set("clear_chunk_pages", clearChunkPages)
        row.set("initially_set", initiallySet)
        row.set("interval_ns", intervalNs)
        row.set("start_ns", startNs)
        row.set("wall_offset_ns", wallOffsetNs)
        row.set("end_ns", endNs)
        row.set("end_reason", endReason)
        Derived().encode(to: &row)
    }

    init(row: inout CheckedRows) throws {
        self.init()
        id = try row.text("id")
        tool = try row.text("tool")
        commandLine = try row.text("command_line")
        guestKind = try row.text("guest_kind")
        guest = try row.text("guest")
        seed = try row.optional("seed") { UInt64(bitPattern: try $0.integer($1)) }
        host = try row.text("host")
        kernel = try row.text("kernel")
        kvmModule = try row.text("kvm_module")
        cpu = try row.text("cpu")
        pml = try row.optional("pml") { try $0.flag($1) }
        nested = try row.optional("nested") { try $0.flag($1) }
        pageSize = try row.integer("page_size", in: 4096...65536)
        guard pageSize.nonzeroBitCount == 1 else { throw row.corrupt("page_size is no power of two") }
        vcpuCount = Int(try row.integer("vcpu_count", in: 0...4096))
        memoryBytes = try row.integer("memory_bytes", in: 0...1 << 60)
        source = try row.word("source")
        mode = try row.word("mode")
        ringEntries = try row.optional("ring_entries") { Int(try $0.integer($1, in: 0...1 << 32)) }
        ringSoftLimit = try row.optional("ring_soft_limit") { Int(try $0.integer($1, in: 0...1 << 32)) }
        clearChunkPages = try row.optional("clear_chunk_pages") { Int(try $0.integer($1, in: 0...1 << 32)) }
        initiallySet = try row.flag("initially_set")
        intervalNs = try row.time("interval_ns")
        startNs = try row.time("start_ns")
        wallOffsetNs = try row.integer("wall_offset_ns", in: -(1 << 61)...1 << 61)
        endNs = try row.optional("end_ns") { try $0.time($1) }
        endReason = try row.optional("end_reason") { try $0.word($1) }
    }

    /// Provenance as the file gives it.
    static func read(_ db: Database, _ path: String) throws -> (RecordingInfo, Derived) {
        var row = try CheckedRows(db, path, table)
        guard try row.step() else {
            throw RecordingError(path, .corrupt(table: table, row: nil, "it has no row"))
        }
        var info = try RecordingInfo(row: &row)
        let derived = try Derived(row: &row)
        guard try !row.step() else { throw row.corrupt("there must be one row only") }

        var capabilities = try CheckedRows(db, path, "capability", order: "name")
        while try capabilities.step() {
            let name = try capabilities.text("name")
            let former = info.capabilities.updateValue(Int(try capabilities.integer("value")), forKey: name)
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

extension Derived {
    func encode(to row: inout some RowEncoder) {
        row.set("exact_times", exactTimes)
        row.set("rows_through", rowsThrough)
        row.set("summarized", summarized)
    }

    init(row: inout CheckedRows) throws {
        exactTimes = try row.flag("exact_times")
        rowsThrough = try row.integer("rows_through", in: 0...Int64.max)
        summarized = try row.flag("summarized")
    }
}

extension MemorySlot: StoredRecord {
    static let table = "memslot"

    func encode(to row: inout some RowEncoder) {
        row.set("slot", slot)
        row.set("address_space", addressSpace)
        row.set("generation", generation)
        row.set("base_gfn", baseGFN)
        row.set("pages", pages)
        row.set("logged", logged)
        row.set("readonly", readonly)
        row.set("name", name)
        row.set("created_ns", createdNs)
        row.set("deleted_ns", deletedNs)
    }

    init(row: inout CheckedRows) throws {
        let largest = Int64(largestGFN)
        self.init(
            slot: Int(try row.integer("slot", in: 0...0xffff)),
            addressSpace: Int(try row.integer("address_space", in: 0...0xffff)),
            generation: Int(try row.integer("generation", in: 1...1 << 60)),
            baseGFN: GFN(try row.integer("base_gfn", in: 0...largest)),
            pages: UInt64(try row.integer("pages", in: 0...largest + 1)), logged: try row.flag("logged"),
            readonly: try row.flag("readonly"), name: try row.text("name"), createdNs: try row.time("created_ns"),
            deletedNs: try row.optional("deleted_ns") { try $0.time($1) })
        guard baseGFN + pages <= largestGFN + 1 else { throw row.corrupt("the slot ends beyond 2^51 pages") }
    }
}

extension Iteration: StoredRecord {
    static let table = "iteration"

    func encode(to row: inout some RowEncoder) {
        row.set("id", id)
        row.set("start_ns", startNs)
        row.set("end_ns", endNs)
        row.set("kick_ns", kickNs)
        row.set("pause_ns", pauseNs)
        row.set("scan_ns", scanNs)
        row.set("get_ns", getNs)
        row.set("clear_ns", clearNs)
        row.set("reset_ns", resetNs)
        row.set("resume_ns", resumeNs)
        row.set("guest_progress", guestProgress)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            id: try row.integer("id", in: 1...Int64.max), startNs: try row.time("start_ns"),
            endNs: try row.time("end_ns"))
        guard startNs <= endNs else { throw row.corrupt("start_ns is later than end_ns") }
        kickNs = try row.amount("kick_ns")
        pauseNs = try row.amount("pause_ns")
        scanNs = try row.amount("scan_ns")
        getNs = try row.amount("get_ns")
        clearNs = try row.amount("clear_ns")
        resetNs = try row.amount("reset_ns")
        resumeNs = try row.amount("resume_ns")
        guestProgress = try row.optional("guest_progress") { try $0.time($1) }
    }
}

/// Without its entries, which travel beside it.
extension Harvest: StoredRecord {
    static let table = "harvest"

    func encode(to row: inout some RowEncoder) {
        row.set("id", id)
        row.set("iteration", iteration)
        row.set("source", source)
        row.set("vcpu", vcpu)
        row.set("cause", cause)
        row.set("since_ns", sinceNs)
        row.set("ts_ns", tsNs)
        row.set("entry_count", entryCount)
        row.set("first_seq", firstSeq)
        row.set("provisional_count", provisionalCount)
        row.set("scan_ns", scanNs)
        row.set("reset_ns", resetNs)
        row.set("stall_ns", stallNs)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            id: try row.integer("id", in: 1...Int64.max), iteration: try row.integer("iteration", in: 1...Int64.max),
            source: try row.word("source"), vcpu: try row.optional("vcpu") { try $0.vcpu($1) },
            cause: try row.word("cause"), sinceNs: try row.time("since_ns"), tsNs: try row.time("ts_ns"),
            entryCount: Int(try row.integer("entry_count", in: 0...Int64(Segment.maxEntries))),
            firstSeq: try row.integer("first_seq"))
        provisionalCount = Int(try row.integer("provisional_count", in: 0...Int64(entryCount)))
        scanNs = try row.amount("scan_ns")
        resetNs = try row.amount("reset_ns")
        stallNs = try row.amount("stall_ns")
        guard sinceNs <= tsNs else { throw row.corrupt("since_ns is later than ts_ns") }
    }
}

extension Loss: StoredRecord {
    static let table = "loss"

    func encode(to row: inout some RowEncoder) {
        row.set("iteration", iteration)
        row.set("ts_ns", tsNs)
        row.set("kind", kind)
        row.set("vcpu", vcpu)
        row.set("entries", entries)
        row.set("detail", detail)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time("iteration"), tsNs: try row.time("ts_ns"), kind: try row.word("kind"),
            vcpu: try row.optional("vcpu") { try $0.vcpu($1) },
            entries: try row.optional("entries") { try $0.amount($1) }, detail: try row.text("detail"))
    }
}

extension Marker: StoredRecord {
    static let table = "marker"

    func encode(to row: inout some RowEncoder) {
        row.set("ts_ns", tsNs)
        row.set("iteration", iteration)
        row.set("vcpu", vcpu)
        row.set("text", text)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            tsNs: try row.time("ts_ns"), iteration: try row.time("iteration"),
            vcpu: try row.optional("vcpu") { try $0.vcpu($1) }, text: try row.text("text"))
    }
}

extension StopLatency: StoredRecord {
    static let table = "stop_latency"

    func encode(to row: inout some RowEncoder) {
        row.set("iteration", iteration)
        row.set("vcpu", vcpu)
        row.set("latency_ns", latencyNs)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time("iteration"), vcpu: try row.vcpu("vcpu"), latencyNs: try row.amount("latency_ns"))
    }
}

extension ForeignRate: StoredRecord {
    static let table = "foreign_rate"

    func encode(to row: inout some RowEncoder) {
        row.set("tool", tool)
        row.set("vcpu", vcpu)
        row.set("since_ns", sinceNs)
        row.set("ts_ns", tsNs)
        row.set("bytes_per_second", bytesPerSecond)
        row.set("quantum", quantum)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            tool: try row.text("tool"), vcpu: try row.optional("vcpu") { try $0.vcpu($1) },
            sinceNs: try row.time("since_ns"), tsNs: try row.time("ts_ns"),
            bytesPerSecond: try row.amount("bytes_per_second"), quantum: try row.amount("quantum"))
    }
}

extension OracleVerdict: StoredRecord {
    static let table = "oracle_verdict"

    func encode(to row: inout some RowEncoder) {
        row.set("iteration", iteration)
        row.set("oracle", oracle)
        row.set("expected", expected)
        row.set("missing", missing)
        row.set("unexplained", unexplained)
        row.set("provisional", provisional)
        row.set("first_read", firstRead)
        row.set("initially_set", initiallySet)
        row.set("page_table", pageTable)
        row.set("silent", silent)
    }

    init(row: inout CheckedRows) throws {
        self.init(iteration: try row.time("iteration"), oracle: try row.text("oracle"))
        expected = try row.amount("expected")
        missing = try row.amount("missing")
        unexplained = try row.amount("unexplained")
        provisional = try row.amount("provisional")
        firstRead = try row.amount("first_read")
        initiallySet = try row.amount("initially_set")
        pageTable = try row.amount("page_table")
        silent = try row.amount("silent")
    }
}

extension KVMStatistic: StoredRecord {
    static let table = "kvm_stat"

    func encode(to row: inout some RowEncoder) {
        row.set("iteration", iteration)
        row.set("vcpu", vcpu)
        row.set("name", name)
        row.set("value", value)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time("iteration"), vcpu: try row.optional("vcpu") { try $0.vcpu($1) },
            name: try row.text("name"), value: try row.integer("value", in: -(1 << 60)...1 << 60))
    }
}

extension WatchEvent: StoredRecord {
    static let table = "watch_event"

    func encode(to row: inout some RowEncoder) {
        row.set("iteration", iteration)
        row.set("ts_ns", tsNs)
        row.set("vcpu", vcpu)
        row.set("gpa", gpa)
        row.set("old_value", oldValue)
        row.set("new_value", newValue)
        row.set("rip", rip)
    }

    init(row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time("iteration"), tsNs: try row.time("ts_ns"), vcpu: try row.vcpu("vcpu"),
            gpa: UInt64(bitPattern: try row.integer("gpa")), oldValue: try row.blob("old_value"),
            newValue: try row.blob("new_value"), rip: UInt64(bitPattern: try row.integer("rip")))
    }
}

extension PageContent: StoredRecord {
    static let table = "page_content"

    func encode(to row: inout some RowEncoder) {
        row.set("iteration", iteration)
        row.set("gfn", gfn)
        row.set("zero", digest.isZero)
        row.set("changed_words", digest.change?.words)
        row.set("xbzrle_bytes", digest.change?.xbzrleBytes)
        row.set("zstd_bytes", digest.zstdBytes)
        row.set("hash", digest.hash)
    }

    init(row: inout CheckedRows) throws {
        let iteration = try row.time("iteration")
        let gfn = GFN(try row.integer("gfn", in: 0...Int64(largestGFN)))
        let isZero = try row.flag("zero")
        let words = try row.optional("changed_words") { try $0.amount($1) }
        let xbzrle = try row.optional("xbzrle_bytes") { try $0.amount($1) }
        guard (words == nil) == (xbzrle == nil) else { throw row.corrupt("changed_words and xbzrle_bytes go together") }
        let change = words.flatMap { words in xbzrle.map { Change(words: words, xbzrleBytes: $0) } }
        let zstd = try row.amount("zstd_bytes")
        let hash = UInt64(bitPattern: try row.integer("hash"))
        self.init(
            iteration: iteration, gfn: gfn, digest: Digest(isZero: isZero, change: change, zstdBytes: zstd, hash: hash))
    }
}
