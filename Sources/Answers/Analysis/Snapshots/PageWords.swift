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

/// Calls `body` with the number of each bit that is set, from the lowest.
@inline(__always)
func forEachBit(_ word: UInt64, _ body: (Int) -> Void) {
    var rest = word
    while rest != 0 {
        body(rest.trailingZeroBitCount)
        rest &= rest - 1
    }
}

/// A number for every page of some words, 0 at first, in lines of 8: 5 bytes each where pages are dense, 64 where no two are neighbours.
struct PageNumbers: Sendable {
    private static let none = UInt32.max
    /// By word and eighth.
    private var lines: [UInt32] = []
    private var numbers: [UInt32] = []

    /// Calls `body` with the number of each page of a word, and what `sums` holds.
    @inline(__always)
    mutating func update<Sum>(
        _ word: UInt64, at place: Int, _ sums: inout [Sum], _ body: (inout UInt32, inout MutableSpan<Sum>) -> Void
    ) {
        makeRoom(for: word, at: place)
        // Arrays of its own, so that the loop checks uniqueness once.
        let lines = lines
        var numbers = numbers.mutableSpan
        var sums = sums.mutableSpan
        var rest = word
        while rest != 0 {
            let bit = rest.trailingZeroBitCount
            body(&numbers[Int(lines[place &* 8 &+ bit >> 3]) &* 8 &+ bit & 7], &sums)
            rest &= rest &- 1
        }
    }

    private mutating func makeRoom(for word: UInt64, at place: Int) {
        let first = place &* 8
        if first + 8 > lines.count {
            let wanted = max(first + 8, lines.count * 3 / 2)
            lines.append(contentsOf: repeatElement(Self.none, count: wanted - lines.count))
        }
        for eighth in 0..<8 where lines[first + eighth] == Self.none && word >> UInt64(eighth * 8) & 0xff != 0 {
            lines[first + eighth] = UInt32(numbers.count / 8)
            numbers.append(contentsOf: repeatElement(0, count: 8))
        }
    }
}
