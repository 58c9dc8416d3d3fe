import Foundation
import Guests
import KVM
import Model
import Platform
import Synchronization
import Testing

@testable import Recorder

/// Where the KVM suites run: not on a machine that the nested rig stands in for.
enum KVMHost {
    static let isUsable = KVMSystem.isAvailable && ProcessInfo.processInfo.environment["DIRTYREC_HOST"] != "nested"
    static let reason: Comment = "needs read-write access to /dev/kvm; scripts/test runs it in the rig as well"
    /// Guest user code runs natively and kernel code is emulated in batches.
    static let isPVM = Host().kvmModule == "kvm_pvm"
    /// Entries of the smallest ring that this host takes.
    static let leastRing = RingLimits.least(pml: Host().pml == true)
    /// Batches that PML logged stand backwards in their ring (before Linux 6.14).
    static let reversesBatches =
        Host().pml == true && KernelRelease(Host().kernel).map { $0 < KernelRelease(6, 14) } ?? false
    /// The rig emulates every instruction: fewer combinations, slower guests.
    static let isShort = ProcessInfo.processInfo.environment["DIRTYREC_MATRIX"] == "short"
}

/// Keeps batches in memory.
final class ListSink: BatchSink {
    private let list = Mutex<[IterationBatch]>([])
    var batches: [IterationBatch] { list.withLock { $0 } }
    func commit(_ batch: IterationBatch) { list.withLock { $0.append(batch) } }
}

/// A finished recording in memory.
struct Recorded {
    var outcome: RecorderOutcome
    var batches: [IterationBatch]
    var slots: [MemorySlot]

    var entries: [GFN] { batches.flatMap { $0.harvests.flatMap(\.gfns) } }
    var missing: Int64 { outcome.verdicts.reduce(0) { $0 + $1.missing } }
    var unexplained: Int64 { outcome.verdicts.reduce(0) { $0 + $1.unexplained } }

    /// Pages of each iteration.
    var pages: [Set<GFN>] { batches.map { Set($0.harvests.flatMap(\.gfns)) } }
}

/// Records a guest into memory, judged by oracles, every 10 ms for 4 iterations unless the plan is changed.
func record(_ guest: any Guest, plan change: (inout RecordPlan) throws -> Void = { _ in }) throws -> Recorded {
    var plan = RecordPlan()
    plan.verify = true
    plan.intervalNs = 10_000_000
    plan.iterations = 4
    try change(&plan)
    let sink = ListSink()
    let recorder = try Recorder(plan: plan, guest: guest)
    let outcome = try recorder.run { _, _ in sink }
    return Recorded(outcome: outcome, batches: sink.batches, slots: recorder.slots)
}

/// The same with a built-in workload.
func record(
    _ workload: String, vcpus: Int = 1, plan change: (inout RecordPlan) throws -> Void = { _ in }
) throws -> Recorded {
    try record(BuiltinGuest(workload: Workload(parsing: workload), vcpus: vcpus, memory: nil), plan: change)
}

/// A guest of a few bytes of machine code, in user or kernel mode, with one logged region at 4 GiB (RDI points to it).
final class CodeGuest: Guest {
    /// Writes 8 bytes to one page after the other of 4096 pages from RDI on, for ever:
    /// mov rbx, rdi; mov ecx, 4096; l: mov [rbx], rcx; add rbx, 4096; dec ecx; jnz l; jmp start
    static let writeLoop: [UInt8] = [
        0x48, 0x89, 0xfb, 0xb9, 0x00, 0x10, 0x00, 0x00,
        0x48, 0x89, 0x0b, 0x48, 0x81, 0xc3, 0x00, 0x10, 0x00, 0x00, 0xff, 0xc9, 0x75, 0xf2,
        0xeb, 0xe8,
    ]

    let vcpus = 1
    let label = "machine code"
    private let inner: BuiltinGuest
    private let code: [UInt8]
    private let kernelMode: Bool
    private let onExit: @Sendable (VCPUExit) -> GuestAction

    init(
        _ code: [UInt8], pages: Int, kernelMode: Bool = false,
        onExit: @escaping @Sendable (VCPUExit) -> GuestAction = { _ in .unexpected }
    ) throws {
        inner = try BuiltinGuest(workload: Workload(parsing: "idle:size=\(pages * 4096)"), vcpus: 1, memory: nil)
        self.code = code
        self.kernelMode = kernelMode
        self.onExit = onExit
    }

    var regions: [GuestRegion] { inner.regions }
    func populate() throws { try inner.data.populate(offset: 0, bytes: inner.data.size) }
    func start(_ vcpu: VCPU) throws {
        let (entry, pages, data) = (UInt64(0x8000), inner.pageTableAddress, BuiltinGuest.dataAddress)
        // Kernel code gets its argument in RSI: mov rdi, rsi comes first.
        inner.low.write((kernelMode ? [0x48, 0x89, 0xf7] : []) + code, at: Int(entry))
        if kernelMode {
            try vcpu.startKernelMode(entry: entry, pageTable: pages, gdt: (0x9000, 24), stack: 0xa000, argument: data)
        } else {
            try vcpu.startUserMode(entry: entry, pageTable: pages, argument: data)
        }
    }
    func handle(_ exit: VCPUExit, of vcpu: VCPU) -> GuestAction { onExit(exit) }
    func completedOperations(of vcpu: Int) -> UInt64? { nil }
}
