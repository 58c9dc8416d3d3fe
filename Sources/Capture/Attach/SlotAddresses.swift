import Import
import Model
import Platform

/// Where the VMM keeps the guest's logged memory, and where it kept it: an entry may be older than its slot's last change.
struct SlotAddresses {
    private struct Place {
        var region: VMMMemory.Region
        var times: ClosedRange<Int64>
    }

    private var alive: [UInt32: Place] = [:]
    /// Places that slots had before, in the order in which they ended.
    private var former: [Place] = []
    /// Those that ended since ``takeGone()`` was called last.
    private var gone: [VMMMemory.Region] = []

    /// Whether slots count that do not log.
    private let takesAll: Bool

    /// - Parameter takesAll: Whether slots count that do not log.
    init(takesAll: Bool = false) { self.takesAll = takesAll }

    /// Entries are harvested long before so many slots have changed; older places are forgotten.
    private static let mostFormer = 1024

    /// `KVM_MEM_READONLY`: the guest does not write it.
    private static let readOnly: UInt32 = 2

    /// The slots of the guest's own address space, in the order of their numbers.
    var regions: [VMMMemory.Region] {
        alive.filter { $0.key < 1 << 16 }.sorted { $0.key < $1.key }.map(\.value.region)
    }

    /// Takes note of what an event says about a slot; events come in the order of time.
    mutating func note(_ event: RingEvent) {
        switch event.kind {
        case .slot(let id, _, _, 0, _): end(id, at: event.ns)
        case .slot(let id, let flags, let address, let size, let host):
            // A slot comes into the account when it is logged first.
            guard flags & 1 != 0 || alive[id] != nil || takesAll && flags & Self.readOnly == 0 else { return }
            set(id, VMMMemory.Region(baseGFN: address >> 12, address: host, size: size), from: event.ns, at: event.ns)
        case .sync(let id, let base, let pages, let host):
            // One that nobody saw before has been there since logging began.
            set(
                id, VMMMemory.Region(baseGFN: base, address: host, size: pages << 12),
                from: alive[id] == nil ? .min : event.ns, at: event.ns)
        case .unmap(let id, let flags, let base, let pages, let host) where flags & Self.readOnly == 0:
            set(
                id, VMMMemory.Region(baseGFN: base, address: host, size: pages << 12),
                from: alive[id] == nil ? .min : event.ns, at: event.ns)
        default: break
        }
    }

    private mutating func set(_ id: UInt32, _ region: VMMMemory.Region, from begin: Int64, at ns: Int64) {
        guard alive[id]?.region != region else { return }
        end(id, at: ns)
        alive[id] = Place(region: region, times: begin...Int64.max)
    }

    private mutating func end(_ id: UInt32, at ns: Int64) {
        guard let place = alive.removeValue(forKey: id) else { return }
        if former.count == Self.mostFormer { former.removeFirst(Self.mostFormer / 2) }
        let begin = place.times.lowerBound
        former.append(Place(region: place.region, times: begin...max(begin, ns)))
        gone.append(place.region)
    }

    /// Where a page of the guest that was written at `ns` lay in the VMM.
    ///
    /// - Returns: nil when no slot had it, or slots had it at different places: system management mode has an address space of its own.
    func address(of gfn: GFN, at ns: Int64) -> UInt64? {
        var found: UInt64?
        func isOnlyOne(_ place: Place) -> Bool {
            guard place.times.contains(ns), let address = place.region.address(of: gfn) else { return true }
            defer { found = address }
            return found == nil || found == address
        }
        return alive.values.allSatisfy(isOnlyOne) && former.allSatisfy(isOnlyOne) ? found : nil
    }

    /// Whether the page at `address` of the VMM belongs to a slot now.
    func holds(_ address: UInt64) -> Bool { alive.values.contains { $0.region.holds(address) } }

    /// Forgets which slots went, once it is known whether their memory is another slot's by now.
    ///
    /// - Returns: whether memory of one is no slot's.
    mutating func takeGone() -> Bool {
        defer { gone = [] }
        return !gone.allSatisfy { holds($0.address) && holds($0.address &+ ($0.size - 1)) }
    }
}
