import Model

/// Iterations whose pages are to be added to diffs: what all cadences must know of them.
struct DiffBatch: Sendable {
    /// The words of the iterations, one iteration's after the other's, and their numbers.
    private(set) var words: [(place: UInt32, word: UInt64)] = []
    /// Where each iteration's words end, and when it does.
    private(set) var ends: [(word: Int, ns: Int64)] = []

    var isFull: Bool { words.count >= 1 << 18 || ends.count >= 1 << 12 }

    mutating func add(_ place: Int, _ word: UInt64) { words.append((UInt32(place), word)) }
    mutating func endIteration(at time: Int64) { ends.append((words.count, time)) }
    mutating func removeAll() {
        words.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }
}

/// The diffs at one cadence as sets of pages: the one in progress, what blocks of each size it takes, and for every word of pages the
/// last diffs that held any of it. Cadences know nothing of each other, so each is followed by a thread of its own.
struct DiffSets: Sendable {
    private(set) var cadence: SnapshotCadence
    private(set) var levels: [BlockLevel]
    private(set) var stability = StabilityTally()
    private let options: SnapshotOptions
    private let full: (bytes: Int64, ns: Int64)
    private var origin: Int64?
    /// The diff in progress, by the number of the word.
    private var current: [UInt64] = []
    private var touched: [UInt32] = []
    private var history = DiffHistory()

    /// - Parameters:
    ///   - blocks: Sizes in bytes, multiples of a page.
    ///   - full: a full snapshot.
    init(
        _ cadenceNs: Int64, blocks: [Int64], pageSize: Int64, options: SnapshotOptions, full: (bytes: Int64, ns: Int64)
    ) {
        cadence = SnapshotCadence(cadenceNs)
        levels = blocks.map { BlockLevel(block: $0, pages: UInt64($0 / pageSize)) }
        (self.options, self.full) = (options, full)
    }

    /// Adds iterations, in a recording that began at `origin`.
    mutating func take(_ batch: DiffBatch, _ words: PageWords, _ order: PageOrder, origin: Int64) {
        if self.origin == nil {
            self.origin = origin
            cadence.begin(at: origin)
        }
        stability.follow(order)
        current.grow(to: words.before.count, 0)
        var first = 0
        for end in batch.ends {
            add(batch.words[first..<end.word])
            first = end.word
            if cadence.endIteration(at: end.ns, origin: origin) { endDiff(words, order) }
        }
    }

    private mutating func add(_ words: ArraySlice<(place: UInt32, word: UInt64)>) {
        for (place, word) in words {
            if current[Int(place)] == 0 { touched.append(place) }
            current[Int(place)] |= word
        }
    }

    /// A snapshot is taken: counts what it holds, and begins the next diff.
    private mutating func endDiff(_ words: PageWords, _ order: PageOrder) {
        for level in levels.indices {
            levels[level].endDiff(current, touched, words, options: options, full: full)
        }
        forEachTouched(touched, of: current.count) { place in
            let word = current[place]
            if word == 0 { return }
            current[place] = 0
            stability.add(word, at: place, &history, order)
        }
        touched.removeAll(keepingCapacity: true)
        stability.endDiff()
    }
}

/// What earlier diffs of one cadence held of every word, as far back as policies look: 16 bytes a word that one of them held, 72 of others.
struct DiffHistory: Sendable {
    /// How far it goes back, in diffs.
    static let depth = 8
    private static let none = UInt32.max
    private struct Head {
        /// The last diff that held any of it, from 1; 0 for none.
        var last: UInt32 = 0
        /// Where the diffs before it are.
        var line = none
        /// What the last one held.
        var word: UInt64 = 0
    }
    private var heads: [Head] = []
    /// What the diffs before the last one held, the latest first.
    private var lines: [InlineArray<7, UInt64>] = []

    /// Enters what diff `number`, from 1 and ascending, holds of a word.
    ///
    /// - Parameter age: Is called with how many diffs ago, 1 to ``depth``, which of its pages were held last.
    /// - Returns: its pages that none of them held.
    @inline(__always)
    mutating func enter(_ word: UInt64, at place: Int, in number: UInt32, _ age: (Int, UInt64) -> Void) -> UInt64 {
        heads.grow(to: place + 1, Head())
        var head = heads[place]
        defer { heads[place] = head }
        let away = Int(number - head.last)
        var new = word
        if head.last == 0 || away > Self.depth {
            if head.line != Self.none { lines[Int(head.line)] = InlineArray(repeating: 0) }
        } else {
            age(away, new & head.word)
            new &= ~head.word
            if head.line == Self.none, away < Self.depth {
                head.line = UInt32(lines.count)
                lines.append(InlineArray(repeating: 0))
            } else if head.line != Self.none {
                for back in 0..<Self.depth - away {
                    let held = new & lines[Int(head.line)][back]
                    age(away + 1 + back, held)
                    new &= ~held
                }
            }
            if head.line != Self.none { Self.push(head.word, onto: &lines[Int(head.line)], after: away) }
        }
        (head.last, head.word) = (number, word)
        return new
    }

