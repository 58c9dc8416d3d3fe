/// The implementations of KVM on x86, by their kernel modules, and what their recordings have in common.
package enum KVMModule: String, Sendable, CaseIterable {
    case pvm = "kvm_pvm"
    case intel = "kvm_intel"
    case amd = "kvm_amd"

    /// Whether there is page-modification logging, which can be switched off.
    package var hasPML: Bool { self == .intel }
    /// Whether kernel-mode code of a guest is emulated, instruction by instruction.
    package var emulatesKernelMode: Bool { self == .pvm }
}
