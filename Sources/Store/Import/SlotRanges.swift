import Model

/// Where memory slots lie, sorted. A guest's slots do not overlap.
struct SlotRanges {
    private var slots: [MemorySlot] = []

    /// Adds a slot.
    ///
    /// - Returns: the slot that lies there already, if one does.
    mutating func insert(_ slot: MemorySlot) -> Int? {
        let place = slots.partitioningIndex { $0.baseGFN > slot.baseGFN }
        for other in slots[max(0, place - 1)..<min(slots.count, place + 1)]
        where other.baseGFN < slot.baseGFN + slot.pages && slot.baseGFN < other.baseGFN + other.pages {
            return other.slot
        }
        slots.insert(slot, at: place)
        return nil
    }

    /// The first page of `pages` that lies in no slot; nil also when no slot is known at all.
    func stray(in pages: ClosedRange<GFN>) -> GFN? {
        guard !slots.isEmpty else { return nil }
        var page = pages.lowerBound
        var place = slots.partitioningIndex { $0.baseGFN + $0.pages > page }
        while place < slots.count, slots[place].baseGFN <= page {
            page = slots[place].baseGFN + slots[place].pages
            if page > pages.upperBound { return nil }
            place += 1
        }
        return page
    }
}
