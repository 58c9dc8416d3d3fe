import Model

/// Which memory slot holds a page at a time, as the view `dirty` tells it, without looking at every slot for every entry.
struct SlotTimeline {
    /// Below this number SQLite's own search is as fast.
    static let worthwhile = 64

    private let slots: [MemorySlot]
    /// Moments at which a slot comes, or has gone.
    private let changes: [Int64]
    /// Slots that live while `isValid`, by first page; and the greatest end of each and those before it.
    private var living: [MemorySlot] = []
    private var ends: [GFN] = []
    private var span: (from: Int64, to: Int64)?

    init(_ slots: [MemorySlot]) {
        self.slots = slots.sorted { $0.baseGFN < $1.baseGFN }
        changes = Set(slots.flatMap { [$0.createdNs, $0.deletedNs.map { $0 == .max ? $0 : $0 + 1 } ?? .max] }).sorted()
    }

    /// The number of the slot that holds `gfn` at `ns`: of several, the newest one of the lowest address space; nil when
    /// none does.
    mutating func slot(of gfn: GFN, at ns: Int64) -> Int? {
        if span.map({ ns < $0.from || ns >= $0.to }) ?? true { move(to: ns) }
        var place = living.partitioningIndex { $0.baseGFN > gfn }
        var best: MemorySlot?
        while place > 0, ends[place - 1] > gfn {
            place -= 1
            let slot = living[place]
            guard slot.baseGFN + slot.pages > gfn else { continue }
            if best.map({ Self.rank(slot) < Self.rank($0) }) ?? true { best = slot }
        }
        return best?.slot
    }

    private static func rank(_ slot: MemorySlot) -> (Int, Int, Int) { (slot.addressSpace, -slot.generation, slot.slot) }

    private mutating func move(to ns: Int64) {
        let next = changes.partitioningIndex { $0 > ns }
        span = (next > 0 ? changes[next - 1] : .min, next < changes.count ? changes[next] : .max)
        living = slots.filter { $0.createdNs <= ns && $0.deletedNs ?? .max >= ns }
        ends = []
        ends.reserveCapacity(living.count)
        for slot in living { ends.append(max(ends.last ?? 0, slot.baseGFN + slot.pages)) }
    }
}
