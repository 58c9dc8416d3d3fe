import KVM
import Model
import Platform

/// Reads KVM's cost counters at every iteration and reports what has risen.
struct StatisticsRecorder {
    /// Counters that tell what dirty logging costs; all others of the kernel are left out.
    static let names: Set<String> = [
        "remote_tlb_flush", "remote_tlb_flush_requests", "pages_4k", "pages_2m", "pages_1g", "mmu_cache_miss",
        "mmu_pte_write", "mmu_shadow_zapped", "mmu_flooded", "mmu_recycled", "mmu_unsync",
        "pf_taken", "pf_fixed", "pf_emulate", "pf_spurious", "pf_fast", "pf_mmio_spte_created", "exits", "io_exits",
        "mmio_exits", "signal_exits", "halt_exits", "irq_exits", "insn_emulation", "insn_emulation_fail", "tlb_flush",
        "invlpg",
    ]

    private var readers: [(vcpu: Int?, reader: StatisticsReader, previous: [Int64])] = []

    /// Opens the statistics of the VM and its vCPUs; without them (`KVM_CAP_BINARY_STATS_FD`) nothing is reported.
    init(vm: VirtualMachine, vcpus: [VCPU], system: KVMSystem) throws(KVMError) {
        guard system.check(.statistics) > 0 else { return }
        var readers: [(vcpu: Int?, reader: StatisticsReader)] = [(nil, try vm.statistics())]
        for vcpu in vcpus { readers.append((vcpu.index, try vcpu.statistics())) }
        for (vcpu, reader) in readers { self.readers.append((vcpu, reader, try reader.read())) }
    }

    /// What has risen since the last call, as rows of `iteration`.
    mutating func rises(iteration: Int64) throws(KVMError) -> [KVMStatistic] {
        var rows: [KVMStatistic] = []
        for index in readers.indices {
            let reader = readers[index].reader
            let now = try reader.read()
            for (place, name) in reader.names.enumerated() where Self.names.contains(name) {
                let rise = now[place] - readers[index].previous[place]
                if rise != 0 {
                    rows.append(KVMStatistic(iteration: iteration, vcpu: readers[index].vcpu, name: name, value: rise))
                }
            }
            readers[index].previous = now
        }
        return rows
    }
}
