/// The implementations of KVM, by their kernel modules, and what their recordings have in common.
package enum KVMModule: String, Sendable, CaseIterable {
    case pvm = "kvm_pvm"
    case intel = "kvm_intel"
    case amd = "kvm_amd"
    /// arm64 has KVM in the kernel itself, without a module of its own.
    case arm = "kvm_arm64"

    /// Whether there is page-modification logging, which can be switched off.
    package var hasPML: Bool { self == .intel }
    /// Whether kernel-mode code of a guest is emulated, instruction by instruction.
    package var emulatesKernelMode: Bool { self == .pvm }
}
