import Model

/// The pages that were dirtied in the iteration in progress, a bit each, in words of 64 neighbours.
///
/// Words are numbered from 0 in the order in which they were met; memory follows them: near 40 bytes each.
struct PageWords: Sendable {
    /// No such word.
    static let none = UInt32.max

    private var index = PageIndex()
    private var words: [UInt64] = []
    private var touched: [UInt32] = []
    /// The number of the word before each, or ``none``.
    private(set) var before: [UInt32] = []

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

    /// Calls `body` with each word that is not empty, and empties it.
    mutating func take(_ body: (_ place: Int, _ word: UInt64) -> Void) {
        forEachTouched(touched, of: words.count) { place in
            guard words[place] != 0 else { return }
            body(place, words[place])
            words[place] = 0
        }
        touched.removeAll(keepingCapacity: true)
    }

    private mutating func makeRoom(for key: UInt64) {
        let place = UInt32(words.count)
        words.append(0)
        before.append(key == 0 ? Self.none : index.find(key - 1).map(UInt32.init) ?? Self.none)
        if let next = index.find(key + 1) { before[next] = place }
    }
}

/// Calls `body` with the places in `touched`; where these are many, with all of them in order: memory is read faster so.
@inline(__always)
func forEachTouched(_ touched: [UInt32], of count: Int, _ body: (Int) -> Void) {
    if touched.count > count / 8 {
        for place in 0..<count { body(place) }
    } else {
        for place in touched { body(Int(place)) }
    }
}

extension Array {
    /// Makes it at least so long, a quarter at a time: what doubles has room for as much again.
    @inline(__always)
    mutating func grow(to count: Int, _ filler: Element) {
        if count > self.count { growNow(to: count, filler) }
    }

    @inline(never)
    private mutating func growNow(to count: Int, _ filler: Element) {
        let wanted = Swift.max(count, self.count / 4 * 5)
        reserveCapacity(wanted)
        append(contentsOf: repeatElement(filler, count: wanted - self.count))
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

/// Where arrays keep a value for each page of some words, all of them in the same order.
///
/// A word of more than 8 pages has room for all of its 64, neighbours beside each other; one of fewer has its pages in the order in which
/// they were met. It moves when it needs more room, and arrays follow by ``Move``. Memory: 16 bytes a word here, and in an array 4 bytes a
/// page where pages are dense, at most 28 in words of 9.
struct PageOrder: Sendable {
    /// Values of a word's pages that have another place from now on. Moves are made in their order.
    struct Move: Sendable {
        fileprivate var from: UInt32
        fileprivate var to: UInt32
        fileprivate var count: Int
        fileprivate var room: UInt32
        fileprivate var pages: Pages
    }
    /// The pages of a word, as numbers of bits in the order in which they were met.
    fileprivate struct Pages: Sendable {
        static let most = 8
        private var bytes: UInt64 = 0
        subscript(_ number: Int) -> UInt64 {
            get { bytes >> UInt64(number * 8) & 0xff }
            set { bytes |= newValue << UInt64(number * 8) }
        }
    }
    private struct Leaf {
        var pages = Pages()
        var first: UInt32 = 0
        /// Pages in it, and values that there is room for: a power of two, 64 for one a bit.
        var count: UInt16 = 0
        var room: UInt16 = 0
    }
    private var leaves: [Leaf] = []
    /// Places that were given up, by the logarithm of their room.
    private var free = [[UInt32]](repeating: [], count: 4)
    /// Values that an array must have.
    private var end = 0
    /// Moves since they were forgotten last.
    private(set) var moves: [Move] = []

    /// Makes room for the pages of a word that were not met before.
    @inline(__always)
    mutating func meet(_ word: UInt64, at place: Int) {
        leaves.grow(to: place + 1, Leaf())
        let leaf = leaves[place]
        guard leaf.room < 64 else { return }
        var new = word
        for number in 0..<Int(leaf.count) { new &= ~(1 << leaf.pages[number]) }
        if new != 0 { enter(new, at: place) }
    }

    @inline(never)
    private mutating func enter(_ new: UInt64, at place: Int) {
        let old = leaves[place]
        let pages = Int(old.count) + new.nonzeroBitCount
        let room = pages > Pages.most ? 64 : 1 << (Int.bitWidth - (pages - 1).leadingZeroBitCount)
        if room > old.room {
            leaves[place].room = UInt16(room)
            leaves[place].first = makeRoom(room)
            moves.append(
                Move(
                    from: old.first, to: leaves[place].first, count: Int(old.count), room: UInt32(room),
                    pages: old.pages))
            if old.room > 0 { free[old.room.trailingZeroBitCount].append(old.first) }
        }
        guard pages <= Pages.most else { return }
        forEachBit(new) { bit in
            leaves[place].pages[Int(leaves[place].count)] = UInt64(bit)
            leaves[place].count += 1
        }
    }

    private mutating func makeRoom(_ room: Int) -> UInt32 {
        if room <= Pages.most, let place = free[room.trailingZeroBitCount].popLast() { return place }
        defer { end += room }
        return UInt32(end)
    }

    /// Moves the values of an array that has followed the first `done` moves.
    @inline(__always)
    func follow(_ values: inout [UInt32], after done: Int = 0) {
        if done < moves.count { followNow(&values, after: done) }
    }

    @inline(never)
    private func followNow(_ values: inout [UInt32], after done: Int) {
        values.grow(to: end, 0)
        for move in moves[done...] {
            let (from, to) = (Int(move.from), Int(move.to))
            // Another word may have had it.
            for place in to..<to + Int(move.room) { values[place] = 0 }
            for number in 0..<move.count {
                values[to + (move.room == 64 ? Int(move.pages[number]) : number)] = values[from + number]
            }
        }
    }

    /// Every array has followed all moves.
    mutating func forgetMoves() { moves.removeAll(keepingCapacity: true) }

    /// Calls `body` with what `values`, which has followed all moves, holds of each page of a word that was met, and with `sums`.
    @inline(__always)
    func update<Sum>(
        _ values: inout [UInt32], of word: UInt64, at place: Int, _ sums: inout [Sum],
        _ body: (inout UInt32, inout MutableSpan<Sum>) -> Void
    ) {
        // Spans, so that the loops check uniqueness once.
        var values = values.mutableSpan
        var sums = sums.mutableSpan
        let leaf = leaves[place]
        let first = Int(leaf.first)
        if leaf.room == 64 {
            var rest = word
            while rest != 0 {
                body(&values[first &+ rest.trailingZeroBitCount], &sums)
                rest &= rest &- 1
            }
        } else {
            for number in 0..<Int(leaf.count) where word &>> leaf.pages[number] & 1 != 0 {
                body(&values[first &+ number], &sums)
            }
        }
    }
}
