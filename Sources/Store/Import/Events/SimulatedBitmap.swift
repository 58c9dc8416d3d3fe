import Model

/// What KVM's dirty bitmap of one slot holds, by the marks and masks seen.
///
/// A mark on a clear bit is an entry; one on a set bit tells nothing new. A mask takes bits out. Between the two lies a gap: KVM takes a
/// word's bits a moment before the mask is seen, so a mark in that moment on a bit that was set may have set it anew. The next mask
/// that has the bit decides.
final class SimulatedBitmap {
    /// A page that became dirty.
    struct Entry: Equatable {
        var gfn: GFN
        var ns: Int64
        var thread: Int
    }
    /// What is known of a bit that no mark and no mask has been seen of.
    enum Origin {
        /// It is clear: logging began while we looked.
        case clear
        /// It is set: logging began while we looked, with `KVM_DIRTY_LOG_INITIALLY_SET`.
        case set
        /// Nothing: logging was on before.
        case unknown
    }
    /// What a harvest took.
    struct Harvest: Equatable {
        /// In the order of time.
        var entries: [Entry] = []
        /// Pages that were taken without a mark.
        var unmarked: [GFN] = []
        /// Of ``entries``, those whose mask was not seen.
        var unmasked = 0
    }

    private static let chunkBits: UInt64 = 15
    /// The bits of 32,768 pages.
    private final class Chunk {
        /// Marked, and not yet taken by a mask.
        var dirty = [UInt64](repeating: 0, count: 1 << (chunkBits - 6))
        /// Taken by a mask, while the entry waits for the harvest to end.
        var taken = [UInt64](repeating: 0, count: 1 << (chunkBits - 6))
        /// Its entry is harvested, while the bit stays set until a CLEAR.
        var harvested = [UInt64](repeating: 0, count: 1 << (chunkBits - 6))
        /// Marked, and not in the mask of a CLEAR that took others of its word since the GET began: the GET did not have it.
        var passed = [UInt64](repeating: 0, count: 1 << (chunkBits - 6))
        /// The bit is as its origin says.
        var untouched = [UInt64](repeating: .max, count: 1 << (chunkBits - 6))
    }

    private var chunks: [UInt64: Chunk] = [:]
    private var last: (key: UInt64, chunk: Chunk)?
    private var origin: Origin
    private var waiting: [Entry] = []
    private var isSorted = true
    private var unmarked: [GFN] = []
    /// Whether a GET or CLEAR has begun; no bit is ever taken before.
    private var isHarvested = false
    /// The last mark on each bit that was set already, since shortly before the last GET or CLEAR began.
    private var again: [GFN: Entry] = [:]
    /// Marks that may have set a bit in the moment after it was taken.
    private var maybe: [GFN: Entry] = [:]
    /// When the GET before the last one began.
    private var previousGetNs = Int64.min

    /// Pages of a first mask that were dirty before we looked.
    private(set) var beforeAttach: Int64 = 0
    /// Pages of a first mask that were dirty from the beginning of logging.
    private(set) var initiallySet: Int64 = 0

    init(origin: Origin) { self.origin = origin }

    /// Entries that wait for their harvest.
    var waitingCount: Int { waiting.count + unmarked.count }

    private func chunk(_ gfn: GFN) -> Chunk {
        let key = gfn >> Self.chunkBits
        if let last, last.key == key { return last.chunk }
        let chunk = chunks[key] ?? Chunk()
        chunks[key] = chunk
        last = (key, chunk)
        return chunk
    }

    private static func place(_ gfn: GFN) -> (word: Int, bit: UInt64) {
        (Int(gfn >> 6 & (1 << (chunkBits - 6) - 1)), 1 << (gfn & 63))
    }

    /// Whether the page's entry is harvested, while its bit is still set.
    func isOpen(_ gfn: GFN) -> Bool {
        let (word, bit) = Self.place(gfn)
        return chunks[gfn >> Self.chunkBits].map { $0.harvested[word] & bit != 0 } ?? false
    }

    /// KVM sets a bit.
    ///
    /// - Returns: whether that is an entry.
    func mark(_ gfn: GFN, ns: Int64, thread: Int) -> Bool {
        let chunk = chunk(gfn)
        let (word, bit) = Self.place(gfn)
        let entry = Entry(gfn: gfn, ns: ns, thread: thread)
        let isSet = chunk.dirty[word] & bit != 0 || (origin == .set && chunk.untouched[word] & bit != 0)
        guard !isSet else {
            // Bits that are all set from the beginning are many, and nobody takes them before the first CLEAR.
            if isHarvested || origin != .set { again[gfn] = entry }
            return false
        }
        // It may have been set before we looked, and be taken as such.
        if origin == .unknown, chunk.untouched[word] & bit != 0 { again[gfn] = entry }
        chunk.dirty[word] |= bit
        if !maybe.isEmpty { maybe[gfn] = nil }
        append(entry)
        return true
    }

    private func append(_ entry: Entry) {
        if let last = waiting.last, last.ns > entry.ns { isSorted = false }
        waiting.append(entry)
    }

    /// A mark is seen at most so long before KVM sets the bit.
    private static let markNs: Int64 = 100_000_000

    /// A GET or a CLEAR begins.
    func begin(at ns: Int64) {
        isHarvested = true
        if !again.isEmpty { again = again.filter { $0.value.ns > ns - Self.markNs } }
    }

