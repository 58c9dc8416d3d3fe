import KVM
import Model
import Platform

/// A write to guest memory that KVM is made to do by itself, outside `KVM_RUN`, at a given time of the recording.
package struct KVMWrite: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// The wall clock in Xen's shared page, by `KVM_XEN_HVM_SET_ATTR`: a request of the VM's, no vCPU is loaded.
        case sharedInfo = "shared-info"
        /// KVM's own wall clock, by `KVM_SET_MSRS`: a request of a vCPU's, which is loaded meanwhile.
        case wallClock = "wall-clock"

        /// Who wrote, for a marker and a loss.
        package var summary: String {
            switch self {
            case .sharedInfo: "the wall clock in Xen's shared_info, KVM_XEN_HVM_SET_ATTR of the VM"
            case .wallClock: "its wall clock, KVM_SET_MSRS of vCPU 0"
            }
        }
    }

    /// Nanoseconds after the start.
    package var atNs: Int64
    package var kind: Kind
    /// Guest physical address of the page.
    package var address: UInt64

    var gfn: GFN { address / UInt64(pageBytes) }

    /// Reads `TIME:shared-info=GPA` or `TIME:wall-clock=GPA`.
    ///
    /// - Throws: ``RecordError`` with the forms that are understood.
    package init(parsing text: String) throws(RecordError) {
        guard let word = TimedWord(parsing: text), let kind = Kind(rawValue: String(word.name)),
            let address = word.value.flatMap(GuestAddress.init(parsing:)), address.value < 1 << 52
        else {
            let forms = Kind.allCases.map { "TIME:\($0.rawValue)=GPA" }.joined(separator: " or ")
            throw RecordError(
                "--kvm-write \(text) is not usable: write \(forms), such as 50ms:shared-info=0x100100000.")
        }
        atNs = word.atNs
        self.kind = kind
        self.address = address.value / UInt64(pageBytes) * UInt64(pageBytes)
    }

    /// - Throws: ``RecordError`` when the page is no logged memory, or the host cannot.
    func check(_ map: MemoryMap, _ system: KVMSystem) throws(RecordError) {
        guard map.logged.contains(where: { $0.contains(address) }) else {
            throw RecordError(
                "--kvm-write \(kind.rawValue)=0x\(String(address, radix: 16)) is not logged guest memory; \(map.whereLogged)."
            )
        }
        guard kind != .wallClock || system.hasWallClock else {
            throw RecordError("KVM writes no clocks on this architecture; leave --kvm-write out.", isHostLack: true)
        }
        guard kind != .sharedInfo || system.hasXenSharedInfo else {
            throw RecordError(
                "This KVM has no KVM_XEN_HVM_SET_ATTR (Linux 5.12, CONFIG_KVM_XEN); use --kvm-write TIME:wall-clock=GPA.",
                isHostLack: true)
        }
    }

    /// Does it; the vCPUs must stand still.
    func perform(on machine: Machine) throws(KVMError) {
        switch kind {
        case .sharedInfo: try machine.vm.setXenSharedInfo(gfn: gfn)
        case .wallClock: try machine.vcpus[0].setWallClock(at: address)
        }
    }
}
