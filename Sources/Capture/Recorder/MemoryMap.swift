import Guests
import KVM
import Model
import Platform
import Synchronization

/// A memory slot as KVM has it now.
struct LiveSlot: Sendable {
    var region: MemoryRegion
    /// The host memory behind it.
    var memory: GuestMemory
    /// Where in `memory` it begins, in bytes.
    var offset: Int
    /// Name of the region that it is made of, or a piece of.
    var home: String
    /// Counts deletions and moves of this slot id, from 1.
    var generation = 1
    var createdNs: Int64 = 0
    /// The page of the guest's own layout at which it begins: differs from the GFN once the slot has moved.
    var layoutGFN: GFN

    var baseGFN: GFN { region.guestAddress / UInt64(pageBytes) }
    var pages: UInt64 { region.size / UInt64(pageBytes) }
    /// Guest physical addresses.
    var range: Range<UInt64> { region.guestAddress..<region.guestAddress + region.size }
    var name: String { region.readonly ? "watched" : home }

    func contains(_ address: UInt64) -> Bool {
        address >= region.guestAddress && address - region.guestAddress < region.size
    }

    /// A part of it as a slot of its own, whose id is still this one's.
    func piece(_ part: Range<UInt64>, readonly: Bool, nowNs: Int64) -> LiveSlot {
        var piece = self
        let skipped = part.lowerBound - region.guestAddress
        piece.region.guestAddress = part.lowerBound
        piece.region.size = UInt64(part.count)
        piece.region.readonly = readonly
        piece.region.logged = !readonly
        piece.offset += Int(skipped)
        piece.layoutGFN += skipped / UInt64(pageBytes)
        piece.createdNs = nowNs
        return piece
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
    /// What is watched, disjoint.
    private var watches: [WatchRange] = []
    private var nextSlot: UInt32

    /// Lays out the guest's regions, with the pages of `watch` cut out.
    ///
    /// - Throws: ``RecordError`` when a page is watched twice or is not logged memory.
    init(guest: any Guest, watch: [WatchRange]) throws(RecordError) {
        slots = guest.regions.map { region in
            LiveSlot(
                region: MemoryRegion(
                    slot: region.slot, guestAddress: region.address, size: UInt64(region.memory.size),
                    logged: region.isLogged),
                memory: region.memory, offset: 0, home: region.name, layoutGFN: region.baseGFN)
        }
        nextSlot = (guest.regions.map(\.slot).max() ?? 0) + 1
        for range in watch { _ = try self.watch(range, nowNs: 0) }
        for index in slots.indices { slots[index].generation = 1 }
    }

    // MARK: Watched pages

    /// Slots that a change makes go, and those that come in their place.
    typealias Cut = (gone: [LiveSlot], new: [LiveSlot])

    /// Cuts pages out of the logged memory around them.
    ///
    /// - Throws: ``RecordError`` when one of them is watched already, with both names, or is not logged memory.
    mutating func watch(_ range: WatchRange, nowNs: Int64) throws(RecordError) -> Cut {
        if let other = watches.first(where: { $0.pages.overlaps(range.pages) }) {
            let page = max(other.pages.lowerBound, range.pages.lowerBound)
            throw RecordError(
                "\(other.name) and \(range.name) are two names of the page at 0x\(String(page, radix: 16)); name each page once."
            )
        }
        let pieces = slots.filter { $0.range.overlaps(range.pages) }
        let covered = pieces.reduce(0) { $0 + $1.range.clamped(to: range.pages).count }
        guard covered == range.pages.count, pieces.allSatisfy({ $0.region.logged && $0.memory === pieces[0].memory })
        else {
            throw RecordError("\(range.name) is not logged guest memory in one piece; \(whereLogged).")
        }
        watches.append(range)
        return cut(range.pages, isWatched: true, nowNs: nowNs)
    }

    /// Gives watched pages back to the logged memory around them.
    ///
    /// - Throws: ``RecordError`` when one of them is not watched.
    mutating func unwatch(_ range: WatchRange, nowNs: Int64) throws(RecordError) -> Cut {
        let covered = watches.reduce(0) { $0 + $1.pages.clamped(to: range.pages).count }
        guard covered == range.pages.count else {
            throw RecordError(
                "\(range.name) is not watched as a whole then; remove what --watch or an earlier TIME:add=GPA..GPA named."
            )
        }
        watches = watches.flatMap { watch in
            [watch.pages.prefix(upTo: range.pages.lowerBound), watch.pages.suffix(from: range.pages.upperBound)]
                .filter { !$0.isEmpty }.map { WatchRange($0, name: watch.name) }
        }
        return cut(range.pages, isWatched: false, nowNs: nowNs)
    }

    /// Cuts the memory that holds `range` anew: neighbours of one kind become one slot, so that nothing is left behind by a watch
    /// that has ended.
    private mutating func cut(_ range: Range<UInt64>, isWatched: Bool, nowNs: Int64) -> Cut {
        guard let memory = slots.first(where: { $0.range.overlaps(range) })?.memory else { return ([], []) }
        let family = slots.filter { $0.memory === memory }.sorted { $0.region.guestAddress < $1.region.guestAddress }
        var pieces: [LiveSlot] = []
        for slot in family {
            for (part, readonly) in [
                (slot.range.prefix(upTo: range.lowerBound), slot.region.readonly),
                (slot.range.clamped(to: range), isWatched),
                (slot.range.suffix(from: range.upperBound), slot.region.readonly),
            ] where !part.isEmpty {
                if let last = pieces.last, last.region.readonly == readonly, last.range.upperBound == part.lowerBound {
                    pieces[pieces.count - 1].region.size += UInt64(part.count)
                } else {
                    pieces.append(slot.piece(part, readonly: readonly, nowNs: nowNs))
                }
            }
        }
        func isIn(_ slots: [LiveSlot]) -> (LiveSlot) -> Bool {
            let known = Dictionary(uniqueKeysWithValues: slots.map { ($0.region.guestAddress, $0.region) })
            return { slot in
                known[slot.region.guestAddress].map {
                    ($0.size, $0.readonly) == (slot.region.size, slot.region.readonly)
                }
                    ?? false
            }
        }
        let (isLeft, wasThere) = (isIn(pieces), isIn(family))
        let gone = family.filter { !isLeft($0) }
        var new = pieces.filter { !wasThere($0) }
        // Slot ids go on, the guest's own with its first piece.
        for (index, old) in zip(new.indices, gone) {
            new[index].region.slot = old.region.slot
            new[index].generation = old.generation + 1
        }
        for index in new.indices.dropFirst(gone.count) {
            new[index].region.slot = nextSlot
            new[index].generation = 1
            nextSlot += 1
        }
        slots.removeAll { slot in gone.contains { $0.region.slot == slot.region.slot } }
        slots = (slots + new).sorted { $0.region.guestAddress < $1.region.guestAddress }
        return (gone, new)
    }

    /// Where logged memory is, as the end of an error.
    var whereLogged: String {
        "that is at "
            + logged.map {
                "0x\(String($0.range.lowerBound, radix: 16))..0x\(String($0.range.upperBound - 1, radix: 16))"
            }.joined(separator: ", ")
    }

    /// Slots whose dirty pages are logged.
    var logged: [LiveSlot] { slots.filter(\.region.logged) }

    /// Whether pages of this slot's memory are watched.
    func isCut(_ slot: LiveSlot) -> Bool { slots.count { $0.memory === slot.memory } > 1 || slot.region.readonly }

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
            memory: memory, offset: 0, home: "added", createdNs: nowNs, layoutGFN: address / UInt64(pageBytes))
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

/// The map as vCPU threads look at it; it changes only while all of them stand still.
final class CurrentMap: Sendable {
    private let map: Mutex<MemoryMap>

    init(_ map: MemoryMap) { self.map = Mutex(map) }

    func replace(by map: MemoryMap) { self.map.withLock { $0 = map } }

    /// The watched slot that holds a guest physical address.
    func watched(_ address: UInt64) -> LiveSlot? { map.withLock { $0.watched(address) } }
}

extension Range<UInt64> {
    /// What lies below `bound`.
    fileprivate func prefix(upTo bound: UInt64) -> Self {
        lowerBound..<Swift.max(lowerBound, Swift.min(upperBound, bound))
    }
    /// What lies from `bound` on.
    fileprivate func suffix(from bound: UInt64) -> Self {
        Swift.min(upperBound, Swift.max(lowerBound, bound))..<upperBound
    }
}
