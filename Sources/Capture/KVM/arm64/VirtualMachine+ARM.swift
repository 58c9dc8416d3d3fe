import CKVM
import Foundation

extension KVMSystem {
    /// What this program was built for.
    package static let architecture = "arm64"
    /// What stands for the name of a module where KVM is a part of the kernel; empty where it is none.
    package static let builtInModule = "kvm_arm64"
    /// What to do where there is no device.
    static let remedyForNoDevice = "boot a kernel that has KVM at EL2, which most virtual machines do not offer"

    /// What `KVM_CREATE_VM` takes: the bits of a guest physical address, at most the 48 of our page tables; 0 is KVM's default, 40.
    var machineType: UInt64 { UInt64(min(48, check(.addressBits))) }

    /// Whether KVM serves Xen's shared page: on x86 only.
    package var hasXenSharedInfo: Bool { false }
    /// Whether KVM writes a wall clock: on x86 only.
    package var hasWallClock: Bool { false }
}

extension VirtualMachine {
    /// Nothing: an arm64 machine without interrupt controller needs nothing before its first vCPU.
    func prepareArchitecture() throws(KVMError) {}

    /// Has KVM keep a bitmap beside the rings. Nothing of ours is ever marked there, as no guest has an ITS; but without it KVM takes a
    /// slot for one that is not logged when it chooses how much to map (`memslot_is_logging` looks for the bitmap), so that the first
    /// write to a large page of the host lets all its pages be written unseen: seen on Linux 6.12.
    func completeDirtyRing(_ system: KVMSystem) throws(KVMError) {
        guard system.check(.dirtyRingWithBitmap) > 0 else { return }
        var capability = kvm_enable_cap()
        capability.cap = UInt32(Capability.dirtyRingWithBitmap.number)
        try request("KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP") { unsafe ioctl(handle.fd, CKVM_ENABLE_CAP, &capability) }
    }

    /// Never called: see ``KVMSystem/hasXenSharedInfo``.
    package func setXenSharedInfo(gfn: UInt64) throws(KVMError) {
        throw KVMError("KVM_XEN_HVM_SET_ATTR", reason: "only x86 has it")
    }
}

extension VCPU {
    /// Never called: see ``KVMSystem/hasWallClock``.
    package func setWallClock(at address: UInt64) throws(KVMError) {
        throw KVMError("KVM_SET_MSRS", reason: "only x86 has it")
    }
}
