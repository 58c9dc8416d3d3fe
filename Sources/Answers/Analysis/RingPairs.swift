import Model

/// Pages that two rings both reported in one iteration, summed over iterations.
struct RingPairs: Sendable {
    /// Rings beyond this many are not told apart in the sharing matrix.
    static let mostRings = 512

    /// Of rings a < b, at b(b−1)/2 + a.
    private var pages: [Int64] = []

    mutating func add(_ count: Int64, _ one: Int, _ other: Int) {
        let place = Self.place(one, other)
        if place >= pages.count { pages.append(contentsOf: repeatElement(0, count: place + 1 - pages.count)) }
        pages[place] += count
    }

    /// Adds the pairs of sets of rings.
    mutating func add(_ sets: SharerSets) {
        sets.forEachPair { ring, other, pages in
            if max(ring, other) < Self.mostRings { add(pages, Int(ring), Int(other)) }
        }
    }

    mutating func add(_ other: Self) {
        if other.pages.count > pages.count {
            pages.append(contentsOf: repeatElement(0, count: other.pages.count - pages.count))
        }
        for place in other.pages.indices { pages[place] += other.pages[place] }
    }

    /// 0 beyond ``mostRings``.
    func pages(_ one: Int, _ other: Int) -> Int64 {
        let place = Self.place(one, other)
        return one == other || max(one, other) >= Self.mostRings || place >= pages.count ? 0 : pages[place]
    }

    private static func place(_ one: Int, _ other: Int) -> Int {
        let high = max(one, other)
        return high * (high - 1) / 2 + min(one, other)
    }
}
