import Model

/// The pages that were dirtied in the iteration in progress, a bit each, in words of 64 neighbours.
///
/// Words are numbered from 0 in the order in which they were met; memory follows them: near 24 bytes each.
struct PageWords: Sendable {
    /// No such word.
    static let none = UInt32.max

    private var index = PageIndex()
    private var words: [UInt64] = []
    /// Words that are not empty.
    private(set) var touched: [UInt32] = []
    /// The number of the word before each, or ``none``.
    private(set) var before: [UInt32] = []

    var count: Int { words.count }
    /// The first page of each word, by 64.
    var keys: [UInt64] { index.gfns }

    mutating func add(_ gfns: [GFN]) {
        var (lastKey, place) = (UInt64.max, 0)
        for gfn in gfns {
            let key = gfn >> 6
            if key != lastKey {
                (lastKey, place) = (key, index.insert(key))
                if place == words.count { makeRoom(for: key) }
                if words[place] == 0 { touched.append(UInt32(place)) }
            }
            words[place] |= 1 << (gfn & 63)
        }
    }

    /// Empties a word. - Returns: what it held.
    mutating func take(_ place: Int) -> UInt64 {
        defer { words[place] = 0 }
        return words[place]
    }

    /// All words are empty.
    mutating func forgetTouched() { touched.removeAll(keepingCapacity: true) }

    private mutating func makeRoom(for key: UInt64) {
        let place = UInt32(words.count)
        words.append(0)
        before.append(key == 0 ? Self.none : index.find(key - 1).map(UInt32.init) ?? Self.none)
        if let next = index.find(key + 1) { before[next] = place }
    }
}

/// Calls `body` with the number of each bit that is set, from the lowest.
@inline(__always)
func forEachBit(_ word: UInt64, _ body: (Int) -> Void) {
    var rest = word
    while rest != 0 {
        body(rest.trailingZeroBitCount)
        rest &= rest - 1
    }
}

/// The diffs at one cadence as sets of pages: the one in progress, and for every word the last that held any of its pages.
struct DiffSets: Sendable {
    /// What earlier diffs held of one word. 72 bytes.
    struct History: Sendable {
        /// The last diff that held any of it, from 1; 0 for none.
        var last: UInt32 = 0
        /// What that diff held, and those before it, the latest first.
        var words = InlineArray<8, UInt64>(repeating: 0)
    }

    private(set) var cadence: SnapshotCadence
    /// The diff in progress, by the number of the word.
    private(set) var current: [UInt64] = []
    private(set) var touched: [UInt32] = []
    private var history: [History] = []
    private(set) var stability = StabilityTally()

    init(_ cadenceNs: Int64) { cadence = SnapshotCadence(cadenceNs) }

    mutating func begin(at time: Int64) { cadence.begin(at: time) }

    /// Adds a word's pages to the diff in progress.
    mutating func add(_ word: UInt64, _ place: Int) {
        if place >= current.count {
            current.append(contentsOf: repeatElement(0, count: max(place + 1, current.count * 3 / 2) - current.count))
        }
        if current[place] == 0 { touched.append(UInt32(place)) }
        current[place] |= word
    }

    /// Whether a snapshot is taken when an iteration ends at `time`, in a recording that began at `origin`.
    mutating func endIteration(at time: Int64, origin: Int64) -> Bool { cadence.endIteration(at: time, origin: origin) }

    /// A snapshot was taken: follows its pages, and begins the next diff.
    mutating func endDiff(_ keys: [UInt64], _ pages: inout PageIndex) {
        if history.count < current.count {
            history.append(contentsOf: repeatElement(History(), count: current.count - history.count))
        }
        for place in touched {
            let place = Int(place)
            let (word, key) = (current[place], keys[place])
            current[place] = 0
            stability.add(word, &history[place])
            forEachBit(word) { stability.count(page: pages.insert(key << 6 | UInt64($0))) }
        }
        touched.removeAll(keepingCapacity: true)
        stability.endDiff()
    }
}

/// Blocks of one size, and the diffs that they are in.
struct BlockLevel: Sendable {
    private enum Shape {
        /// A power of two pages, at most a word.
        case within(shift: Int)
        /// So many words.
        case words(UInt64)
        /// Any number of pages.
        case pages(UInt64)
    }
    /// Blocks larger than a word, or not of its making: the last diff of each cadence that held them, from 1.
    private struct Stamps: Sendable {
        var index = PageIndex()
        var diffs: [[UInt32]]

