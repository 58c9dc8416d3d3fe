import GRDB
import Model

/// What the `recording` row says beyond ``RecordingInfo``: how far the derived tables go.
struct Derived: Equatable {
    var exactTimes = false
    var rowsThrough: Int64 = 0
    var summarized = false
}

extension RecordingInfo {
    static let columns = [
        "id", "tool", "command_line", "guest_kind", "guest", "seed", "host", "kernel", "kvm_module", "cpu", "pml",
        "nested", "page_size", "vcpu_count", "memory_bytes", "source", "mode", "ring_entries", "ring_soft_limit",
        "clear_chunk_pages", "initially_set", "interval_ns", "start_ns", "wall_offset_ns", "end_ns", "end_reason",
    ]

    /// Provenance as the file gives it.
    static func read(_ db: Database, _ path: String) throws -> (RecordingInfo, Derived) {
        var row = try CheckedRows(db, path, "recording", columns + ["exact_times", "rows_through", "summarized"])
        guard try row.step() else {
            throw RecordingError(path, .corrupt(table: "recording", row: nil, "it has no row"))
        }
        var info = RecordingInfo()
        info.id = try row.text()
        info.tool = try row.text()
        info.commandLine = try row.text()
        info.guestKind = try row.text()
        info.guest = try row.text()
        info.seed = try row.optional { UInt64(bitPattern: try $0.integer()) }
        info.host = try row.text()
        info.kernel = try row.text()
        info.kvmModule = try row.text()
        info.cpu = try row.text()
        info.pml = try row.optional { try $0.flag() }
        info.nested = try row.optional { try $0.flag() }
        info.pageSize = try row.integer(in: 4096...65536)
        guard info.pageSize.nonzeroBitCount == 1 else { throw row.corrupt("page_size is no power of two") }
        info.vcpuCount = Int(try row.integer(in: 0...4096))
        info.memoryBytes = try row.integer(in: 0...1 << 60)
        info.source = try row.word(Source.self)
        info.mode = try row.word(HarvestMode.self)
        info.ringEntries = try row.optional { Int(try $0.integer(in: 0...1 << 32)) }
        info.ringSoftLimit = try row.optional { Int(try $0.integer(in: 0...1 << 32)) }
        info.clearChunkPages = try row.optional { Int(try $0.integer(in: 0...1 << 32)) }
        info.initiallySet = try row.flag()
        info.intervalNs = try row.time()
        info.startNs = try row.time()
        info.wallOffsetNs = try row.integer(in: -(1 << 61)...1 << 61)
        info.endNs = try row.optional { try $0.time() }
        info.endReason = try row.optional { try $0.word(EndReason.self) }
        let derived = Derived(
            exactTimes: try row.flag(), rowsThrough: try row.integer(in: 0...Int64.max), summarized: try row.flag())
        guard try !row.step() else { throw row.corrupt("there must be one row only") }

        var capabilities = try CheckedRows(db, path, "capability", ["name", "value"], order: "name")
        while try capabilities.step() {
            let name = try capabilities.text()
            let former = info.capabilities.updateValue(Int(try capabilities.integer()), forKey: name)
            guard former == nil else { throw capabilities.corrupt("\(name) is there twice") }
        }
        var labels = try CheckedRows(db, path, "label", ["key", "value"], order: "key")
        while try labels.step() {
            let key = try labels.text()
            let former = info.labels.updateValue(try labels.text(), forKey: key)
            guard former == nil else { throw labels.corrupt("\(key) is there twice") }
        }
        return (info, derived)
    }
}

extension MemorySlot {
    static let columns = [
        "slot", "address_space", "generation", "base_gfn", "pages", "logged", "readonly", "name", "created_ns",
        "deleted_ns",
    ]

    init(_ row: inout CheckedRows) throws {
        let largest = Int64(largestGFN)
        self.init(
            slot: Int(try row.integer(in: 0...0xffff)), addressSpace: Int(try row.integer(in: 0...0xffff)),
            generation: Int(try row.integer(in: 1...1 << 60)), baseGFN: GFN(try row.integer(in: 0...largest)),
            pages: UInt64(try row.integer(in: 0...largest + 1)), logged: try row.flag(), readonly: try row.flag(),
            name: try row.text(), createdNs: try row.time(), deletedNs: try row.optional { try $0.time() })
        guard baseGFN + pages <= largestGFN + 1 else { throw row.corrupt("the slot ends beyond 2^51 pages") }
    }
}

extension Loss {
    static let columns = ["iteration", "ts_ns", "kind", "vcpu", "entries", "detail"]

    init(_ row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time(), tsNs: try row.time(), kind: try row.word(LossKind.self),
            vcpu: try row.optional { try $0.vcpu() }, entries: try row.optional { try $0.amount() },
            detail: try row.text())
    }
}

extension Marker {
    static let columns = ["ts_ns", "iteration", "vcpu", "text"]

    init(_ row: inout CheckedRows) throws {
        self.init(
            tsNs: try row.time(), iteration: try row.time(),
            vcpu: try row.optional { try $0.vcpu() }, text: try row.text())
    }
}

extension StopLatency {
    static let columns = ["iteration", "vcpu", "latency_ns"]

    init(_ row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time(), vcpu: try row.vcpu(), latencyNs: try row.amount())
    }
}

extension ForeignRate {
    static let columns = ["tool", "vcpu", "since_ns", "ts_ns", "bytes_per_second", "quantum"]

    init(_ row: inout CheckedRows) throws {
        self.init(
            tool: try row.text(), vcpu: try row.optional { try $0.vcpu() }, sinceNs: try row.time(),
            tsNs: try row.time(), bytesPerSecond: try row.amount(), quantum: try row.amount())
    }
}

extension OracleVerdict {
    static let columns = [
        "iteration", "oracle", "expected", "missing", "unexplained", "provisional", "first_read", "initially_set",
        "page_table", "silent",
    ]

    init(_ row: inout CheckedRows) throws {
        self.init(iteration: try row.time(), oracle: try row.text())
        expected = try row.amount()
        missing = try row.amount()
        unexplained = try row.amount()
        provisional = try row.amount()
        firstRead = try row.amount()
        initiallySet = try row.amount()
        pageTable = try row.amount()
        silent = try row.amount()
    }
}

extension KVMStatistic {
    static let columns = ["iteration", "vcpu", "name", "value"]

    init(_ row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time(), vcpu: try row.optional { try $0.vcpu() },
            name: try row.text(), value: try row.integer(in: -(1 << 60)...1 << 60))
    }
}

extension WatchEvent {
    static let columns = ["iteration", "ts_ns", "vcpu", "gpa", "old_value", "new_value", "rip"]

    init(_ row: inout CheckedRows) throws {
        self.init(
            iteration: try row.time(), tsNs: try row.time(), vcpu: try row.vcpu(),
            gpa: UInt64(bitPattern: try row.integer()), oldValue: try row.blob(), newValue: try row.blob(),
            rip: UInt64(bitPattern: try row.integer()))
    }
}