    /// So many diffs after the one that held `word`, which comes into the line of those before.
    @inline(__always)
    private static func push(_ word: UInt64, onto line: inout InlineArray<7, UInt64>, after diffs: Int) {
        for back in (0..<7).reversed() {
            line[back] = back >= diffs ? line[back - diffs] : back == diffs - 1 ? word : 0
        }
    }
}

/// Blocks of one size, in the diffs of one cadence.
struct BlockLevel: Sendable {
    private enum Shape {
        /// A power of two pages, at most a word.
        case within(shift: Int)
        /// So many words.
        case words(UInt64)
        /// Any number of pages.
        case pages(UInt64)
    }

    /// Bytes.
    let block: Int64
    private(set) var tally = SnapshotTally()
    private let shape: Shape
    /// Blocks that are larger than a word or not of its making, and the last diff that held each, from 1.
    private var index = PageIndex()
    private var stamps: [UInt32] = []

    /// - Parameter pages: in a block.
    init(block: Int64, pages: UInt64) {
        self.block = block
        shape =
            if pages <= 64, pages.nonzeroBitCount == 1 {
                .within(shift: pages.trailingZeroBitCount)
            } else { pages % 64 == 0 ? .words(pages / 64) : .pages(pages) }
    }

    /// Counts a diff: its pages, by the number of the word, and the words that hold any.
    mutating func endDiff(
        _ pages: [UInt64], _ touched: [UInt32], _ words: PageWords, options: SnapshotOptions,
        full: (bytes: Int64, ns: Int64)
    ) {
        var diff = SnapshotTally.Diff()
        let (keys, keepsBlocks) = (words.keys, options.coalesce > 0)
        switch shape {
        case .within(let shift):
            Self.count(pages, touched, before: words.before, shift: shift, into: &diff)
            if keepsBlocks {
                for place in touched {
                    forEachBit(Self.blocks(of: pages[Int(place)], shift, Self.firsts[shift])) {
                        diff.list.append((keys[Int(place)] << 6 | UInt64($0)) >> UInt64(shift))
                    }
                }
            }
        case .words(let count):
            for place in touched { add(keys[Int(place)] / count, keepsBlocks, to: &diff) }
        case .pages(let count):
            var last = UInt64.max
            for place in touched {
                forEachBit(pages[Int(place)]) { bit in
                    let block = (keys[Int(place)] << 6 | UInt64(bit)) / count
                    if block == last { return }
                    last = block
                    add(block, keepsBlocks, to: &diff)
                }
            }
        }
        tally.add(diff, block: block, options: options, full: full)
    }

    private mutating func add(_ block: UInt64, _ keepsBlocks: Bool, to diff: inout SnapshotTally.Diff) {
        let number = UInt32(truncatingIfNeeded: tally.size.count + 1)
        let place = index.insert(block)
        if place == stamps.count { stamps.append(0) }
        if stamps[place] == number { return }
        stamps[place] = number
        diff.blocks += 1
        for neighbour in [block &- 1, block &+ 1] {
            if let place = index.find(neighbour), stamps[place] == number { diff.joins += 1 }
        }
        if keepsBlocks { diff.list.append(block) }
    }

    private static func count(
        _ pages: [UInt64], _ touched: [UInt32], before: [UInt32], shift: Int, into diff: inout SnapshotTally.Diff
    ) {
        let (first, width) = (firsts[shift], 1 << shift)
        var (sum, joins) = (0, 0)
        forEachTouched(touched, of: pages.count) { place in
            let word = pages[place]
            if word == 0 { return }
            let blocks = blocks(of: word, shift, first)
            sum &+= blocks.nonzeroBitCount
            joins &+= (blocks & (blocks >> width)).nonzeroBitCount
            let left = before[place]
            if blocks & 1 != 0, left != PageWords.none {
                joins &+= Int(Self.blocks(of: pages[Int(left)], shift, first) >> (64 - width) & 1)
            }
        }
        (diff.blocks, diff.joins) = (Int64(sum), Int64(joins))
    }

    /// A bit for each block of 2^shift pages that holds any page of `word`, at its first page.
    @inline(__always)
    private static func blocks(of word: UInt64, _ shift: Int, _ firsts: UInt64) -> UInt64 {
        var word = word
        for step in 0..<shift { word |= word &>> (1 &<< step) }
        return word & firsts
    }

    /// Bits 0, 2^shift, 2 · 2^shift …
    private static let firsts: [UInt64] = (0...6).map { shift in
        stride(from: 0, to: 64, by: 1 << shift).reduce(0) { $0 | 1 << UInt64($1) }
    }
}
