import Model

/// Diffs at one cadence: when they end, and what they hold in blocks of each size.
struct SnapshotCadence: Sendable {
    let cadenceNs: Int64
    /// The iteration with which the diff in progress began; iterations after it belong to it.
    private(set) var start: UInt32 = 0
    /// Multiples of the cadence that had passed by then.
    private var passed: Int64 = 0
    private var sinceNs: Int64 = 0
    private(set) var length = Sample()

    init(_ cadenceNs: Int64) { self.cadenceNs = cadenceNs }

    mutating func begin(at time: Int64) { sinceNs = time }

    /// Whether a snapshot is taken when an iteration ends at `time`, in a recording that began at `origin`.
    mutating func endIteration(_ iteration: UInt32, at time: Int64, origin: Int64) -> Bool {
        let now = (time - origin) / cadenceNs
        guard now > passed else { return false }
        length.add(time - sinceNs)
        (start, passed, sinceNs) = (iteration, now, time)
        return true
    }
}

/// The diffs of one cadence in blocks of one size: one in progress, and what is known of those before.
struct SnapshotTally: Sendable {
    // The diff in progress.
    var blocks: Int64 = 0
    /// Pairs of neighbouring blocks, both in it: so many fewer extents.
    var joins: Int64 = 0
    /// Its blocks, where gaps are to be closed.
    var list: [UInt64] = []

    // Those that are complete.
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
    mutating func endDiff(block: Int64, options: SnapshotOptions, full: (bytes: Int64, ns: Int64)) {
        var (extents, clean) = (blocks - joins, Int64(0))
        if options.coalesce > 0 { (extents, clean) = Self.coalesced(&list, reach: UInt64(options.coalesce / block)) }
        let bytes = (blocks + clean) * block
        let ns = options.cost.nanoseconds(bytes: bytes, extents: extents)
        size.add(bytes)
        pause.add(ns)
        first = first ?? bytes
        totalBlocks += blocks
        totalExtents += extents
        if ns > full.ns { dearer += 1 }
        if rebaseEvery == nil, full.bytes > 0, size.sum >= full.bytes { rebaseEvery = size.count }
        if extents > 0 {
            let mean = Double(bytes) / Double(extents)
            extentBytes = (min(extentBytes?.least ?? mean, mean), max(extentBytes?.most ?? mean, mean))
        }
        if Self.isRound(size.count) { chain.append((size.count, size.sum, totalExtents)) }
        (blocks, joins) = (0, 0)
        list.removeAll(keepingCapacity: true)
    }

    /// Extents of the blocks when clean gaps of at most `reach` blocks are written too, and the blocks of those gaps.
    private static func coalesced(_ list: inout [UInt64], reach: UInt64) -> (extents: Int64, clean: Int64) {
        guard var last = list.min() else { return (0, 0) }
        list.sort()
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
