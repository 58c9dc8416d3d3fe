import Model

/// For every block of guest memory that was dirtied, the iteration in which it last was; neighbours are found at once.
///
/// Blocks stand in leaves of 64, so that memory follows the blocks met: 4 bytes each where they are dense, at most 600 where
/// no two are neighbours.
struct BlockStamps: Sendable {
    private var index = PageIndex()
    private var stamps: [UInt32] = []
    private var lastKey = UInt64.max
    private var lastLeaf = 0

    /// Enters blocks of a harvest that are dirtied in `iteration`, and forgets which were fresh before.
    ///
    /// - Parameters:
    ///   - units: Blocks of a finer size, or pages; `factor` of them are one block.
    ///   - fresh: Gets each block that had not been dirtied in this iteration.
    ///   - before: Gets the iteration in which each of them was dirtied before; 0 for never.
    ///   - sides: Gets the iterations in which its two neighbours were last dirtied, if `newest` is not exceeded by `before`.
    mutating func add(
        _ units: [UInt64], factor: UInt64, iteration: UInt32, newest: UInt32, fresh: inout [UInt64],
        before: inout [UInt32],
        sides: inout [SIMD2<UInt32>]
    ) {
        fresh.removeAll(keepingCapacity: true)
        before.removeAll(keepingCapacity: true)
        sides.removeAll(keepingCapacity: true)
        let isPower = factor.nonzeroBitCount == 1
        let shift = UInt64(factor.trailingZeroBitCount)
        for unit in units {
            let block = isPower ? unit >> shift : unit / factor
            let place = place(of: block)
            let last = stamps[place]
            if last == iteration { continue }
            stamps[place] = iteration
            fresh.append(block)
            before.append(last)
            sides.append(last > newest ? .zero : neighbours(of: block, at: place))
        }
    }

    private mutating func place(of block: UInt64) -> Int {
        let key = block >> 6
        if key != lastKey {
            lastLeaf = index.insert(key) &* 64
            lastKey = key
            if lastLeaf == stamps.count { stamps.append(contentsOf: repeatElement(0, count: 64)) }
        }
        return lastLeaf &+ Int(block & 63)
    }

    private func neighbours(of block: UInt64, at place: Int) -> SIMD2<UInt32> {
        let offset = block & 63
        let left = offset > 0 ? stamps[place &- 1] : block == 0 ? 0 : stamp(of: block - 1)
        let right = offset < 63 ? stamps[place &+ 1] : block == .max ? 0 : stamp(of: block + 1)
        return SIMD2(left, right)
    }

    private func stamp(of block: UInt64) -> UInt32 {
        guard let leaf = index.find(block >> 6) else { return 0 }
        return stamps[leaf * 64 + Int(block & 63)]
    }
}
