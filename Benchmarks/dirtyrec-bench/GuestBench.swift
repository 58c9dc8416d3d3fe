import Foundation
import Guests
import KVM
import Model
import Platform
import Recorder
import Synchronization

/// A guest whose vCPUs write to one page after the other of their memory, for what changes under them.
final class GuestBench {
    /// What KVM's counters say of all vCPUs and the VM.
    struct Counts {
        /// Page faults of the guest that KVM served.
        var faults: Int64 = 0
        /// Flushes of all vCPUs' TLBs that KVM asked for, whether one had to be interrupted or not.
        var flushRequests: Int64 = 0
        /// Pages of 2 MiB in KVM's page tables now.
        var large: Int64 = 0

        static func - (a: Counts, b: Counts) -> Counts {
            Counts(
                faults: a.faults - b.faults, flushRequests: a.flushRequests - b.flushRequests, large: a.large)
        }
    }

    let guest: BuiltinGuest
    let machine: Machine
    let crew: VCPUCrew
    private let vmCounters: StatisticsReader
    private let vcpuCounters: [StatisticsReader]
    /// When a vCPU left the guest for memory that was not there; nanoseconds, in the order of time.
    let gaps = Mutex<[Int64]>([])

    init(_ workload: String, vcpus: Int, memory: Int64? = nil, plan change: (inout RecordPlan) -> Void = { _ in })
        throws
    {
        var plan = RecordPlan()
        plan.source = .dirtyLog
        change(&plan)
        let guest = try BuiltinGuest(workload: Workload(parsing: workload), vcpus: vcpus, memory: memory)
        machine = try Machine(plan: plan, guest: guest)
        self.guest = guest
        vmCounters = try machine.vm.statistics()
        vcpuCounters = try machine.vcpus.map { try $0.statistics() }
        let exits = Exits()
        crew = VCPUCrew(vcpus: machine.vcpus) { vcpu, exit in exits.serve(exit, of: vcpu) }
        exits.bench = self
        crew.start()
    }

    /// What vCPUs leave the guest for.
    private final class Exits: @unchecked Sendable {
        weak var bench: GuestBench?

        func serve(_ exit: VCPUExit, of vcpu: VCPU) -> VCPUCrew.AfterExit {
            guard let bench else { return .done }
            switch exit {
            case .mmioWrite, .mmioRead:
                let now = monotonicNow()
                bench.gaps.withLock { $0.append(now) }
                return .resume
            default:
                switch bench.guest.handle(exit, of: vcpu) {
                case .resume, .wrote, .mark: return .resume
                case .waitForIteration: return .waitForIteration
                case .sleep(let ns): return .sleep(ns)
                case .done: return .done
                default: return .died("unexpected exit \(exit)")
                }
            }
        }
    }

    deinit { crew.quit(timeout: 10_000_000_000) }

    /// The logged region.
    var data: MemoryRegion {
        MemoryRegion(
            slot: BuiltinGuest.dataSlot, guestAddress: BuiltinGuest.dataAddress, size: UInt64(guest.data.size),
            logged: true)
    }

    func set(_ region: MemoryRegion, offset: Int = 0) throws {
        try machine.vm.setMemory(region, memory: guest.data, offset: offset)
    }

    func counts() throws -> Counts {
        var counts = Counts()
        for reader in [vmCounters] + vcpuCounters {
            for (name, value) in zip(reader.names, try reader.read()) {
                switch name {
                case "pf_taken": counts.faults += value
                case "remote_tlb_flush_requests": counts.flushRequests += value
                case "pages_2m": counts.large += value
                default: break
                }
            }
        }
        return counts
    }

    /// Lets the vCPUs run until each has done `operations` more, at most 60 s.
    ///
    /// - Returns: nanoseconds that the last one took.
    func run(_ operations: UInt64) -> Int64 {
        let start = monotonicNow()
        let goals = (0..<guest.vcpus).map { guest.progress(of: $0) + operations }
        while (0..<guest.vcpus).contains(where: { guest.progress(of: $0) < goals[$0] }),
            monotonicNow() - start < 60_000_000_000
        { usleep(100) }
        return monotonicNow() - start
    }

    /// Stops all vCPUs, does `body` and lets them run again.
    ///
    /// - Returns: nanoseconds that they stood still, and those of `body`.
    func paused(_ body: () throws -> Void) rethrows -> (pause: Int64, call: Int64) {
        let start = monotonicNow()
        _ = crew.stop(timeout: 10_000_000_000)
        let call = try timed(body)
        crew.resume()
        return (monotonicNow() - start, call)
    }
}

func timed(_ body: () throws -> Void) rethrows -> Int64 {
    let start = monotonicNow()
    try body()
    return monotonicNow() - start
}

/// The middle one.
func median(_ values: [Int64]) -> Int64 { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

/// Prints a line at once, also into a pipe: some rows take minutes.
func say(_ line: String) {
    print(line)
    fflush(nil)
}
