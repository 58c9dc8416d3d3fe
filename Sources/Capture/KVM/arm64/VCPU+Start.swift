import CKVM
import Foundation

extension VCPU {
    /// Makes the vCPU one of the kind that this host prefers.
    func prepareArchitecture(of vm: VirtualMachine, _ system: KVMSystem) throws(KVMError) {
        var kind = kvm_vcpu_init()
        try request("KVM_ARM_PREFERRED_TARGET") { unsafe ioctl(vm.handle.fd, CKVM_ARM_PREFERRED_TARGET, &kind) }
        kind.features.0 |= 1 << UInt32(KVM_ARM_VCPU_PSCI_0_2)
        try request("KVM_ARM_VCPU_INIT") { unsafe ioctl(handle.fd, CKVM_ARM_VCPU_INIT, &kind) }
    }

    /// Starts user-mode code (EL0) with interrupts masked and identity-mapped page tables of four levels, whose pages have 4 KiB and
    /// whose attributes are 0 for memory and 1 for devices.
    ///
    /// - Parameters:
    ///   - entry: address of the first instruction.
    ///   - pageTable: physical address of the top-level page table.
    ///   - argument: value of X0.
    package func startUserMode(entry: UInt64, pageTable: UInt64, argument: UInt64) throws(KVMError) {
        // Attribute 0: write-back, allocating; attribute 1: device, nothing gathered, reordered or acknowledged early.
        try set(CKVM_REG_MAIR_EL1, to: 0x00ff)
        // 48 bits of addresses below (T0SZ = 16), none above (EPD1); tables are write-back and inner shareable; 48 bits of physical
        // addresses, or what the CPU has.
        try set(CKVM_REG_TCR_EL1, to: 0x5_0080_3510)
        try set(CKVM_REG_TTBR0_EL1, to: pageTable)
        // MMU and caches on (M, C, I), besides the bits that must be 1.
        try set(CKVM_REG_SCTLR_EL1, to: 0x30d0_1805)
        // EL0 may read the counters.
        try set(CKVM_REG_CNTKCTL_EL1, to: 3)
        try set(CKVM_REG_PSTATE, to: 0x3c0)
        try set(CKVM_REG_PC, to: entry)
        try set(CKVM_REG_X0, to: argument)
    }

    /// Reasons to leave the guest that only this architecture has: none that we know.
    func architectureExit(_ reason: UInt32) -> VCPUExit { .other(reason) }
}
