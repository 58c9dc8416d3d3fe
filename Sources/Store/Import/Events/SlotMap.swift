import Model

/// Turns a ring's slot and offset into a GFN.
///
/// The kernel's event names a slot by its number only. Where the number's guest address is not known, the slot gets a
/// window of its own above 2⁵⁰, so that pages stay apart and nobody takes the number for an address.
struct SlotMap {
    /// Pages of the window of a slot whose address is not known.
    static let windowPages: UInt64 = 1 << 32

    private var alive: [UInt32: MemorySlot] = [:]
    private var generations: [UInt32: Int] = [:]
    private let startNs: Int64
    /// Slots that came, changed or went since they were taken last.
    private(set) var news: [MemorySlot] = []

    init(startNs: Int64) { self.startNs = startNs }

    /// Whether some slot's address is not known.
    private(set) var hasWindows = false

    /// The GFN, or nil when the offset lies outside the slot.
    mutating func gfn(slot: UInt32, offset: UInt64) -> GFN? {
        if let known = alive[slot] { return offset < known.pages ? known.baseGFN + offset : nil }
        let key = UInt64(slot & 0x1ffff)
        hasWindows = true
        add(
            slot, base: MemorySlot.firstUnknownGFN | key << 32, pages: Self.windowPages, at: startNs,
            name: "slot \(slot & 0xffff), guest address unknown")
        return offset < Self.windowPages ? alive[slot].map { $0.baseGFN + offset } : nil
    }

    /// The VMM set a slot.
    mutating func set(_ slot: UInt32, address: UInt64, size: UInt64, logged: Bool, ns: Int64) {
        let base = address >> 12
        let pages = size >> 12
        if let old = alive[slot] {
            guard old.baseGFN != base || old.pages != pages else { return }
            var gone = old
            gone.deletedNs = ns
            news.append(gone)
            alive[slot] = nil
        }
        // A slot without logging may be anywhere; it gives no entry, and is not worth a row.
        guard pages > 0, logged, base <= largestGFN, pages <= largestGFN - base else { return }
        // What is seen first has been there before: logging was switched on.
        add(slot, base: base, pages: pages, at: generations[slot] == nil ? startNs : ns, name: "")
    }

    private mutating func add(_ slot: UInt32, base: GFN, pages: UInt64, at ns: Int64, name: String) {
        let generation = generations[slot, default: 0] + 1
        generations[slot] = generation
        let new = MemorySlot(
            slot: Int(slot & 0xffff), addressSpace: Int(slot >> 16), generation: generation, baseGFN: base,
            pages: pages, logged: true, name: name, createdNs: ns)
        alive[slot] = new
        news.append(new)
    }

    /// Slots that came or went since the last call.
    mutating func takeNews() -> [MemorySlot] {
        defer { news = [] }
        return news
    }
}
