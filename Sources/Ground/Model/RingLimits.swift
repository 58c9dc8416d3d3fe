/// What KVM asks of a dirty ring. Figures for every reader and writer of recordings.
package enum RingLimits {
    /// Entries that the kernel keeps free below the end (`KVM_DIRTY_RING_RSVD_ENTRIES`).
    private static let reserve = 64
    /// Entries that a CPU with page-modification logging hands over at once, at most: as many must fit besides.
    package static let pmlBatch = 512
    /// The largest ring that the kernel makes (`KVM_DIRTY_RING_MAX_ENTRIES`).
    package static let most = 65536

    /// The smallest ring that KVM takes.
    package static func least(pml: Bool) -> Int { pml ? 1024 : 256 }

    /// Every size that KVM takes, ascending.
    package static func sizes(pml: Bool) -> [Int] {
        Array(sequence(first: least(pml: pml)) { $0 < most ? $0 * 2 : nil })
    }

    /// Entries at which KVM leaves the guest because the ring is full.
    package static func softLimit(ringEntries: Int, pml: Bool) -> Int {
        ringEntries - reserve - (pml ? pmlBatch : 0)
    }
}
