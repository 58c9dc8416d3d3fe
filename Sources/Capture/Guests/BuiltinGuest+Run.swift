import CKVM
import KVM
import Platform

// The workload's machine code: where it runs, how it starts, and what it asks of the VMM.
extension BuiltinGuest {
    static var code: [UInt8] {
        unsafe [UInt8](UnsafeBufferPointer(start: ckvm_workload_start(), count: ckvm_workload_size()))
    }

    /// What the workload's code tells the VMM or asks of it. How it does so is the architecture's: `call(of:)` reads it of an exit, nil for
    /// any other exit.
    enum Call {
        /// The limit of operations is reached.
        case limit
        /// `hotspot`, `phases`: the phase of this number begins.
        case phase(UInt64)
        /// `dma`: pages are to be written, from this one on.
        case dma(firstPage: UInt64)
        /// It is the next operation's turn after so many ticks of the counter.
        case pace(ticks: UInt64)
    }

    /// Sets a fresh vCPU's registers so that its first entry starts the workload.
    package func start(_ vcpu: VCPU) throws {
        if let rate = workload.rate {
            guard let kHz = vcpu.counterKHz else {
                throw GuestError(
                    "KVM does not tell the frequency of the guest's counter, which rate= needs; leave rate= out.")
            }
            let ticksPerSecond = Double(kHz) * 1000
            let at = parameters(of: vcpu.index)
            low.store(
                UInt64(max(1, ticksPerSecond / Double(rate))),
                at: at + MemoryLayout<ckvm_workload_params>.offset(of: \.ticks_per_op)!)
            // A guest that was stopped for longer than 100 ms does not catch up what it missed.
            low.store(
                UInt64(ticksPerSecond / 10), at: at + MemoryLayout<ckvm_workload_params>.offset(of: \.slack_ticks)!)
            // Spinning keeps time best; but vCPUs that share CPUs would spin at each other's expense.
            low.store(
                vcpus > Parallel.cpus ? UInt64(ticksPerSecond / 10_000) : .max,
                at: at + MemoryLayout<ckvm_workload_params>.offset(of: \.sleep_ticks)!)
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

    package func handle(_ exit: VCPUExit, of vcpu: VCPU) -> GuestAction {
        switch call(of: exit) {
        case .limit: return reachLimit(of: vcpu.index)
        case .phase(let number):
            let name = workload.kind == .phases ? PhasePlaces.names[Int(number % 4)] : "phase \(number)"
            return .mark(["vCPU \(vcpu.index): \(name)"])
        case .pace(let ticks): return .sleep(ns: Int64(Double(ticks) * 1e6 / Double(vcpu.counterKHz ?? 1_000_000)))
        case .dma(let firstPage): return .wrote(writeAsDevice(firstPage: firstPage, vcpu: vcpu.index))
        case nil: return .unexpected
        }
    }
}
