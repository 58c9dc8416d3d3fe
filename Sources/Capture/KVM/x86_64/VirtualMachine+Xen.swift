import CKVM
import Foundation

// Pages into which KVM itself writes clocks.
extension KVMSystem {
    /// Whether KVM serves Xen's shared page.
    package var hasXenSharedInfo: Bool { check(.xenHVM) & Int(KVM_XEN_HVM_CONFIG_SHARED_INFO) != 0 }
    /// Whether KVM writes a wall clock (``VCPU/setWallClock(at:)``).
    package var hasWallClock: Bool { true }
}

extension VirtualMachine {
    /// Makes a page Xen's `shared_info`: KVM writes the wall clock into it at once, each time. Available with `KVM_CAP_XEN_HVM`.
    ///
    /// KVM's documentation exempts the page from every dirty log.
    package func setXenSharedInfo(gfn: UInt64) throws(KVMError) {
        var attribute = kvm_xen_hvm_attr()
        attribute.type = UInt16(KVM_XEN_ATTR_TYPE_SHARED_INFO)
        unsafe attribute.u.shared_info.gfn = gfn
        try request("KVM_XEN_HVM_SET_ATTR") { unsafe ioctl(handle.fd, CKVM_XEN_HVM_SET_ATTR, &attribute) }
    }
}

extension VCPU {
    /// Makes KVM write its wall clock to a guest physical address, as when the guest sets `MSR_KVM_WALL_CLOCK_NEW`. Only while the
    /// vCPU is outside the guest.
    package func setWallClock(at address: UInt64) throws(KVMError) {
        var msrs = ckvm_one_msr()
        msrs.nmsrs = 1
        msrs.entry.index = 0x4b56_4d00
        msrs.entry.data = address
        let done = try request("KVM_SET_MSRS") { unsafe ioctl(handle.fd, CKVM_SET_MSRS, &msrs) }
        guard done == 1 else {
            throw KVMError("KVM_SET_MSRS", reason: "this KVM does not know MSR_KVM_WALL_CLOCK_NEW")
        }
    }
}
