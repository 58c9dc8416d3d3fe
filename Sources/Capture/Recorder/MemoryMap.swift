import Guests
import KVM
import Model
import Platform

/// A memory slot as KVM has it now.
struct LiveSlot: Sendable {
    var region: MemoryRegion
    /// The host memory behind it.
    var memory: GuestMemory
    /// Where in `memory` it begins, in bytes.
    var offset: Int
    var name: String
    /// Counts deletions and moves of this slot id, from 1.
    var generation = 1
    var createdNs: Int64 = 0
    /// The page of the guest's own layout at which it begins: differs from the GFN once the slot has moved.
    var layoutGFN: GFN

    var baseGFN: GFN { region.guestAddress / UInt64(pageBytes) }
    var pages: UInt64 { region.size / UInt64(pageBytes) }

    func contains(_ address: UInt64) -> Bool {
        address >= region.guestAddress && address - region.guestAddress < region.size
    }

    func row(deletedNs: Int64? = nil) -> MemorySlot {
        MemorySlot(
            slot: Int(region.slot), generation: generation, baseGFN: baseGFN, pages: pages, logged: region.logged,
            readonly: region.readonly, name: name, createdNs: createdNs, deletedNs: deletedNs)
    }
}

/// Which slot covers which guest memory. Watched pages have read-only slots of their own.
struct MemoryMap: Sendable {
    private(set) var slots: [LiveSlot]
    private var nextSlot: UInt32

    /// Lays out the guest's regions, with the pages of `watch` cut out.
    ///
    /// - Throws: ``RecordError`` when a page is watched twice or is not logged memory.
    init(guest: any Guest, watch: [Range<UInt64>]) throws(RecordError) {
        slots = []
        nextSlot = (guest.regions.map(\.slot).max() ?? 0) + 1
        let watch = watch.sorted { $0.lowerBound < $1.lowerBound }
        for (one, next) in zip(watch, watch.dropFirst()) where next.lowerBound < one.upperBound {
            throw RecordError("--watch names the page at 0x\(String(next.lowerBound, radix: 16)) twice; name it once.")
        }
        var left = watch
        for region in guest.regions {
            let whole = region.address..<region.address + UInt64(region.memory.size)
            let inside =
                region.isLogged
                ? left.filter { whole.contains($0.lowerBound) && $0.upperBound <= whole.upperBound } : []
            left.removeAll { inside.contains($0) }
            var start = whole.lowerBound
            for range in inside {
                add(region, start..<range.lowerBound)
                add(region, range, isWatched: true)
                start = range.upperBound
            }
            add(region, start..<whole.upperBound)
        }
        if let stranger = left.first {
            let logged = guest.regions.filter(\.isLogged).map {
                "0x\(String($0.address, radix: 16))..0x\(String($0.address + UInt64($0.memory.size) - 1, radix: 16))"
            }
            throw RecordError(
                "--watch 0x\(String(stranger.lowerBound, radix: 16)) is not logged guest memory; that is at \(logged.joined(separator: ", "))."
            )
        }
    }

    private mutating func add(_ region: GuestRegion, _ range: Range<UInt64>, isWatched: Bool = false) {
        guard !range.isEmpty else { return }
        // The first piece keeps the guest's slot id.
        let isFirst = !slots.contains { $0.region.slot == region.slot }
        let id = isFirst ? region.slot : nextSlot
        if !isFirst { nextSlot += 1 }
        slots.append(
            LiveSlot(
                region: MemoryRegion(
                    slot: id, guestAddress: range.lowerBound, size: range.upperBound - range.lowerBound,
                    logged: region.isLogged && !isWatched, readonly: isWatched),
                memory: region.memory, offset: Int(range.lowerBound - region.address),
                name: isWatched ? "watched" : region.name, layoutGFN: range.lowerBound / UInt64(pageBytes)))
    }

    /// Slots whose dirty pages are logged.
    var logged: [LiveSlot] { slots.filter(\.region.logged) }

    mutating func stopLogging() {
        for index in slots.indices { slots[index].region.logged = false }
    }

    /// The watched slot that holds a guest physical address.
    func watched(_ address: UInt64) -> LiveSlot? { slots.first { $0.region.readonly && $0.contains(address) } }

    /// The page of the guest's own layout that a GFN is now.
    func layoutGFN(_ gfn: GFN) -> GFN {
        guard let slot = slots.first(where: { $0.contains(gfn * UInt64(pageBytes)) }) else { return gfn }
        return gfn - slot.baseGFN + slot.layoutGFN
    }

    /// Sets when the slots of the start came.
    mutating func begin(at startNs: Int64) {
        for index in slots.indices { slots[index].createdNs = startNs }
    }

    mutating func insert(_ memory: GuestMemory, at address: UInt64, nowNs: Int64) -> LiveSlot {
        let slot = LiveSlot(
            region: MemoryRegion(slot: nextSlot, guestAddress: address, size: UInt64(memory.size), logged: true),
            memory: memory, offset: 0, name: "added", createdNs: nowNs, layoutGFN: address / UInt64(pageBytes))
        nextSlot += 1
        slots.append(slot)
        return slot
    }

    mutating func remove(_ id: UInt32) { slots.removeAll { $0.region.slot == id } }

    /// Replaces a slot by its next generation, perhaps elsewhere.
    mutating func renew(_ id: UInt32, at address: UInt64, nowNs: Int64) -> LiveSlot? {
        guard let index = slots.firstIndex(where: { $0.region.slot == id }) else { return nil }
        slots[index].region.guestAddress = address
        slots[index].generation += 1
        slots[index].createdNs = nowNs
        return slots[index]
    }
}
