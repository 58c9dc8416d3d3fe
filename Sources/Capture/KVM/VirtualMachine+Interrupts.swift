import CKVM
import Foundation

// KVM's own interrupt controllers and timer.
extension VirtualMachine {
    /// Makes two PICs, an IOAPIC, a PIT, and a local APIC for every vCPU made from now on. Must come before the first vCPU.
    ///
    /// From here on HLT does not leave the guest, and all vCPUs but the first wait inside `KVM_RUN` until the guest starts them.
    package func makeInterruptControllers() throws(KVMError) {
        try request("KVM_CREATE_IRQCHIP") { ioctl(handle.fd, CKVM_CREATE_IRQCHIP, 0) }
        var pit = kvm_pit_config()
        pit.flags = UInt32(KVM_PIT_SPEAKER_DUMMY)  // the kernel serves port 0x61, by which guests calibrate timers
        try request("KVM_CREATE_PIT2") { unsafe ioctl(handle.fd, CKVM_CREATE_PIT2, &pit) }
    }

    /// Raises or lowers an interrupt line (0...23) of PIC and IOAPIC.
    package func setInterruptLine(_ line: UInt32, high: Bool) throws(KVMError) {
        var level = kvm_irq_level()
        level.irq = line
        level.level = high ? 1 : 0
        try request("KVM_IRQ_LINE") { unsafe ioctl(handle.fd, CKVM_IRQ_LINE, &level) }
    }
}
