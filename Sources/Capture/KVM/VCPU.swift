import CKVM
import Foundation
import Platform
import Synchronization

package enum VCPUExit: Sendable, Equatable {
    /// A signal or `immediate_exit`.
    case interrupted
    /// The dirty ring is full; `KVM_RUN` returns this at once until it has room again.
    case dirtyRingFull
    /// Port output, on x86: the bytes of one access.
    case portOut(port: UInt16, data: [UInt8])
    /// Port input of `size` bytes, on x86, to be answered by `VCPU.answerPortIn(_:)`.
    case portIn(port: UInt16, size: Int)
    /// A write to memory that no slot covers, or that a read-only slot covers.
    case mmioWrite(address: UInt64, data: [UInt8])
    /// A read of memory that no slot covers.
    case mmioRead(address: UInt64, size: Int)
    /// HLT without an in-kernel interrupt controller.
    case halt
    /// Triple fault.
    case shutdown
    /// Power-off or reset by the guest's firmware interface.
    case systemEvent(type: UInt32)
    /// KVM gave up, such as on an instruction that it cannot emulate.
    case internalError(suberror: UInt32)
    /// The CPU refused the guest's state.
    case failEntry(reason: UInt64)
    /// Any other reason, by its number.
    case other(UInt32)
}

/// One virtual CPU. One thread runs it; other threads may only ``requestExit(_:)`` and use its ring and statistics.
@safe
package final class VCPU: @unchecked Sendable {
    /// vCPU index, from 0; also the index of its ring.
    package let index: Int
    let handle: Handle
    let area: Mapping
    private var ring: DirtyRing?
    /// Keeps the memory that the vCPU may be writing to.
    private let vm: VirtualMachine

    init(index: Int, fd: CInt, of vm: VirtualMachine, system: KVMSystem, ringEntries: Int?) throws(KVMError) {
        self.index = index
        self.vm = vm
        handle = Handle(owning: fd)
        area = try Mapping(fd: fd, offset: 0, size: system.runAreaSize, what: "kvm_run of vCPU \(index)")
        if let ringEntries { ring = try DirtyRing(vcpu: fd, entries: ringEntries) } else { ring = nil }
        try prepareArchitecture(of: vm, system)
    }

    var run: UnsafeMutablePointer<kvm_run> { unsafe area.base.assumingMemoryBound(to: kvm_run.self) }

    /// Makes the current or next `KVM_RUN` return at once (`true`), or lets it run (`false`). A thread inside the guest
    /// needs a ``Kick`` as well.
    package func requestExit(_ exit: Bool) {
        // Offset 1 is asserted in layout.c; the kernel reads the byte while we write it.
        let byte = unsafe (area.base + 1).assumingMemoryBound(to: Atomic<UInt8>.self)
        unsafe byte.pointee.store(exit ? 1 : 0, ordering: .sequentiallyConsistent)
    }

    /// Enters the guest until it leaves.
    ///
    /// - Throws: ``KVMError`` for anything but an exit or an interruption.
    package func enter() throws(KVMError) -> VCPUExit {
        // Unlike every other request, EINTR is news here, not noise.
        if ioctl(handle.fd, CKVM_RUN, 0) < 0 {
            let number = errno
            if number == EINTR || number == EAGAIN { return .interrupted }
            throw KVMError("KVM_RUN of vCPU \(index)", errno: number)
        }
        let reason = unsafe run.pointee.exit_reason
        switch CInt(bitPattern: reason) {
        case KVM_EXIT_INTR: return .interrupted
        case KVM_EXIT_DIRTY_RING_FULL: return .dirtyRingFull
        case KVM_EXIT_MMIO: return memoryAccess()
        case KVM_EXIT_HLT: return .halt
        case KVM_EXIT_SHUTDOWN: return .shutdown
        case KVM_EXIT_SYSTEM_EVENT: return .systemEvent(type: unsafe run.pointee.system_event.type)
        case KVM_EXIT_INTERNAL_ERROR: return .internalError(suberror: unsafe run.pointee.internal.suberror)
        case KVM_EXIT_FAIL_ENTRY:
            return .failEntry(reason: unsafe run.pointee.fail_entry.hardware_entry_failure_reason)
        default: return architectureExit(reason)
        }
    }

    private func memoryAccess() -> VCPUExit {
        let mmio = unsafe run.pointee.mmio
        guard mmio.is_write != 0 else { return .mmioRead(address: mmio.phys_addr, size: Int(mmio.len)) }
        let data = unsafe withUnsafeBytes(of: mmio.data) { unsafe [UInt8]($0.prefix(Int(mmio.len))) }
        return .mmioWrite(address: mmio.phys_addr, data: data)
    }

    /// Answers a ``VCPUExit/mmioRead(address:size:)`` with ones, as an empty bus does.
    package func answerEmptyRead() {
        unsafe withUnsafeMutableBytes(of: &run.pointee.mmio.data) { data in
            for index in data.indices { unsafe data[index] = 0xff }
        }
    }

    /// Harvests its dirty ring (``DirtyRing/harvest(_:)``), on one thread at a time; 0 entries when the VM has no rings.
    package func harvest(_ body: (DirtyPage) -> Void) -> Int { ring?.harvest(body) ?? 0 }

    /// Brings its ring back into step after an overrun (``DirtyRing/resynchronise()``).
    package func resynchroniseRing() -> Int { ring?.resynchronise() ?? 0 }

    package func statistics() throws(KVMError) -> StatisticsReader {
        try StatisticsReader(fd: request("KVM_GET_STATS_FD") { ioctl(handle.fd, CKVM_GET_STATS_FD, 0) })
    }
}
