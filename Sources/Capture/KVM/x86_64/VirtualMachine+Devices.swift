import CKVM
import Foundation

// What an x86 machine has before anything is plugged in, and KVM's own interrupt controllers and timer.
extension KVMSystem {
    /// What this program was built for.
    package static let architecture = "x86_64"
    /// What stands for the name of a module where KVM is a part of the kernel; empty where it is none.
    package static let builtInModule = ""
    /// What to do where there is no device.
    static let remedyForNoDevice = "load kvm_amd or kvm_intel (enable virtualisation in the firmware first)"
    /// What `KVM_CREATE_VM` takes: x86 has one kind of machine for us.
    var machineType: UInt64 { 0 }
}

extension VirtualMachine {
    /// Where Intel's task-state pages lie, behind KVM's identity-map page; memory slots must stay clear of the 3 pages.
    private static let tssAddress: UInt = 0xfffb_d000

    /// What KVM wants before the first vCPU.
    func prepareArchitecture() throws(KVMError) {
        // Intel CPUs without unrestricted guest need three pages where no memory slot is; others ignore it.
        try request("KVM_SET_TSS_ADDR") {
            // The address is above what ioctl's integer form carries.
            unsafe ioctl(handle.fd, CKVM_SET_TSS_ADDR, UnsafeMutableRawPointer(bitPattern: Self.tssAddress)!)
        }
    }

    /// What a ring needs besides: nothing.
    func completeDirtyRing(_ system: KVMSystem) throws(KVMError) {}

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
