import CKVM
import KVM

// What the workload's machine code needs of the CPU, and how it speaks to the VMM: by stores to a page that is not there.
extension BuiltinGuest {
    /// Entry of a table that leads to another one.
    static let tableEntry: UInt64 = 0x3

    /// Entry of a table that maps 2 MiB: a block, accessed, and EL0's to read and write. Memory is inner shareable with attribute 0; what
    /// holds the doorbell is a device's (attribute 1), and no code.
    static func blockEntry(_ address: UInt64) -> UInt64 {
        let isDevice = address == CKVM_DOORBELL & ~0x1f_ffff
        let kind: UInt64 = isDevice ? 0x60_0000_0000_0004 : 0x300
        return address | kind | 0x441
    }

    func call(of exit: VCPUExit) -> Call? {
        guard case .mmioWrite(let address, let data) = exit, address >= CKVM_DOORBELL else { return nil }
        let value = data.prefix(4).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch Int(clamping: address - CKVM_DOORBELL) {
        case CKVM_DOORBELL_LIMIT: return .limit
        case CKVM_DOORBELL_PHASE: return .phase(value)
        case CKVM_DOORBELL_DMA: return .dma(firstPage: value)
        case CKVM_DOORBELL_PACE: return .pace(ticks: value)
        default: return nil
        }
    }

    /// The instruction itself: arm64 leaves the guest at it, not behind it.
    package func writer(before next: UInt64) -> UInt64? { next }
}
