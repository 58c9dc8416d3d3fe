import CKVM
import KVM
import Model
import Platform

/// A guest that runs a built-in workload on every vCPU, in 64-bit user mode with identity-mapped 2 MiB pages.
///
/// Slot 0 is *not logged* and holds, from guest address 0: code, one page of parameters a vCPU, page tables and
/// zipf's alias table. Slot 1 is *logged* and holds nothing but data, so that the dirty set is exactly what the workload
/// writes.
package final class BuiltinGuest: Guest {
    /// Guest physical address of the first data page.
    package static let dataAddress: UInt64 = 1 << 32
    /// Slot of code, parameters and page tables.
    package static let lowSlot: UInt32 = 0
    package static let dataSlot: UInt32 = 1

    static let codeAddress = 0x1000
    /// Bytes of one of the CPU's tables, of 512 entries.
    private static let tableBytes = 4096
    static let parameterAddress = 0x10000

    package let workload: Workload
    package var label: String { workload.specification }
    package let vcpus: Int
    package let low: GuestMemory
    package let data: GuestMemory
    private let table: AliasTable?
    let pageTable: Int
    /// Address of the tables whose entries are 2 MiB pages; they follow each other.
    let directories: Int

    /// Lays out the guest's memory.
    ///
    /// - Parameter memory: bytes of logged memory; nil: as much as the workload's regions take.
    /// - Throws: ``GuestError`` when the regions do not fit, ``KVMError`` when the host has no room.
    package init(workload: Workload, vcpus: Int, memory: Int64?) throws {
        let regions = Int64(workload.isShared ? 1 : vcpus)
        let (needed, overflow) = workload.size.multipliedReportingOverflow(by: regions)
        let memory = memory ?? needed
        guard !overflow, memory <= 1 << 44 else { throw GuestError("A built-in guest has at most 16 TiB of memory.") }
        guard memory >= pageBytes, memory % Int64(pageBytes) == 0 else {
            throw GuestError(
                "Guest memory of \(memory) bytes is not usable: give a multiple of \(pageBytes), such as 256MiB.")
        }
        guard needed <= memory else {
            throw GuestError(
                "The workload needs \(regions) × \(workload.size >> 10) KiB, more than the guest's \(memory >> 10) KiB;"
                    + " give more --memory, fewer --vcpus or a smaller size=.")
        }
        guard workload.kind != .phases || UInt64(vcpus) <= workload.pages else {
            throw GuestError("Workload 'phases' needs a page for each vCPU; give fewer --vcpus or a larger size=.")
        }
        self.workload = workload
        self.vcpus = vcpus

        // Identity map of [0, end) with 2 MiB pages: one table of 512 entries for every GiB, 512 GiB and 256 TiB. The CPU's tables have
        // 4 KiB, whatever the host's pages have.
        let end = Int(Self.dataAddress) + Int(memory)
        let gibibytes = (end + (1 << 30) - 1) >> 30
        let tables = 1 + (gibibytes + 511) / 512 + gibibytes
        pageTable = Self.roundUp(Self.parameterAddress + vcpus * pageBytes, to: pageBytes)
        directories = pageTable + (1 + (gibibytes + 511) / 512) * Self.tableBytes
        let tableAddress = pageTable + tables * Self.tableBytes
        let tableBytes = workload.kind == .zipf ? Int(workload.pages) * MemoryLayout<ckvm_alias_entry>.stride : 0
        let lowSize = Self.roundUp(tableAddress + tableBytes, to: 2 << 20)
        guard lowSize <= 2 << 30 else {
            throw GuestError("The zipf table of \(workload.pages) pages does not fit below 2 GiB; use a smaller size=.")
        }
        low = try GuestMemory(size: lowSize)
        data = try GuestMemory(size: Int(memory))
        table =
            workload.kind == .zipf
            ? AliasTable(pages: Int(workload.pages), theta: workload.theta, seed: workload.seed) : nil

        low.write(Self.code, at: Self.codeAddress)
        writePageTables(gibibytes: gibibytes)
        for (index, entry) in (table?.entries ?? []).enumerated() {
            let raw = ckvm_alias_entry(threshold: entry.threshold, page: entry.page, alias: entry.alias)
            low.store(raw, at: tableAddress + index * MemoryLayout<ckvm_alias_entry>.stride)
        }
        for vcpu in 0..<vcpus { writeParameters(vcpu: vcpu, table: tableAddress) }
    }

    private func writePageTables(gibibytes: Int) {
        let pointers = pageTable + Self.tableBytes
        for gibibyte in 0..<gibibytes {
            let directory = directories + gibibyte * Self.tableBytes
            low.store(UInt64(directory) | Self.tableEntry, at: pointers + gibibyte * 8)
            for entry in 0..<512 {
                let address = UInt64(gibibyte) << 30 | UInt64(entry) << 21
                low.store(Self.blockEntry(address), at: directory + entry * 8)
            }
        }
        for half in 0..<((gibibytes + 511) / 512) {
            low.store(UInt64(pointers + half * Self.tableBytes) | Self.tableEntry, at: pageTable + half * 8)
        }
    }

    /// Maps the guest's data, whose virtual address stays, to another guest physical address, a multiple of 2 MiB. The
    /// vCPUs must stand still, and the data slot must be deleted: KVM then flushes what it and the CPU have cached.
    package func moveData(to address: UInt64) {
        var entry = directories + Int(Self.dataAddress >> 21) * 8
        for offset in stride(from: 0, to: UInt64(data.size), by: 2 << 20) {
            low.store(Self.blockEntry(address + offset), at: entry)
            entry += 8
        }
    }

    private static func roundUp(_ value: Int, to unit: Int) -> Int { (value + unit - 1) / unit * unit }

    func parameters(of vcpu: Int) -> Int { Self.parameterAddress + vcpu * pageBytes }

    private func writeParameters(vcpu: Int, table: Int) {
        var parameters = ckvm_workload_params()
        parameters.base = Self.dataAddress + firstPage(of: vcpu) * UInt64(pageBytes)
        parameters.pages = workload.pages
        parameters.rng = GuestRandom(seed: workload.seed, stream: vcpu).state
        parameters.write_threshold = WorkloadModel.threshold(workload.writes)
        parameters.op_limit = min(workload.step ?? .max, workload.operations ?? .max)
        parameters.word_offset = UInt64(vcpu % 512) * 8
        parameters.stride = workload.stridePages
        parameters.start = start(of: vcpu)
        parameters.hot_pages = workload.kind == .phases ? places(of: vcpu).hotPages : workload.hotPages
        parameters.hot_threshold = WorkloadModel.threshold(workload.share)
        parameters.phase_ops = workload.phase
        parameters.table = UInt64(table)
        parameters.burst = workload.burst
        if workload.kind == .phases {
            let places = places(of: vcpu)
            parameters.walk_step = places.walkStep
            parameters.move_step = places.moveStep
            parameters.move_start = places.moveStart
            parameters.meet = places.meet
        }
        parameters.page_shift = UInt64(pageBytes.trailingZeroBitCount)
        low.store(parameters, at: self.parameters(of: vcpu))
    }

    /// First page of a vCPU's region, counted from the start of the data slot.
    private func firstPage(of vcpu: Int) -> UInt64 { workload.isShared ? 0 : UInt64(vcpu) * workload.pages }

    /// Where in its region a vCPU begins: sequential walkers of one shared region start apart.
    private func start(of vcpu: Int) -> UInt64 {
        workload.isShared && workload.kind != .shared ? workload.pages / UInt64(vcpus) * UInt64(vcpu) : 0
    }

    private func places(of vcpu: Int) -> PhasePlaces { PhasePlaces(workload, vcpus: vcpus, start: start(of: vcpu)) }

    /// Guest physical address of the top-level page table.
    package var pageTableAddress: UInt64 { UInt64(pageTable) }

    /// Guest frame number of the first data page.
    package var dataGFN: UInt64 { Self.dataAddress / UInt64(pageBytes) }

    package var regions: [GuestRegion] {
        [
            GuestRegion(name: "low", slot: Self.lowSlot, address: 0, memory: low, isLogged: false),
            GuestRegion(name: "data", slot: Self.dataSlot, address: Self.dataAddress, memory: data, isLogged: true),
        ]
    }

    /// Makes the regions' memory present on the host, so that a write costs the guest no host page fault.
    package func populate() throws(KVMError) {
        let regions = workload.isShared ? 1 : vcpus
        if workload.kind != .idle { try data.populate(offset: 0, bytes: regions * Int(workload.size)) }
    }

    /// Operations that a vCPU has completed, as every guest tells it.
    package func completedOperations(of vcpu: Int) -> UInt64? { progress(of: vcpu) }

    /// Operations that a vCPU has completed; it may be in the middle of the next one.
    package func progress(of vcpu: Int) -> UInt64 {
        low.load(at: parameters(of: vcpu) + MemoryLayout<ckvm_workload_params>.offset(of: \.progress)!)
    }

    /// All operations are done, or those of a step: then the next step's limit is set.
    func reachLimit(of vcpu: Int) -> GuestAction {
        let done = progress(of: vcpu)
        guard let step = workload.step, done < workload.operations ?? .max else { return .done }
        setLimit(of: vcpu, min(done + step, workload.operations ?? .max))
        return .waitForIteration
    }

    private func setLimit(of vcpu: Int, _ limit: UInt64) {
        low.store(limit, at: parameters(of: vcpu) + MemoryLayout<ckvm_workload_params>.offset(of: \.op_limit)!)
    }

    /// Whether the workload has a `step=`.
    package var isStepped: Bool { workload.step != nil }

    /// Writes `burst` pages of the vCPU's region, wrapping at its end, and says which.
    func writeAsDevice(firstPage: UInt64, vcpu: Int) -> [GFN] {
        let stamp = progress(of: vcpu) + 1
        return (0..<workload.burst).map { step in
            // The guest is not trusted to stay inside its region.
            let page = self.firstPage(of: vcpu) + (firstPage + step) % workload.pages
            self.data.store(stamp, at: Int(page) * pageBytes + vcpu % 512 * 8)
            return dataGFN + page
        }
    }

    /// The known answer for one vCPU, from its first operation on.
    package func model(of vcpu: Int) -> WorkloadModel {
        WorkloadModel(
            workload: workload, vcpu: vcpu, firstPage: dataGFN + firstPage(of: vcpu), cursor: start(of: vcpu),
            places: places(of: vcpu), table: table)
    }
}
