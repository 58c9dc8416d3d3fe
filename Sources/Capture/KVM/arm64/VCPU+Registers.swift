import CKVM
import Foundation

// Registers one by one, as `KVM_GET_ONE_REG` numbers them; only while the vCPU is outside the guest.
extension VCPU {
    func set(_ register: UInt64, to value: UInt64) throws(KVMError) {
        let handle = handle.fd
        let result = unsafe withUnsafePointer(to: value) { place -> CInt in
            var request = kvm_one_reg(id: register, addr: UInt64(UInt(bitPattern: place)))
            return unsafe ioctl(handle, CKVM_SET_ONE_REG, &request)
        }
        if result < 0 { throw KVMError("KVM_SET_ONE_REG 0x\(String(register, radix: 16))", errno: errno) }
    }

    func get(_ register: UInt64) throws(KVMError) -> UInt64 {
        let handle = handle.fd
        var value: UInt64 = 0
        let result = unsafe withUnsafeMutablePointer(to: &value) { place -> CInt in
            var request = kvm_one_reg(id: register, addr: UInt64(UInt(bitPattern: place)))
            return unsafe ioctl(handle, CKVM_GET_ONE_REG, &request)
        }
        if result < 0 { throw KVMError("KVM_GET_ONE_REG 0x\(String(register, radix: 16))", errno: errno) }
        return value
    }

    /// The instruction pointer. At an exit for memory it is that of the instruction which accesses it.
    package func instructionPointer() throws(KVMError) -> UInt64 { try get(CKVM_REG_PC) }

    /// Registers as one line, for a report of a vCPU's death.
    package func registerDump() -> String {
        let registers: [(String, UInt64)] = [
            ("pc", CKVM_REG_PC), ("pstate", CKVM_REG_PSTATE), ("x0", CKVM_REG_X0), ("x1", CKVM_REG_X1),
            ("x2", CKVM_REG_X2), ("x3", CKVM_REG_X3), ("elr_el1", CKVM_REG_ELR_EL1), ("esr_el1", CKVM_REG_ESR_EL1),
            ("far_el1", CKVM_REG_FAR_EL1), ("sctlr_el1", CKVM_REG_SCTLR_EL1), ("ttbr0_el1", CKVM_REG_TTBR0_EL1),
        ]
        return registers.map { name, number in
            (try? get(number)).map { "\(name)=0x\(String($0, radix: 16))" } ?? "\(name)=?"
        }.joined(separator: " ")
    }

    /// Ticks a millisecond of the counter that guests read; at least one.
    package var counterKHz: UInt64? { max(1, ckvm_counter_frequency() / 1000) }
}
