/// Gives every GFN that it meets a small number, 0, 1, 2 …, so that per-page state can live in plain arrays.
///
/// A directory leads from a group of 64 neighbouring GFNs to its leaf: an array for the first 256 GiB of 4 KiB pages, a hash table
/// beyond. A leaf of more than 8 pages is an array of 64 numbers; one of fewer keeps a bit a page, and the numbers of those that
/// are there in order. Memory follows the pages met, wherever they lie: near 4 bytes a page when they are dense, at most 60 when no
/// two are neighbours, and 4 MiB besides; and 8 bytes for the GFN.
@frozen package struct PageIndex: Sendable {
    @inlinable static var absent: UInt32 { .max }
    /// Tells small leaves from whole ones, in the directory.
    @inlinable static var small: UInt32 { 1 << 31 }
    @inlinable static var emptyKey: UInt64 { .max }
    /// The most pages in a small leaf.
    @inlinable static var mostSmall: Int { 8 }

    @usableFromInline @frozen struct SmallLeaf: Sendable {
        /// A bit for each page that is there.
        @usableFromInline var mask: UInt64 = 0
        /// Where its numbers begin in `smallNumbers`, and for how many there is room.
        @usableFromInline var place: UInt32 = 0
        @usableFromInline var room: UInt32 = 0
    }

    /// Groups that the array may hold.
    @usableFromInline let nearKeys: UInt64
    /// Leaves by group, as far as groups were met.
    @usableFromInline var near: [UInt32] = []
    @usableFromInline var keys: [UInt64]
    @usableFromInline var leafOfKey: [UInt32]
    @usableFromInline var leaves: [UInt32] = []
    @usableFromInline var leafCount = 0
    @usableFromInline var smallLeaves: [SmallLeaf] = []
    @usableFromInline var freeLeaves: [UInt32] = []
    @usableFromInline var smallNumbers: [UInt32] = []
    /// Places that were given up, by the logarithm of their room.
    @usableFromInline var freePlaces = [[UInt32]](repeating: [], count: 4)
    @usableFromInline var hashedCount = 0
    @usableFromInline var mask: Int
    @usableFromInline var lastKey = UInt64.max
    @usableFromInline var lastLeaf: UInt32 = 0

    @usableFromInline var numbered: [GFN] = []

    /// GFNs in the order of their numbers.
    @inlinable package var gfns: [GFN] { numbered }

    /// An index without pages.
    ///
    /// - Parameter nearKeys: Groups of 64 GFNs that are looked up without hashing: up to 4 bytes each.
    package init(nearKeys: UInt64 = 1 << 20) {
        self.nearKeys = nearKeys
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
        if lastLeaf & Self.small != 0 { return insertSmall(gfn) }
        return insertWhole(gfn)
    }

    /// The page lies in the last leaf, which is a whole one.
    @inlinable @inline(__always)
    mutating func insertWhole(_ gfn: GFN) -> Int {
        let place = Int(lastLeaf) &* 64 &+ Int(gfn & 63)
        let number = leaves[place]
        if number != Self.absent { return Int(number) }
        let new = numbered.count
        leaves[place] = UInt32(new)
        numbered.append(gfn)
        return new
    }

    /// The page lies in the last leaf, which is a small one.
    @usableFromInline
    mutating func insertSmall(_ gfn: GFN) -> Int {
        let leaf = Int(lastLeaf & ~Self.small)
        var (mask, bit) = (smallLeaves[leaf].mask, UInt64(1) << (gfn & 63))
        let rank = (mask & (bit - 1)).nonzeroBitCount
        if mask & bit != 0 { return Int(smallNumbers[Int(smallLeaves[leaf].place) + rank]) }
        let count = mask.nonzeroBitCount
        if count == Self.mostSmall {
            makeWhole(leaf)
            return insertWhole(gfn)
        }
        if count == smallLeaves[leaf].room { makeRoom(leaf, for: count) }
        var place = Int(smallLeaves[leaf].place) + count
        for _ in rank..<count {
            smallNumbers[place] = smallNumbers[place - 1]
            place -= 1
        }
        let new = numbered.count
        smallNumbers[place] = UInt32(new)
        mask |= bit
        smallLeaves[leaf].mask = mask
        numbered.append(gfn)
        return new
    }

    /// Doubles the room of a small leaf that is full.
    private mutating func makeRoom(_ leaf: Int, for count: Int) {
        let old = Int(smallLeaves[leaf].place)
        let room = max(2, count * 2)
        let new: Int
        if let free = freePlaces[room.trailingZeroBitCount].popLast() {
            new = Int(free)
        } else {
            new = smallNumbers.count
            smallNumbers.append(contentsOf: repeatElement(Self.absent, count: room))
        }
        for place in 0..<count { smallNumbers[new + place] = smallNumbers[old + place] }
        if count > 0 { freePlaces[count.trailingZeroBitCount].append(UInt32(old)) }
        (smallLeaves[leaf].place, smallLeaves[leaf].room) = (UInt32(new), UInt32(room))
    }

    /// Turns the last leaf, a small one that is full, into a whole one.
    private mutating func makeWhole(_ small: Int) {
        let whole = leafCount
        leaves.append(contentsOf: repeatElement(Self.absent, count: 64))
        leafCount += 1
        var rest = smallLeaves[small].mask
        var place = Int(smallLeaves[small].place)
        freePlaces[Self.mostSmall.trailingZeroBitCount].append(UInt32(place))
        while rest != 0 {
            leaves[whole * 64 + rest.trailingZeroBitCount] = smallNumbers[place]
            place += 1
            rest &= rest - 1
        }
        smallLeaves[small] = SmallLeaf()
        freeLeaves.append(UInt32(small))
        lastLeaf = UInt32(whole)
        if lastKey < near.count { near[Int(lastKey)] = lastLeaf } else { leafOfKey[slot(of: lastKey)] = lastLeaf }
    }

    /// Replaces what `numbers` holds by the numbers of `gfns`, in order. Faster than one by one, because the CPU can wait
    /// for many cache lines at once.
    package mutating func insert(_ gfns: Span<GFN>, into numbers: inout [Int]) {
        numbers.removeAll(keepingCapacity: true)
        for place in gfns.indices {
            let gfn = gfns[place]
            let leaf = leaf(of: gfn >> 6)
            numbers.append(leaf & Self.small != 0 ? -1 : Int(leaf) &* 64 &+ Int(gfn & 63))
        }
        guard Self.follow(&numbers, into: leaves) else { return }
        for place in numbers.indices where numbers[place] == Int(Self.absent) { numbers[place] = insert(gfns[place]) }
    }

    /// Replaces places by what lies there. - Returns: whether something is absent, or was not looked for.
    private static func follow(_ places: inout [Int], into leaves: [UInt32]) -> Bool {
        let leaves = leaves.span
        var places = places.mutableSpan
        var isAbsent = false
        for index in places.indices {
            let number = places[index] < 0 ? absent : leaves[places[index]]
            isAbsent = isAbsent || number == absent
            places[index] = Int(number)
        }
        return isAbsent
    }

    /// The number of `gfn`, or nil if it was not met.
    @inlinable
    package func find(_ gfn: GFN) -> Int? {
        let key = gfn >> 6
        var leaf = Self.absent
        if key < nearKeys {
            if key < near.count { leaf = near[Int(key)] }
        } else {
            let slot = slot(of: key)
            if keys[slot] == key { leaf = leafOfKey[slot] }
        }
        if leaf == Self.absent { return nil }
        if leaf & Self.small != 0 {
            let (small, bit) = (smallLeaves[Int(leaf & ~Self.small)], UInt64(1) << (gfn & 63))
            guard small.mask & bit != 0 else { return nil }
            return Int(smallNumbers[Int(small.place) + (small.mask & (bit - 1)).nonzeroBitCount])
        }
        let number = leaves[Int(leaf) * 64 + Int(gfn & 63)]
        return number == Self.absent ? nil : Int(number)
    }

    @inlinable @inline(__always)
    static func hash(_ key: UInt64) -> Int {
        // Fibonacci hashing: neighbouring keys spread over the table.
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }

    @inlinable @inline(__always)
    mutating func leaf(of key: UInt64) -> UInt32 {
        if key < near.count {
            let leaf = near[Int(key)]
            return leaf == Self.absent ? addNearLeaf(key) : leaf
        }
        return key < nearKeys ? addNearLeaf(key) : hashedLeaf(of: key)
    }

    @usableFromInline @inline(never)
    mutating func addNearLeaf(_ key: UInt64) -> UInt32 {
        if key >= near.count {
            let wanted = min(max(1024, Int(key + 1), near.count * 2), Int(nearKeys))
            near.append(contentsOf: repeatElement(Self.absent, count: wanted - near.count))
        }
        let leaf = addLeaf()
        near[Int(key)] = leaf
        return leaf
    }

    /// Where the key stands in the hash table, or else where it would.
    @inlinable
    func slot(of key: UInt64) -> Int {
        var slot = Self.hash(key) & mask
        while keys[slot] != key, keys[slot] != Self.emptyKey { slot = (slot &+ 1) & mask }
        return slot
    }

    @usableFromInline
    mutating func hashedLeaf(of key: UInt64) -> UInt32 {
        let slot = slot(of: key)
        return keys[slot] == key ? leafOfKey[slot] : addHashedLeaf(key, at: slot)
    }

    /// A small leaf without pages.
    private mutating func addLeaf() -> UInt32 {
        if let free = freeLeaves.popLast() { return Self.small | free }
        smallLeaves.append(SmallLeaf())
        return Self.small | UInt32(smallLeaves.count - 1)
    }

    @usableFromInline @inline(never)
    mutating func addHashedLeaf(_ key: UInt64, at slot: Int) -> UInt32 {
        let leaf = addLeaf()
        keys[slot] = key
        leafOfKey[slot] = leaf
        hashedCount += 1
        if hashedCount * 3 > keys.count * 2 { grow() }
        return leaf
    }

    private mutating func grow() {
        let oldKeys = keys
        let oldLeaves = leafOfKey
        let capacity = oldKeys.count * 2
        keys = [UInt64](repeating: Self.emptyKey, count: capacity)
        leafOfKey = [UInt32](repeating: 0, count: capacity)
        mask = capacity - 1
        for (key, leaf) in zip(oldKeys, oldLeaves) where key != Self.emptyKey {
            let slot = slot(of: key)
            keys[slot] = key
            leafOfKey[slot] = leaf
        }
    }
}
