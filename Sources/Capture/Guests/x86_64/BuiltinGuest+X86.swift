import CKVM
import KVM
import Platform

// The workload's machine code: where it runs, how it starts, and what it says by ports.
extension BuiltinGuest {
    static var code: [UInt8] {
        unsafe [UInt8](UnsafeBufferPointer(start: ckvm_workload_start(), count: ckvm_workload_size()))
    }

    /// Flags of a 2 MiB page: present, writable, user, and already accessed and dirty: the CPU has nothing to write here.
    private static let largePage: UInt64 = 0xe7

    /// Maps the guest's data, whose virtual address stays, to another guest physical address, a multiple of 2 MiB. The
    /// vCPUs must stand still, and the data slot must be deleted: KVM then flushes what it and the CPU have cached.
    package func moveData(to address: UInt64) {
        var entry = directories + Int(Self.dataAddress >> 21) * 8
        for offset in stride(from: 0, to: UInt64(data.size), by: 2 << 20) {
            low.store((address + offset) | Self.largePage, at: entry)
            entry += 8
        }
    }

    func writePageTables(gibibytes: Int) {
        let flags = Self.largePage & ~0x80
        let pointers = pageTable + pageBytes
        for gibibyte in 0..<gibibytes {
            let pointer = pointers + gibibyte * 8
            low.store(UInt64(directories + gibibyte * pageBytes) | flags, at: pointer)
            for entry in 0..<512 {
                let address = UInt64(gibibyte) << 30 | UInt64(entry) << 21
                low.store(address | Self.largePage, at: directories + gibibyte * pageBytes + entry * 8)
            }
        }
        for half in 0..<((gibibytes + 511) / 512) {
            low.store(UInt64(pointers + half * pageBytes) | flags, at: pageTable + half * 8)
        }
    }

    /// Sets a fresh vCPU's registers so that its first entry starts the workload.
    package func start(_ vcpu: VCPU) throws {
        if let rate = workload.rate {
            guard let kHz = vcpu.tscKHz else {
                throw GuestError("KVM does not tell the TSC frequency, which rate= needs; leave rate= out.")
            }
            let ticksPerSecond = Double(kHz) * 1000
            let at = parameters(of: vcpu.index)
            low.store(
                UInt64(max(1, ticksPerSecond / Double(rate))),
                at: at + MemoryLayout<ckvm_workload_params>.offset(of: \.tsc_per_op)!)
            // A guest that was stopped for longer than 100 ms does not catch up what it missed.
            low.store(
                UInt64(ticksPerSecond / 10), at: at + MemoryLayout<ckvm_workload_params>.offset(of: \.tsc_slack)!)
            // Spinning keeps time best; but vCPUs that share CPUs would spin at each other's expense.
            low.store(
                vcpus > Parallel.cpus ? UInt64(ticksPerSecond / 10_000) : .max,
                at: at + MemoryLayout<ckvm_workload_params>.offset(of: \.tsc_sleep)!)
        }
        let entry =
            switch workload.kind {
            case .sequential, .shared, .stride: ckvm_entry_stride
            case .random: ckvm_entry_random
            case .zipf: ckvm_entry_zipf
            case .hotspot: ckvm_entry_hotspot
            case .phases: ckvm_entry_phases
            case .idle: ckvm_entry_idle
            case .dma: ckvm_entry_dma
            }
        try vcpu.startUserMode(
            entry: UInt64(Self.codeAddress) + UInt64(entry), pageTable: UInt64(pageTable),
            argument: UInt64(parameters(of: vcpu.index)))
    }

    /// Our own code has one instruction that writes: `movq %rax, (%rcx)`, three bytes.
    package func writer(before next: UInt64) -> UInt64? {
        let store: [UInt8] = [0x48, 0x89, 0x01]
        guard next >= UInt64(Self.codeAddress + store.count), next < UInt64(Self.parameterAddress),
            low.read(store.count, at: Int(next) - store.count) == store
        else { return nil }
        return next - UInt64(store.count)
    }

    package func handle(_ exit: VCPUExit, of vcpu: VCPU) -> GuestAction {
        guard case .portOut(let port, let data) = exit else { return .unexpected }
        let value = data.prefix(4).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch Int(port) {
        case CKVM_PORT_LIMIT: return reachLimit(of: vcpu.index)
        case CKVM_PORT_PHASE:
            let name = workload.kind == .phases ? PhasePlaces.names[Int(value % 4)] : "phase \(value)"
            return .mark(["vCPU \(vcpu.index): \(name)"])
        case CKVM_PORT_PACE: return .sleep(ns: Int64(Double(value) * 1e6 / Double(vcpu.tscKHz ?? 1_000_000)))
        case CKVM_PORT_DMA: return .wrote(writeAsDevice(firstPage: value, vcpu: vcpu.index))
        default: return .unexpected
        }
    }
}
