import CKVM
import Foundation

package final class KVMSystem: Sendable {
    /// Where the device is.
    package static let path = "/dev/kvm"

    let handle: Handle
    /// Size of a vCPU's shared `kvm_run` area, in bytes.
    let runAreaSize: Int

    /// Whether the device can be opened for reading and writing.
    package static var isAvailable: Bool { unsafe access(path, R_OK | W_OK) == 0 }

    /// Opens the device.
    ///
    /// - Throws: ``KVMError`` when it is missing, not permitted, or speaks another API version than 12.
    package init() throws(KVMError) {
        let fd = unsafe open(Self.path, O_RDWR | O_CLOEXEC)
        guard fd >= 0 else { throw KVMError("open(\(Self.path))", errno: errno) }
        handle = Handle(owning: fd)
        let version = try request("KVM_GET_API_VERSION") { ioctl(fd, CKVM_GET_API_VERSION, 0) }
        guard version == 12 else {
            throw KVMError("KVM_GET_API_VERSION", reason: "the kernel speaks version \(version), 12 is needed")
        }
        runAreaSize = Int(try request("KVM_GET_VCPU_MMAP_SIZE") { ioctl(fd, CKVM_GET_VCPU_MMAP_SIZE, 0) })
    }

    /// What `KVM_CHECK_EXTENSION` answers; 0 means that the capability is missing.
    package func check(_ capability: Capability) -> Int {
        max(0, Int(ioctl(handle.fd, CKVM_CHECK_EXTENSION, capability.number)))
    }

    /// The most entries that a dirty ring can have; 0 without rings. The kernel answers in bytes.
    package var maxRingEntries: Int {
        (Capability.rings.map(check).max() ?? 0) / MemoryLayout<kvm_dirty_gfn>.stride
    }

    package func makeVM() throws(KVMError) -> VirtualMachine {
        try VirtualMachine(
            system: self, fd: request("KVM_CREATE_VM") { ioctl(handle.fd, CKVM_CREATE_VM, CInt(machineType)) })
    }
}
