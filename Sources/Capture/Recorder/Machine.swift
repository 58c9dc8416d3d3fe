import Guests
import KVM
import Model
import Platform

/// The virtual machine of a recording: made once, from plan and guest.
package struct Machine: Sendable {
    let system: KVMSystem
    package let vm: VirtualMachine
    package let vcpus: [VCPU]
    /// Memory at the start.
    let map: MemoryMap
    /// The plan with the host's defaults filled in.
    let plan: RecordPlan
    let info: RecordingInfo
    /// A page that never comes, if the plan wants one.
    let missingPage: MissingPage?
    /// Whether the CPU may keep entries to itself until the next exit (PML): up to 512 of each vCPU.
    let hasPML: Bool

    package init(plan: RecordPlan, guest: any Guest) throws {
        var plan = plan
        let host = Host()
        let system = try KVMSystem()
        guard guest.vcpus <= max(1, system.check(.maxVCPUs)) else {
            throw RecordError(
                "This host's KVM allows \(system.check(.maxVCPUs)) vCPUs; use fewer --vcpus.", isHostLack: true)
        }
        guard system.check(.immediateExit) > 0 else {
            throw RecordError(
                "This kernel lacks KVM_CAP_IMMEDIATE_EXIT (Linux 4.11); use a newer one.", isHostLack: true)
        }
        if guest.needsKernelMode, !plan.slow, host.emulatesKernelMode {
            throw RecordError(
                "This host's KVM (\(host.kvmModule)) emulates kernel-mode code instruction by instruction, so a kernel would take hours to"
                    + " boot; record in the nested rig (rig/README.md), or give --slow.", isHostLack: true)
        }
        let vm = try system.makeVM()
        let most = system.maxRingEntries
        switch plan.source {
        case .dirtyRing:
            guard most > 0 else {
                throw RecordError(
                    "This kernel has no dirty ring (Linux 5.11); record with --source dirty-log.", isHostLack: true)
            }
            let entries = plan.ringEntries ?? min(RingLimits.most, most)
            guard entries <= most else {
                throw RecordError("--ring-size \(entries) is too large; this host allows \(most) entries.")
            }
            try Self.check(ringEntries: entries, pml: host.pml == true)
            try vm.enableDirtyRing(entries: entries)
            plan.ringEntries = entries
        case .clearLog:
            guard system.check(.manualProtect) > 0 else {
                throw RecordError(
                    "This kernel has no KVM_CLEAR_DIRTY_LOG (Linux 5.2); record with --source dirty-log.",
                    isHostLack: true)
            }
            try vm.enableManualProtect(initiallySet: plan.initiallySet)
            plan.ringEntries = nil
        case .dirtyLog: plan.ringEntries = nil
        case .vmm, .tracefs, .imported:
            throw RecordError(
                "--source \(plan.source.rawValue) cannot be recorded; use dirty-ring, dirty-log or clear-log.")
        }
        var map = try MemoryMap(guest: guest, watch: plan.watch)
        if !plan.logsWrites { map.stopLogging() }
        if plan.watches, system.check(.readonlyMemory) == 0 {
            throw RecordError(
                "This KVM has no read-only slots, which --watch needs (Linux 3.7); leave it out.", isHostLack: true)
        }
        try guest.prepare(vm)
        try guest.populate()
        missingPage = try plan.stallPage.map { try Self.missingPage(at: $0, in: map) }
        for slot in map.slots { try vm.setMemory(slot.region, memory: slot.memory, offset: slot.offset) }
        var vcpus: [VCPU] = []
        for index in 0..<guest.vcpus {
            let vcpu = try vm.makeVCPU(index: index, ringEntries: plan.ringEntries)
            try guest.start(vcpu)
            vcpus.append(vcpu)
        }
        for write in plan.kvmWrites { try write.check(map, system) }
        self.system = system
        self.vm = vm
        self.vcpus = vcpus
        self.plan = plan
        self.map = map
        // Unless it is known to be off: an exit too many does no harm.
        hasPML = host.pml != false
        info = Self.describe(plan: plan, guest: guest, system: system, host: host)
    }

    /// - Throws: ``RecordError`` when PML's batches would not fit.
    static func check(ringEntries: Int, pml: Bool) throws(RecordError) {
        let least = RingLimits.least(pml: pml)
        guard ringEntries >= least else {
            throw RecordError(
                "--ring-size \(ringEntries) is too small for this host's PML, which logs batches of \(RingLimits.pmlBatch) pages; use at least \(least)."
            )
        }
    }

    private static func missingPage(at address: UInt64, in map: MemoryMap) throws -> MissingPage {
        guard let slot = map.logged.first(where: { $0.contains(address) }) else {
            throw RecordError(
                "--stall-page 0x\(String(address, radix: 16)) is not logged guest memory; \(map.whereLogged).")
        }
        let place = slot.offset + Int(address - slot.region.guestAddress)
        return try MissingPage(of: slot.memory, offset: place / pageBytes * pageBytes)
    }

    private static func describe(
        plan: RecordPlan, guest: any Guest, system: KVMSystem, host: Host
    ) -> RecordingInfo {
        var info = RecordingInfo()
        info.id = RecordingInfo.newID()
        host.describe(&info)
        info.pageSize = Int64(pageBytes)
        info.vcpuCount = guest.vcpus
        info.memoryBytes = guest.regions.reduce(0) { $0 + Int64($1.memory.size) }
        info.source = plan.source
        info.mode = plan.mode
        info.ringEntries = plan.ringEntries
        info.ringSoftLimit = plan.ringEntries.map { RingLimits.softLimit(ringEntries: $0, pml: host.pml == true) }
        info.clearChunkPages = plan.source == .clearLog ? plan.clearChunkPages : nil
        info.initiallySet = plan.initiallySet
        info.intervalNs = plan.intervalNs
        if let content = plan.content { info.labels[RecordingInfo.contentKey] = content.description }
        if guest.vcpus > Parallel.cpus { info.labels[RecordingInfo.sharedCPUsKey] = "\(Parallel.cpus)" }
        for capability in Capability.all { info.capabilities[capability.name] = system.check(capability) }
        return info
    }

    /// What harvests this machine's source; the vCPUs must stand still.
    func makeCollector(startNs: Int64) throws(KVMError) -> any Collector {
        if let ringEntries = plan.ringEntries {
            return RingCollector(
                vm: vm, vcpus: vcpus, ringEntries: ringEntries,
                resetsEndEarly: KernelFact.resetEndsEarly(on: info.kernel), hasPML: hasPML,
                slots: map.logged, startNs: startNs)
        }
        return try BitmapCollector(
            vm: vm, manual: plan.source == .clearLog, clearChunk: UInt64(plan.clearChunkPages), slots: map.logged,
            startNs: startNs, initiallySet: plan.initiallySet)
    }
}

/// Collects dirty pages from one kind of source and re-protects them. Used by the harvester thread only.
protocol Collector: AnyObject {
    /// Logged slots have changed while the vCPUs stand still; everything was collected and re-protected before.
    func slotsChanged(to slots: [LiveSlot]) throws(KVMError)
    /// Harvests everything there is.
    ///
    /// - Parameter heldNs: a time since when vCPUs that run may hold entries back for the next harvest, if that was before this one.
    func collectAll(
        cause: HarvestCause, waiting: [VCPUCrew.Waiting], heldNs: Int64, into batch: inout IterationBatch
    ) throws(KVMError)
    /// Harvests the full rings of these vCPUs out of turn.
    func collect(_ vcpus: [Int], cause: HarvestCause, waiting: [VCPUCrew.Waiting], into batch: inout IterationBatch)
    /// Re-protects what was harvested since the last call.
    func reprotect(into batch: inout IterationBatch) throws(KVMError) -> Reprotection
}

/// What a re-protection did.
struct Reprotection {
    var ns: Int64 = 0
    /// The most pages that stayed writable, so that the next write to them will not be reported.
    var unprotected = 0
}
