import CKVM
import KVM

// What the workload's machine code needs of the CPU, and how it speaks to the VMM: by ports.
extension BuiltinGuest {
    /// Entry of a table that leads to another one: present, writable, user, and already accessed and dirty, so that the CPU has nothing
    /// to write here.
    static let tableEntry: UInt64 = 0x67

    /// Entry of a table that maps 2 MiB, likewise.
    static func blockEntry(_ address: UInt64) -> UInt64 { address | 0xe7 }

    func call(of exit: VCPUExit) -> Call? {
        guard case .portOut(let port, let data) = exit else { return nil }
        let value = data.prefix(4).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch Int(port) {
        case CKVM_PORT_LIMIT: return .limit
        case CKVM_PORT_PHASE: return .phase(value)
        case CKVM_PORT_DMA: return .dma(firstPage: value)
        case CKVM_PORT_PACE: return .pace(ticks: value)
        default: return nil
        }
    }

    /// Our own code has one instruction that writes: `movq %rax, (%rcx)`, three bytes.
    package func writer(before next: UInt64) -> UInt64? {
        let store: [UInt8] = [0x48, 0x89, 0x01]
        guard next >= UInt64(Self.codeAddress + store.count), next < UInt64(Self.parameterAddress),
            low.read(store.count, at: Int(next) - store.count) == store
        else { return nil }
        return next - UInt64(store.count)
    }
}
