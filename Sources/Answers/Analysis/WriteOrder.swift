import Model

/// Which entries of a harvest are the first touch of their page, and so were logged by a page fault.
enum FaultPlaces {
    case none
    case all(Int)
    /// One element an entry, and how many are true.
    case some([Bool], Int)

    var count: Int {
        switch self {
        case .none: 0
        case .all(let count): count
        case .some(_, let count): count
        }
    }
    func contains(_ place: Int) -> Bool {
        switch self {
        case .none: false
        case .all: true
        case .some(let places, _): places[place]
        }
    }
}

/// Gives entries of a host that reverses its PML batches back their order of writing (question O2).
///
/// Where batches begin and end is not recorded, but a guest that walks over its memory shows it: a batch stands as a run
/// against the direction of the walk, and the next one begins beyond all of it. Such a run of at most 512 entries, of which it or its
/// neighbour has at least 8, is taken for one batch and turned round. So is a run of exactly 512, and a harvest that is one run
/// when an exit of the vCPU had emptied the CPU's log before and after. First touches are page faults: they stand in order, and an
/// exit precedes each. Everything else keeps its place and counts as not proven.
package struct WriteOrder: Sendable {
    private let host: PushOrder
    private let faultsOnFirstTouch: Bool
    private var seen = PageIndex()
    /// Entries whose place is proven so far.
    package private(set) var proven: Int64 = 0
    /// Entries so far, of rings.
    package private(set) var entries: Int64 = 0

    /// For harvests of a recording, in order. `order` is what the analysis says of it.
    package init(_ info: RecordingInfo, _ order: Order) {
        let isReversed = order.rings.contains { $0.verdict == .reversedBatches }
        host = order.host == .unknown ? (isReversed ? .reversedBatches : .unknown) : order.host
        faultsOnFirstTouch = order.host == .reversedBatches && Self.faultsOnFirstTouch(info)
    }

    /// A guest of our own begins with memory that nobody touched; of others nobody knows.
    static func faultsOnFirstTouch(_ info: RecordingInfo) -> Bool {
        ["builtin", "image", "linux"].contains(info.guestKind)
    }

    /// The places of a harvest's entries in the order in which they were written.
    package mutating func places(_ harvest: Harvest, gfns: [GFN]) -> [Int] {
        guard harvest.vcpu != nil else { return Array(gfns.indices) }
        entries += Int64(gfns.count)
        guard host == .reversedBatches else {
            if host == .written { proven += Int64(gfns.count) }
            return Array(gfns.indices)
        }
        var faults = FaultPlaces.none
        if faultsOnFirstTouch {
            let places = gfns.map { gfn in
                let before = seen.count
                return seen.insert(gfn) == before
            }
            faults = .some(places, places.reduce(0) { $0 + ($1 ? 1 : 0) })
        }
        let result = Self.restored(gfns, faults: faults, endsAreKnown: harvest.cause != .periodic)
        proven += Int64(result.proven)
        return result.places
    }

    static func restored(_ gfns: [GFN], faults: FaultPlaces, endsAreKnown: Bool) -> (places: [Int], proven: Int) {
        var places = Array(gfns.indices)
        if faults.count == gfns.count { return (places, gfns.count) }
        var proven = 0
        var next = 0
        while next < gfns.count {
            if faults.contains(next) {
                proven += 1
                next += 1
                continue
            }
            var end = next + 1
            while end < gfns.count, !faults.contains(end) { end += 1 }
            let isWhole = (next > 0 || endsAreKnown) && (end < gfns.count || endsAreKnown)
            proven += turn(next..<end, of: gfns, endsAreKnown: isWhole, &places)
            next = end
        }
        return (places, proven)
    }

    /// Turns the batches of `range` round. - Returns: how many entries they hold.
    private static func turn(_ range: Range<Int>, of gfns: [GFN], endsAreKnown: Bool, _ places: inout [Int]) -> Int {
        var (ascents, descents) = (0, 0)
        for place in range.dropFirst() {
            ascents += gfns[place] > gfns[place - 1] ? 1 : 0
            descents += gfns[place] < gfns[place - 1] ? 1 : 0
        }
        let isDescending = descents >= ascents
        let runs = runs(gfns, range, isDescending: isDescending)
        func fits(_ one: Int, _ other: Int) -> Bool {
            guard one >= 0, other < runs.count,
                max(runs[one].count, runs[other].count) >= RingOrder.meaningfulRun
            else { return false }
            // The next batch was written wholly beyond this one, in the direction against which both stand.
            let (end, begin) = (gfns[runs[one].lowerBound], gfns[runs[other].upperBound - 1])
            return isDescending ? begin > end : begin < end
        }
        var turned = 0
        for (number, run) in runs.enumerated() where run.count <= RingLimits.pmlBatch {
            let isBatch =
                run.count == RingLimits.pmlBatch || fits(number - 1, number) || fits(number, number + 1)
                || (runs.count == 1 && endsAreKnown)
            if !isBatch { continue }
            turned += run.count
            for (offset, place) in run.enumerated() { places[place] = run.upperBound - 1 - offset }
        }
        return turned
    }

    /// Maximal strictly monotone runs of the entries in `range`.
    static func runs(_ gfns: [GFN], _ range: Range<Int>, isDescending: Bool) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var begin = range.lowerBound
        for place in range.dropFirst() {
            let goesOn = isDescending ? gfns[place] < gfns[place - 1] : gfns[place] > gfns[place - 1]
            if goesOn { continue }
            runs.append(begin..<place)
            begin = place
        }
        if begin < range.upperBound { runs.append(begin..<range.upperBound) }
        return runs
    }
}
