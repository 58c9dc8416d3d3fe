import CKVM

/// A KVM capability that dirtyrec asks for, and why.
package struct Capability: Sendable, Hashable {
    /// The kernel's name without `KVM_CAP_`.
    package let name: String
    /// The number that `KVM_CHECK_EXTENSION` takes.
    package let number: CInt
    /// What in dirtyrec needs it.
    package let requiredBy: String
    /// The first mainline kernel that has it, on x86 where nothing else is said.
    package let availableWith: String

    init(_ name: String, _ number: CInt, requiredBy: String, availableWith: String) {
        self.name = name
        self.number = number
        self.requiredBy = requiredBy
        self.availableWith = availableWith
    }

    /// Many memory slots.
    package static let memorySlots = Capability(
        "NR_MEMSLOTS", KVM_CAP_NR_MEMSLOTS, requiredBy: "record", availableWith: "2.6.26")
    /// The most vCPUs of a VM.
    package static let maxVCPUs = Capability(
        "MAX_VCPUS", KVM_CAP_MAX_VCPUS, requiredBy: "record --vcpus", availableWith: "3.2")
    /// A byte that makes `KVM_RUN` return at once.
    package static let immediateExit = Capability(
        "IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT, requiredBy: "record", availableWith: "4.11")
    /// Dirty rings whose flags are exchanged by acquire and release.
    package static let dirtyRingAcquireRelease = Capability(
        "DIRTY_LOG_RING_ACQ_REL", CInt(KVM_CAP_DIRTY_LOG_RING_ACQ_REL), requiredBy: "record --source dirty-ring",
        availableWith: "6.1")
    /// A bitmap beside the rings, for writes without a vCPU; x86 has none of these (kernel commit 86bdf3ebcfe1).
    package static let dirtyRingWithBitmap = Capability(
        "DIRTY_LOG_RING_WITH_BITMAP", CInt(KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP), requiredBy: "rings on arm64",
        availableWith: "6.2, on arm64 only")
    /// `KVM_CLEAR_DIRTY_LOG` (kernel commit d7547c55cbe7; Linux 5.0 had another number for it); bit 1 of the answer: bitmaps may
    /// begin as all ones, from Linux 5.7 on.
    package static let manualProtect = Capability(
        "MANUAL_DIRTY_LOG_PROTECT2", CInt(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2), requiredBy: "record --source clear-log",
        availableWith: "5.2")
    /// Read-only slots.
    package static let readonlyMemory = Capability(
        "READONLY_MEM", KVM_CAP_READONLY_MEM, requiredBy: "record --watch", availableWith: "3.7")
    /// Statistics by file descriptor.
    package static let statistics = Capability(
        "BINARY_STATS_FD", CInt(KVM_CAP_BINARY_STATS_FD), requiredBy: "cost counters of record",
        availableWith: "5.14")
    /// All of them, in the order in which `dirtyrec doctor` shows them.
    package static let all =
        [
            memorySlots, maxVCPUs, immediateExit,
        ] + rings + [dirtyRingWithBitmap, manualProtect, readonlyMemory, statistics] + ofArchitecture
}
