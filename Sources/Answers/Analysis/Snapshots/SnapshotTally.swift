import Model

/// Diffs at one cadence: when they end, and what they hold in blocks of each size.
struct SnapshotCadence: Sendable {
    let cadenceNs: Int64
    /// Multiples of the cadence that had passed by then.
    private var passed: Int64 = 0
    private var sinceNs: Int64 = 0
    private(set) var length = Sample()

    init(_ cadenceNs: Int64) { self.cadenceNs = cadenceNs }

    mutating func begin(at time: Int64) { sinceNs = time }

    /// Whether a snapshot is taken when an iteration ends at `time`, in a recording that began at `origin`.
    mutating func endIteration(at time: Int64, origin: Int64) -> Bool {
        let now = (time - origin) / cadenceNs
        guard now > passed else { return false }
        length.add(time - sinceNs)
        (passed, sinceNs) = (now, time)
        return true
    }
}

/// The complete diffs of one cadence in blocks of one size.
struct SnapshotTally: Sendable {
    /// One diff.
    struct Diff {
        var blocks: Int64 = 0
        /// Pairs of neighbouring blocks, both in it: so many fewer extents.
        var joins: Int64 = 0
        /// Its blocks, where gaps are to be closed.
        var list: [UInt64] = []
    }

    private(set) var totalBlocks: Int64 = 0
    private(set) var totalExtents: Int64 = 0
    private(set) var size = Sample()
    private(set) var pause = Sample()
    private(set) var first: Int64?
    private(set) var rebaseEvery: Int64?
    private(set) var dearer: Int64 = 0
    private(set) var extentBytes: (least: Double, most: Double)?
    private(set) var chain: [(diffs: Int64, bytes: Int64, extents: Int64)] = []

    /// A snapshot is taken.
    mutating func add(_ diff: Diff, block: Int64, options: SnapshotOptions, full: (bytes: Int64, ns: Int64)) {
        var (extents, clean) = (diff.blocks - diff.joins, Int64(0))
        if options.coalesce > 0 {
            (extents, clean) = Self.coalesced(diff.list, reach: UInt64(options.coalesce / block))
        }
        let bytes = (diff.blocks + clean) * block
        let ns = options.cost.nanoseconds(bytes: bytes, extents: extents)
        size.add(bytes)
        pause.add(ns)
        first = first ?? bytes
        totalBlocks += diff.blocks
        totalExtents += extents
        if ns > full.ns { dearer += 1 }
        if rebaseEvery == nil, full.bytes > 0, size.sum >= full.bytes { rebaseEvery = size.count }
        if extents > 0 {
            let mean = Double(bytes) / Double(extents)
            extentBytes = (min(extentBytes?.least ?? mean, mean), max(extentBytes?.most ?? mean, mean))
        }
        if Self.isRound(size.count) { chain.append((size.count, size.sum, totalExtents)) }
    }

    /// Extents of the blocks when clean gaps of at most `reach` blocks are written too, and the blocks of those gaps.
    private static func coalesced(_ list: [UInt64], reach: UInt64) -> (extents: Int64, clean: Int64) {
        let list = list.sorted()
        guard var last = list.first else { return (0, 0) }
        var (extents, clean) = (Int64(1), Int64(0))
        for block in list.dropFirst() {
            let gap = block - last - 1
            if gap > reach { extents += 1 } else { clean += Int64(gap) }
            last = block
        }
        return (extents, clean)
    }

    /// 1, 2, 5, 10, 20, 50 …
    private static func isRound(_ count: Int64) -> Bool {
        var rest = count
        while rest % 10 == 0 { rest /= 10 }
        return rest == 1 || rest == 2 || rest == 5
    }
}
