import CKVM

extension Capability {
    /// Bits of a guest physical address, at most.
    package static let addressBits = Capability(
        "ARM_VM_IPA_SIZE", CInt(KVM_CAP_ARM_VM_IPA_SIZE), requiredBy: "guests above 1 TiB", availableWith: "4.20")

    /// Dirty rings, the one to be preferred last.
    static let rings = [dirtyRingAcquireRelease]
    /// Those that only this architecture has.
    static let ofArchitecture = [addressBits]
}
