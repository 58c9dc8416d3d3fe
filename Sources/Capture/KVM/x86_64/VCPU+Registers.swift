import CKVM
import Foundation

extension VCPU {
    /// The instruction pointer; only while the vCPU is outside the guest.
    package func instructionPointer() throws(KVMError) -> UInt64 {
        var regs = kvm_regs()
        try request("KVM_GET_REGS") { unsafe ioctl(handle.fd, CKVM_GET_REGS, &regs) }
        return regs.rip
    }

    /// General registers as one line, for a report of a vCPU's death.
    package func registerDump() -> String {
        var regs = kvm_regs()
        var sregs = kvm_sregs()
        guard unsafe ioctl(handle.fd, CKVM_GET_REGS, &regs) == 0,
            unsafe ioctl(handle.fd, CKVM_GET_SREGS, &sregs) == 0
        else { return "registers cannot be read" }
        let values: [(String, UInt64)] = [
            ("rip", regs.rip), ("rsp", regs.rsp), ("rflags", regs.rflags), ("rax", regs.rax), ("rbx", regs.rbx),
            ("rcx", regs.rcx), ("rdx", regs.rdx), ("rsi", regs.rsi), ("rdi", regs.rdi), ("cr0", sregs.cr0),
            ("cr2", sregs.cr2), ("cr3", sregs.cr3), ("cr4", sregs.cr4), ("efer", sregs.efer),
        ]
        return values.map { "\($0)=0x\(String($1, radix: 16))" }.joined(separator: " ")
    }

    /// Ticks a millisecond of the counter that guests read, the TSC; nil when the kernel cannot tell.
    package var counterKHz: UInt64? {
        let answer = ioctl(handle.fd, CKVM_GET_TSC_KHZ, 0)
        return answer > 0 ? UInt64(answer) : nil
    }
}
