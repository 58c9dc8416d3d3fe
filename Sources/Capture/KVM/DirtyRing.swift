import CKVM
import Platform
import Synchronization

/// A page that KVM reports as dirty.
package struct DirtyPage: Sendable, Equatable {
    /// Address-space id << 16 | slot id.
    package let slot: UInt32
    /// Page within the slot.
    package let offset: UInt64
}

/// One vCPU's dirty ring, as mapped from the vCPU's file descriptor.
///
/// States of an entry: *empty* (flags 0), which the kernel turns into *dirty*; we read it and store *reset*;
/// `KVM_RESET_DIRTY_RINGS` re-protects the page and makes it empty again. Both sides walk strictly in sequence.
/// Only one thread at a time may harvest a ring.
@safe
struct DirtyRing: ~Copyable, @unchecked Sendable {
    private let mapping: Mapping
    private var next: UInt32 = 0
    /// Number of slots, a power of two.
    let entries: Int

    init(vcpu fd: CInt, entries: Int) throws(KVMError) {
        let bytes = entries * MemoryLayout<kvm_dirty_gfn>.stride
        mapping = try Mapping(
            fd: fd, offset: Int(KVM_DIRTY_LOG_PAGE_OFFSET) * pageBytes, size: bytes, what: "a dirty ring")
        self.entries = entries
    }

    /// Hands every dirty entry to `body` in ring order and marks it for reset.
    ///
    /// - Returns: the number of entries. If it equals ``entries``, the ring had wrapped: entries were overwritten.
    mutating func harvest(_ body: (DirtyPage) -> Void) -> Int {
        var count = 0
        while count < entries {
            let entry = unsafe slot(next)
            let flags = unsafe flags(of: entry)
            // Acquire: slot and offset are read after the flag that publishes them.
            guard unsafe flags.pointee.load(ordering: .acquiring) & CKVM_DIRTY_GFN_F_DIRTY != 0 else { break }
            unsafe body(DirtyPage(slot: entry.pointee.slot, offset: entry.pointee.offset))
            // Release: the kernel may reuse the entry from here on.
            unsafe flags.pointee.store(CKVM_DIRTY_GFN_F_RESET, ordering: .releasing)
            next &+= 1
            count += 1
        }
        return count
    }

    /// After an overrun the kernel's index is ahead of ours: every slot up to the first dirty one is stale. Marks these
    /// for reset and moves on. What they held is lost; reset the rings next.
    ///
    /// - Returns: the number of stale slots; 0 when the ring is in step or empty.
    mutating func resynchronise() -> Int {
        var stale = 0
        while stale < entries {
            let flags = unsafe flags(of: slot(next &+ UInt32(stale)))
            if unsafe flags.pointee.load(ordering: .acquiring) & CKVM_DIRTY_GFN_F_DIRTY != 0 { break }
            stale += 1
        }
        guard stale < entries else { return 0 }
        for step in 0..<UInt32(stale) {
            unsafe flags(of: slot(next &+ step)).pointee.store(CKVM_DIRTY_GFN_F_RESET, ordering: .releasing)
        }
        next &+= UInt32(stale)
        return stale
    }

    private func slot(_ index: UInt32) -> UnsafeMutablePointer<kvm_dirty_gfn> {
        unsafe mapping.base.assumingMemoryBound(to: kvm_dirty_gfn.self) + Int(index & UInt32(entries - 1))
    }

    private func flags(of entry: UnsafeMutablePointer<kvm_dirty_gfn>) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe UnsafeMutableRawPointer(entry).assumingMemoryBound(to: Atomic<UInt32>.self)
    }
}
