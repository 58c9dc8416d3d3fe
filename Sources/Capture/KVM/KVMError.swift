import Foundation
import Platform

/// A request that KVM or the host refused: what failed, why, and what to do next.
package struct KVMError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The request or system call, such as `KVM_CREATE_VM` or `open(/dev/kvm)`.
    package let request: String
    /// The error number; 0 when the failure is not a system call's.
    package let errno: CInt
    /// Why, when `errno` does not say it.
    package let reason: String?

    package init(_ request: String, errno: CInt) {
        self.request = request
        self.errno = errno
        reason = nil
    }

    package init(_ request: String, reason: String) {
        self.request = request
        errno = 0
        self.reason = reason
    }

    package var hint: String? {
        switch (request, errno) {
        case ("open(/dev/kvm)", ENOENT):
            KVMSystem.remedyForNoDevice + ", or use the nested rig (rig/README.md)"
        case ("open(/dev/kvm)", EACCES), ("open(/dev/kvm)", EPERM):
            "add yourself to the group of /dev/kvm (usually kvm), or run as root"
        case ("open(/dev/kvm)", _): "`dirtyrec doctor` shows what this host offers"
        case ("KVM_CREATE_VM", EBUSY): "another hypervisor holds the CPU's virtualisation; stop it first"
        case ("KVM_CAP_DIRTY_LOG_RING", EINVAL):
            "the size must be a power of two between 256 (1024 with PML) and the limit that `dirtyrec doctor` shows"
        case ("KVM_CAP_DIRTY_LOG_RING", E2BIG): "choose a smaller --ring-size; `dirtyrec doctor` shows the limit"
        case ("KVM_GET_DIRTY_LOG", ENXIO): "this VM uses dirty rings; ring and bitmap cannot be mixed"
        case ("KVM_SET_USER_MEMORY_REGION", EINVAL): "`dirtyrec doctor` shows how many slots there are"
        case ("userfaultfd", EPERM): "run as root, or set the sysctl vm.unprivileged_userfaultfd to 1"
        case ("userfaultfd", ENOSYS): "use a kernel with CONFIG_USERFAULTFD"
        case (_, ENOMEM): "choose less --memory, or free some"
        case (_, EMFILE): "raise the limit of open files (`ulimit -n`): each vCPU needs a few"
        default: nil
        }
    }

    package var description: String {
        let why = reason ?? systemError()
        return "\(request) failed: \(why)" + (hint.map { "; \($0)" } ?? "")
    }
}

/// Calls `ioctl` once; KVM's requests other than `KVM_RUN` are retried when a signal interrupts them.
@discardableResult
func request(_ name: String, _ body: () -> CInt) throws(KVMError) -> CInt {
    while true {
        let result = body()
        if result >= 0 { return result }
        let number = errno
        if number != EINTR { throw KVMError(name, errno: number) }
    }
}
