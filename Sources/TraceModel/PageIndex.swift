/// Gives every GFN that it meets a small number, 0, 1, 2 …, so that per-page state can live in plain arrays.
///
/// A hash table leads from a group of 64 neighbouring GFNs to a leaf of 64 numbers. Memory follows the pages met,
/// wherever they lie: at most 272 bytes a page when no two are neighbours, near 4 bytes when they are dense.
@frozen public struct PageIndex: Sendable {
    @inlinable static var absent: UInt32 { .max }
    @inlinable static var emptyKey: UInt64 { .max }

    @usableFromInline var keys: [UInt64]
    @usableFromInline var leafOfKey: [UInt32]
    @usableFromInline var leaves: [UInt32] = []
    @usableFromInline var leafCount = 0
    @usableFromInline var mask: Int
    @usableFromInline var lastKey = UInt64.max
    @usableFromInline var lastLeaf = 0

    @usableFromInline var numbered: [GFN] = []

    /// GFNs in the order of their numbers.
    @inlinable public var gfns: [GFN] { numbered }

    /// An index without pages.
    public init() {
        keys = [UInt64](repeating: Self.emptyKey, count: 64)
        leafOfKey = [UInt32](repeating: 0, count: 64)
        mask = 63
    }

    /// Number of pages met.
    @inlinable public var count: Int { numbered.count }

    /// The number of `gfn`; a new one if it was not met before.
    @inlinable @inline(__always)
    public mutating func insert(_ gfn: GFN) -> Int {
        let key = gfn >> 6
        if key != lastKey {
            lastLeaf = leaf(of: key)
            lastKey = key
        }
        let place = lastLeaf &+ Int(gfn & 63)
        let number = leaves[place]
        if number != Self.absent { return Int(number) }
        let new = numbered.count
        leaves[place] = UInt32(new)
        numbered.append(gfn)
        return new
    }

    /// The number of `gfn`, or nil if it was not met.
    public func find(_ gfn: GFN) -> Int? {
        let key = gfn >> 6
        var slot = Self.hash(key) & mask
        while keys[slot] != key {
            if keys[slot] == Self.emptyKey { return nil }
            slot = (slot &+ 1) & mask
        }
        let number = leaves[Int(leafOfKey[slot]) * 64 + Int(gfn & 63)]
        return number == Self.absent ? nil : Int(number)
    }

    @inlinable @inline(__always)
    static func hash(_ key: UInt64) -> Int {
        // Fibonacci hashing: neighbouring keys spread over the table.
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }

    @inlinable @inline(__always)
    mutating func leaf(of key: UInt64) -> Int {
        var slot = Self.hash(key) & mask
        while keys[slot] != key {
            if keys[slot] == Self.emptyKey { return addLeaf(key, at: slot) }
            slot = (slot &+ 1) & mask
        }
        return Int(leafOfKey[slot]) &* 64
    }

    @usableFromInline @inline(never)
    mutating func addLeaf(_ key: UInt64, at slot: Int) -> Int {
        keys[slot] = key
        leafOfKey[slot] = UInt32(leafCount)
        let first = leafCount * 64
        leaves.append(contentsOf: repeatElement(Self.absent, count: 64))
        leafCount += 1
        if leafCount * 2 > keys.count { grow() }
        return first
    }

    private mutating func grow() {
        let oldKeys = keys
        let oldLeaves = leafOfKey
        let capacity = oldKeys.count * 4
        keys = [UInt64](repeating: Self.emptyKey, count: capacity)
        leafOfKey = [UInt32](repeating: 0, count: capacity)
        mask = capacity - 1
        for (key, leaf) in zip(oldKeys, oldLeaves) where key != Self.emptyKey {
            var slot = Self.hash(key) & mask
            while keys[slot] != Self.emptyKey { slot = (slot &+ 1) & mask }
            keys[slot] = key
            leafOfKey[slot] = leaf
        }
    }
}