    /// KVM has taken the 64 bits from page `first` on that are set in `mask`.
    func take(first: GFN, mask: UInt64) {
        guard mask != 0 else { return }
        // A slot may begin anywhere, so one word of KVM's may be two of ours.
        let shift = first & 63
        take(word: first - shift, mask << shift, of: UInt64.max << shift)
        if shift > 0 { take(word: first - shift + 64, mask >> (64 - shift), of: UInt64.max >> (64 - shift)) }
    }

    private func take(word first: GFN, _ mask: UInt64, of range: UInt64) {
        let chunk = chunk(first)
        let (word, _) = Self.place(first)
        let marked = mask & chunk.dirty[word]
        chunk.passed[word] |= range & chunk.dirty[word] & ~mask
        chunk.dirty[word] &= ~mask
        chunk.taken[word] |= marked & ~chunk.harvested[word]
        chunk.harvested[word] &= ~mask
        var rest = mask & ~marked
        if rest != 0, !maybe.isEmpty {
            Self.forEach(rest, from: first) { gfn in
                guard let entry = maybe.removeValue(forKey: gfn) else { return }
                rest &= ~(1 << (gfn & 63))
                chunk.taken[word] |= 1 << (gfn & 63)
                append(entry)
            }
        }
        if !again.isEmpty {
            Self.forEach(mask, from: first) { gfn in if let entry = again[gfn] { maybe[gfn] = entry } }
        }
        let untouched = rest & chunk.untouched[word]
        chunk.untouched[word] &= ~mask
        switch origin {
        case .unknown: beforeAttach += Int64(untouched.nonzeroBitCount)
        case .set: initiallySet += Int64(untouched.nonzeroBitCount)
        case .clear: Self.forEach(untouched, from: first) { unmarked.append($0) }
        }
        Self.forEach(rest & ~untouched, from: first) { unmarked.append($0) }
    }

    private static func forEach(_ mask: UInt64, from first: GFN, _ body: (GFN) -> Void) {
        var mask = mask
        while mask != 0 {
            body(first + UInt64(mask.trailingZeroBitCount))
            mask &= mask - 1
        }
    }

    /// The GET that began at `begin` is over, and with it its harvest.
    ///
    /// - Parameter isManual: Whether GET leaves the bits set, for CLEAR to take: then it has what was marked before it began, and what a
    ///   CLEAR took afterwards. Else it has what was taken. KVM sets a bit a moment after its mark: what was marked shortly before, and
    ///   passed over by a CLEAR, belongs to the next one.
    func endGet(begunAt begin: Int64, isManual: Bool) -> Harvest {
        sort()
        var harvest = Harvest(unmarked: unmarked)
        unmarked = []
        waiting.removeAll { entry in
            let chunk = chunk(entry.gfn)
            let (word, bit) = Self.place(entry.gfn)
            if chunk.taken[word] & bit != 0 {
                chunk.taken[word] &= ~bit
            } else if isManual, entry.ns > begin - Self.markNs, chunk.passed[word] & bit != 0 {
                return false
            } else if isManual, entry.ns < begin {
                chunk.harvested[word] |= bit
            } else if !isManual, entry.ns <= previousGetNs {
                // Two GETs came after it, and neither took it: a mask was not seen.
                chunk.dirty[word] &= ~bit
                maybe[entry.gfn] = again[entry.gfn]
                harvest.unmasked += 1
            } else {
                return false
            }
            harvest.entries.append(entry)
            return true
        }
        if !isManual {
            // The whole bitmap was taken: what may have been set since is only what this GET left open.
            if !maybe.isEmpty { maybe = maybe.filter { $0.value.ns > begin - Self.markNs } }
            settle()
        }
        for chunk in chunks.values { for word in chunk.passed.indices { chunk.passed[word] = 0 } }
        previousGetNs = begin
        return harvest
    }

    /// No bit is set any more that was set before we looked.
    func settle() {
        guard origin != .clear else { return }
        origin = .clear
        for chunk in chunks.values { for word in chunk.untouched.indices { chunk.untouched[word] = .max } }
    }

    /// Takes out everything that waits, harvested or not: logging ends, or there is too much of it.
    func takeAll() -> Harvest {
        sort()
        let harvest = Harvest(entries: waiting, unmarked: unmarked)
        for entry in waiting {
            let chunk = chunk(entry.gfn)
            let (word, bit) = Self.place(entry.gfn)
            if chunk.taken[word] & bit != 0 { chunk.taken[word] &= ~bit } else { chunk.harvested[word] |= bit }
        }
        (waiting, unmarked) = ([], [])
        return harvest
    }

    /// Nothing is known any more of what the bitmap holds. What waits stays.
    func forget() {
        (origin, isHarvested) = (.unknown, true)
        (again, maybe) = ([:], [:])
        for chunk in chunks.values {
            for word in chunk.dirty.indices {
                chunk.taken[word] |= chunk.dirty[word] & ~chunk.harvested[word]
                (chunk.dirty[word], chunk.harvested[word], chunk.untouched[word]) = (0, 0, .max)
            }
        }
    }

    private func sort() {
        guard !isSorted else { return }
        isSorted = true
        waiting = waiting.enumerated().sorted { ($0.element.ns, $0.offset) < ($1.element.ns, $1.offset) }
            .map(\.element)
    }
}
