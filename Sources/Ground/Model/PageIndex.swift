/// Gives every GFN that it meets a small number, 0, 1, 2 …, so that per-page state can live in plain arrays.
///
/// A directory leads from a group of 64 neighbouring GFNs to a leaf of 64 numbers: an array for the first 256 GiB of
/// 4 KiB pages, a hash table beyond. Memory follows the pages met, wherever they lie: at most 272 bytes a page when no two
/// are neighbours, near 4 bytes when they are dense, and 4 MiB besides.
@frozen package struct PageIndex: Sendable {
    @inlinable static var absent: UInt32 { .max }
    @inlinable static var emptyKey: UInt64 { .max }

    /// Groups that the array may hold.
    @inlinable static var nearKeys: UInt64 { 1 << 20 }

    /// Numbers of leaves by group, as far as groups were met.
    @usableFromInline var near: [UInt32] = []
    @usableFromInline var keys: [UInt64]
    @usableFromInline var leafOfKey: [UInt32]
    @usableFromInline var leaves: [UInt32] = []
    @usableFromInline var leafCount = 0
    @usableFromInline var hashedCount = 0
    @usableFromInline var mask: Int
    @usableFromInline var lastKey = UInt64.max
    @usableFromInline var lastLeaf = 0

    @usableFromInline var numbered: [GFN] = []

    /// GFNs in the order of their numbers.
    @inlinable package var gfns: [GFN] { numbered }

    /// An index without pages.
    package init() {
        keys = [UInt64](repeating: Self.emptyKey, count: 64)
        leafOfKey = [UInt32](repeating: 0, count: 64)
        mask = 63
    }

    @inlinable package var count: Int { numbered.count }

    /// The number of `gfn`; a new one if it was not met before.
    @inlinable @inline(__always)
    package mutating func insert(_ gfn: GFN) -> Int {
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

    /// Replaces what `numbers` holds by the numbers of `gfns`, in order. Faster than one by one, because the CPU can wait
    /// for many cache lines at once.
    package mutating func insert(_ gfns: Span<GFN>, into numbers: inout [Int]) {
        numbers.removeAll(keepingCapacity: true)
        for place in gfns.indices {
            let gfn = gfns[place]
            numbers.append(leaf(of: gfn >> 6) &+ Int(gfn & 63))
        }
        guard Self.follow(&numbers, into: leaves) else { return }
        for place in numbers.indices where numbers[place] == Int(Self.absent) { numbers[place] = insert(gfns[place]) }
    }

    /// Replaces places by what lies there. - Returns: whether something is absent.
    private static func follow(_ places: inout [Int], into leaves: [UInt32]) -> Bool {
        let leaves = leaves.span
        var places = places.mutableSpan
        var isAbsent = false
        for index in places.indices {
            let number = leaves[places[index]]
            isAbsent = isAbsent || number == absent
            places[index] = Int(number)
        }
        return isAbsent
    }

    /// The number of `gfn`, or nil if it was not met.
    package func find(_ gfn: GFN) -> Int? {
        let key = gfn >> 6
        if key < Self.nearKeys {
            guard key < near.count, near[Int(key)] != Self.absent else { return nil }
            let number = leaves[Int(near[Int(key)]) * 64 + Int(gfn & 63)]
            return number == Self.absent ? nil : Int(number)
        }
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
        if key < near.count {
            let leaf = near[Int(key)]
            return leaf == Self.absent ? addNearLeaf(key) : Int(leaf) &* 64
        }
        return key < Self.nearKeys ? addNearLeaf(key) : hashedLeaf(of: key)
    }

    @usableFromInline @inline(never)
    mutating func addNearLeaf(_ key: UInt64) -> Int {
        if key >= near.count {
            let wanted = max(1024, Int(key + 1), min(near.count * 2, Int(Self.nearKeys)))
            near.append(contentsOf: repeatElement(Self.absent, count: wanted - near.count))
        }
        near[Int(key)] = UInt32(leafCount)
        return addLeaf()
    }

    @usableFromInline
    mutating func hashedLeaf(of key: UInt64) -> Int {
        var slot = Self.hash(key) & mask
        while keys[slot] != key {
            if keys[slot] == Self.emptyKey { return addHashedLeaf(key, at: slot) }
            slot = (slot &+ 1) & mask
        }
        return Int(leafOfKey[slot]) &* 64
    }

    private mutating func addLeaf() -> Int {
        leaves.append(contentsOf: repeatElement(Self.absent, count: 64))
        leafCount += 1
        return (leafCount - 1) * 64
    }

    @usableFromInline @inline(never)
    mutating func addHashedLeaf(_ key: UInt64, at slot: Int) -> Int {
        keys[slot] = key
        leafOfKey[slot] = UInt32(leafCount)
        hashedCount += 1
        if hashedCount * 2 > keys.count { grow() }
        return addLeaf()
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
