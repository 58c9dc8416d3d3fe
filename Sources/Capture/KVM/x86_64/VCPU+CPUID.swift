import CKVM
import Foundation

extension VCPU {
    /// Gives the vCPU everything that this host supports, as a package of its own with one core and one thread: what KVM
    /// reports is the host CPU that happened to answer.
    func prepareArchitecture(of vm: VirtualMachine, _ system: KVMSystem) throws(KVMError) {
        let capacity = 256
        let header = MemoryLayout<kvm_cpuid2>.size
        let bytes = header + capacity * MemoryLayout<kvm_cpuid_entry2>.stride
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 8)
        defer { unsafe buffer.deallocate() }
        unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        unsafe buffer.storeBytes(of: UInt32(capacity), as: UInt32.self)
        try request("KVM_GET_SUPPORTED_CPUID") { unsafe ioctl(system.handle.fd, CKVM_GET_SUPPORTED_CPUID, buffer) }
        let count = min(capacity, Int(unsafe buffer.load(as: UInt32.self)))
        let entries = unsafe UnsafeMutableBufferPointer(
            start: (buffer + header).assumingMemoryBound(to: kvm_cpuid_entry2.self), count: count)
        let hasDeadlineTimer = system.check(.tscDeadline) > 0
        for place in 0..<count { unsafe adjust(&entries[place], hasDeadlineTimer: hasDeadlineTimer) }
        try request("KVM_SET_CPUID2") { unsafe ioctl(handle.fd, CKVM_SET_CPUID2, buffer) }
    }

    private func adjust(_ entry: inout kvm_cpuid_entry2, hasDeadlineTimer: Bool) {
        let apic = UInt32(index)
        switch entry.function {
        case 1:
            entry.ebx = entry.ebx & 0xff00 | 1 << 16 | (apic & 0xff) << 24  // keep the CLFLUSH size
            entry.ecx |= 1 << 31  // a hypervisor is present
            // The kernel's local APIC has this timer whether KVM reports it or not.
            if hasDeadlineTimer { entry.ecx |= 1 << 24 }
            entry.edx &= ~(1 << 28)  // no hyper-threading
        case 4: entry.eax &= 0x3fff  // caches shared by nobody, one core
        case 0xb, 0x1f:
            entry.eax = 0
            entry.ebx = 1
            entry.ecx = entry.index | (entry.index < 2 ? entry.index + 1 : 0) << 8  // levels: thread, core, none
            if entry.index >= 2 { entry.ebx = 0 }
            entry.edx = apic
        case 0x8000_0001: entry.ecx &= ~(1 << 22)  // no AMD topology leaves
        case 0x8000_0008: entry.ecx = 0  // one core
        default: break
        }
    }
}