        /// - Returns: how many of its neighbours are in the same diff; nil when the block was.
        mutating func add(_ block: UInt64, diff: UInt32, of cadence: Int) -> Int64? {
            let place = index.insert(block)
            let room = diffs[cadence].count
            if place >= room {
                diffs[cadence].append(contentsOf: repeatElement(0, count: max(place + 1, room * 3 / 2) - room))
            }
            if diffs[cadence][place] == diff { return nil }
            diffs[cadence][place] = diff
            return (block == 0 ? 0 : isIn(block - 1, diff, cadence)) + isIn(block + 1, diff, cadence)
        }

        private func isIn(_ block: UInt64, _ diff: UInt32, _ cadence: Int) -> Int64 {
            guard let place = index.find(block), place < diffs[cadence].count else { return 0 }
            return diffs[cadence][place] == diff ? 1 : 0
        }
    }

    /// Bytes.
    let block: Int64
    private let shape: Shape
    private var stamps: Stamps
    /// By cadence.
    private(set) var tallies: [SnapshotTally]

    /// - Parameter pages: in a block.
    init(block: Int64, pages: UInt64, cadences: Int) {
        self.block = block
        shape =
            if pages <= 64, pages.nonzeroBitCount == 1 {
                .within(shift: pages.trailingZeroBitCount)
            } else { pages % 64 == 0 ? .words(pages / 64) : .pages(pages) }
        stamps = Stamps(diffs: Array(repeating: [], count: cadences))
        tallies = Array(repeating: SnapshotTally(), count: cadences)
    }

    mutating func keep(_ places: [Int]) { tallies = places.map { tallies[$0] } }

    /// Counts the diff that `sets` have in progress, of this cadence.
    mutating func endDiff(
        _ sets: DiffSets, of cadence: Int, _ words: PageWords, options: SnapshotOptions, full: (bytes: Int64, ns: Int64)
    ) {
        var diff = SnapshotTally.Diff()
        let keepsBlocks = options.coalesce > 0
        switch shape {
        case .within(let shift):
            Self.count(sets, words, shift: shift, into: &diff)
            if keepsBlocks {
                let keys = words.keys
                for place in sets.touched {
                    let key = keys[Int(place)]
                    forEachBit(Self.blocks(of: sets.current[Int(place)], shift)) {
                        diff.list.append((key << 6 | UInt64($0)) >> UInt64(shift))
                    }
                }
            }
        case .words(let count):
            let number = UInt32(truncatingIfNeeded: tallies[cadence].size.count + 1)
            for place in sets.touched {
                add(words.keys[Int(place)] / count, number, cadence, keepsBlocks, to: &diff)
            }
        case .pages(let count):
            let number = UInt32(truncatingIfNeeded: tallies[cadence].size.count + 1)
            var last = UInt64.max
            for place in sets.touched {
                let key = words.keys[Int(place)]
                forEachBit(sets.current[Int(place)]) { bit in
                    let block = (key << 6 | UInt64(bit)) / count
                    if block == last { return }
                    last = block
                    add(block, number, cadence, keepsBlocks, to: &diff)
                }
            }
        }
        tallies[cadence].add(diff, block: block, options: options, full: full)
    }

    private mutating func add(
        _ block: UInt64, _ number: UInt32, _ cadence: Int, _ keepsBlocks: Bool, to diff: inout SnapshotTally.Diff
    ) {
        guard let neighbours = stamps.add(block, diff: number, of: cadence) else { return }
        diff.blocks += 1
        diff.joins += neighbours
        if keepsBlocks { diff.list.append(block) }
    }

    private static func count(_ sets: DiffSets, _ words: PageWords, shift: Int, into diff: inout SnapshotTally.Diff) {
        let width = 1 << shift
        for place in sets.touched {
            let blocks = blocks(of: sets.current[Int(place)], shift)
            diff.blocks += Int64(blocks.nonzeroBitCount)
            diff.joins += Int64((blocks & (blocks >> width)).nonzeroBitCount)
            let before = words.before[Int(place)]
            guard blocks & 1 != 0, before != PageWords.none, before < sets.current.count else { continue }
            diff.joins += Int64(Self.blocks(of: sets.current[Int(before)], shift) >> (64 - width) & 1)
        }
    }

    /// A bit for each block of 2^shift pages that holds any page of `word`, at its first page.
    private static func blocks(of word: UInt64, _ shift: Int) -> UInt64 {
        var word = word
        for step in 0..<shift { word |= word >> (1 << step) }
        return word & firsts[shift]
    }

    /// Bits 0, 2^shift, 2 · 2^shift …
    private static let firsts: [UInt64] = (0...6).map { shift in
        stride(from: 0, to: 64, by: 1 << shift).reduce(0) { $0 | 1 << UInt64($1) }
    }
}
