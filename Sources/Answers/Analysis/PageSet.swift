/// A set of pages by number.
struct PageSet: Sendable {
    private var words: [UInt64]
    private(set) var count: Int

    init(empty size: Int = 0) {
        words = [UInt64](repeating: 0, count: (size + 63) / 64)
        count = 0
    }

    init(full size: Int) {
        words = [UInt64](repeating: .max, count: (size + 63) / 64)
        if size % 64 > 0 { words[size / 64] = 1 << UInt64(size % 64) - 1 }
        count = size
    }

    func contains(_ page: Int) -> Bool { words[page >> 6] & (UInt64(1) << UInt64(page & 63)) != 0 }

    func count(in other: Self) -> Int {
        zip(words, other.words).reduce(0) { $0 + ($1.0 & $1.1).nonzeroBitCount }
    }

    /// Grows as needed.
    mutating func insert(_ page: Int) {
        if page >> 6 >= words.count { words += [UInt64](repeating: 0, count: page >> 6 + 1 - words.count) }
        let bit = UInt64(1) << UInt64(page & 63)
        if words[page >> 6] & bit == 0 { count += 1 }
        words[page >> 6] |= bit
    }

    /// Whether it was there.
    mutating func remove(_ page: Int) -> Bool {
        let bit = UInt64(1) << UInt64(page & 63)
        guard words[page >> 6] & bit != 0 else { return false }
        words[page >> 6] &= ~bit
        count -= 1
        return true
    }

    mutating func formUnion(_ other: Self) {
        count = 0
        for place in words.indices {
            words[place] |= other.words[place]
            count += words[place].nonzeroBitCount
        }
    }

    mutating func removeAll() {
        for place in words.indices { words[place] = 0 }
        count = 0
    }

    /// The first page from `page` on.
    func first(from page: Int) -> Int? {
        var place = page >> 6
        guard place < words.count else { return nil }
        var word = words[place] & (.max << UInt64(page & 63))
        while word == 0 {
            place += 1
            guard place < words.count else { return nil }
            word = words[place]
        }
        return place << 6 + word.trailingZeroBitCount
    }
}
