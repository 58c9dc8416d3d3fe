import CKVM
import Foundation
import Platform
import Synchronization

/// A range of guest memory as KVM knows it.
package struct MemoryRegion: Sendable, Equatable {
    /// Slot id, in address space 0.
    package var slot: UInt32
    package var guestAddress: UInt64
    /// Bytes; 0 deletes the slot.
    package var size: UInt64
    /// Whether dirty pages are logged.
    package var logged: Bool
    /// Whether guest writes leave the guest instead of changing memory.
    package var readonly: Bool

    package init(slot: UInt32, guestAddress: UInt64, size: UInt64, logged: Bool, readonly: Bool = false) {
        self.slot = slot
        self.guestAddress = guestAddress
        self.size = size
        self.logged = logged
        self.readonly = readonly
    }
}

package final class VirtualMachine: Sendable {
    private let system: KVMSystem
    let handle: Handle
    /// What slots are made of, by slot id: a vCPU may still be in the guest when nobody else needs it any more.
    private let memory = Mutex<[UInt32: GuestMemory]>([:])

    init(system: KVMSystem, fd: CInt) throws(KVMError) {
        self.system = system
        handle = Handle(owning: fd)
        try prepareArchitecture()
    }

    /// Gives every vCPU made from now on a dirty ring. Must come before the first vCPU.
    ///
    /// - Parameter entries: a power of two; the kernel refuses others.
    package func enableDirtyRing(entries: Int) throws(KVMError) {
        let offered = Capability.rings.last { system.check($0) > 0 }
        var capability = kvm_enable_cap()
        capability.cap = UInt32((offered ?? .dirtyRingAcquireRelease).number)
        capability.args.0 = UInt64(entries * MemoryLayout<kvm_dirty_gfn>.stride)
        try request("KVM_CAP_DIRTY_LOG_RING") { unsafe ioctl(handle.fd, CKVM_ENABLE_CAP, &capability) }
        try completeDirtyRing(system)
    }

    /// Makes `KVM_GET_DIRTY_LOG` cumulative until ``clearDirtyLog(slot:bitmap:firstPage:pages:)``.
    ///
    /// Never combine `initiallySet` with dirty rings: the kernel accepts it and then logs nothing.
    package func enableManualProtect(initiallySet: Bool) throws(KVMError) {
        var capability = kvm_enable_cap()
        capability.cap = UInt32(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
        capability.args.0 = initiallySet ? 3 : 1
        try request("KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2") { unsafe ioctl(handle.fd, CKVM_ENABLE_CAP, &capability) }
    }

    /// Adds, changes, moves or (with size 0) deletes a slot. Its memory lives as long as the slot.
    ///
    /// Rings must be drained before a slot is deleted or moved: their entries name the slot, not the page.
    package func setMemory(_ region: MemoryRegion, memory: GuestMemory, offset: Int = 0) throws(KVMError) {
        precondition(offset >= 0 && UInt64(offset) + region.size <= UInt64(memory.size))
        var raw = kvm_userspace_memory_region()
        raw.slot = region.slot
        raw.flags =
            (region.logged ? CKVM_MEM_LOG_DIRTY_PAGES : 0) | (region.readonly ? CKVM_MEM_READONLY : 0)
        raw.guest_phys_addr = region.guestAddress
        raw.memory_size = region.size
        raw.userspace_addr = unsafe UInt64(UInt(bitPattern: memory.base + offset))
        try request("KVM_SET_USER_MEMORY_REGION") { unsafe ioctl(handle.fd, CKVM_SET_USER_MEMORY_REGION, &raw) }
        self.memory.withLock { $0[region.slot] = region.size > 0 ? memory : nil }
    }

    /// Makes vCPU `index`, with a ring of `ringEntries` if rings are enabled.
    package func makeVCPU(index: Int, ringEntries: Int?) throws(KVMError) -> VCPU {
        let fd = try request("KVM_CREATE_VCPU") { ioctl(handle.fd, CKVM_CREATE_VCPU, CInt(index)) }
        return try VCPU(index: index, fd: fd, of: self, system: system, ringEntries: ringEntries)
    }

    /// Re-protects every page whose entry is marked for reset, in all rings.
    ///
    /// Call only on a thread that blocks every signal (``Worker``): kernels from 6.17 on return early when one is pending, and
    /// drop up to 64 pages.
    ///
    /// - Returns: the number of entries reset. It must be that of the entries harvested since the last reset.
    package func resetDirtyRings() throws(KVMError) -> Int {
        Int(try request("KVM_RESET_DIRTY_RINGS") { ioctl(handle.fd, CKVM_RESET_DIRTY_RINGS, 0) })
    }

    /// Reads the dirty bitmap of a slot: one bit a page, in 64-bit words.
    ///
    /// Without manual protection this also clears it and re-protects every page.
    package func getDirtyLog(slot: UInt32, into bitmap: inout [UInt64]) throws(KVMError) {
        let fd = handle.fd
        let result = unsafe bitmap.withUnsafeMutableBytes { bytes -> CInt in
            var log = unsafe kvm_dirty_log()
            unsafe log.slot = slot
            unsafe log.dirty_bitmap = bytes.baseAddress
            return unsafe ioctl(fd, CKVM_GET_DIRTY_LOG, &log)
        }
        if result < 0 { throw KVMError("KVM_GET_DIRTY_LOG", errno: errno) }
    }

    /// Clears the pages of `firstPage ..< firstPage + pages` that are set in `bitmap` and re-protects them.
    ///
    /// - Parameters:
    ///   - bitmap: words of the whole slot; `firstPage` must be a multiple of 64.
    ///   - pages: a multiple of 64, unless the range ends the slot.
    package func clearDirtyLog(slot: UInt32, bitmap: inout [UInt64], firstPage: UInt64, pages: UInt32) throws(KVMError)
    {
        precondition(firstPage % 64 == 0 && Int(firstPage / 64) + (Int(pages) + 63) / 64 <= bitmap.count)
        let fd = handle.fd
        let result = unsafe bitmap.withUnsafeMutableBytes { bytes -> CInt in
            var log = unsafe kvm_clear_dirty_log()
            unsafe log.slot = slot
            unsafe log.first_page = firstPage
            unsafe log.num_pages = pages
            unsafe log.dirty_bitmap = bytes.baseAddress.map { unsafe $0 + Int(firstPage / 8) }
            return unsafe ioctl(fd, CKVM_CLEAR_DIRTY_LOG, &log)
        }
        if result < 0 { throw KVMError("KVM_CLEAR_DIRTY_LOG", errno: errno) }
    }

    package func statistics() throws(KVMError) -> StatisticsReader {
        try StatisticsReader(fd: request("KVM_GET_STATS_FD") { ioctl(handle.fd, CKVM_GET_STATS_FD, 0) })
    }
}
