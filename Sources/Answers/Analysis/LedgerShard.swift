import CPrefetch
import Model

/// What is known of one page. 28 bytes, so that an entry costs one cache line.
struct PageState: Sendable {
    /// Iteration of the first and the latest dirtying; iterations count from 1, 0 is never.
    var firstIteration: UInt32 = 0
    var lastIteration: UInt32 = 0
    /// Iterations in which the page was dirtied.
    var iterations: UInt32 = 0
    /// Entries beyond the first of an iteration.
    var repeats: UInt32 = 0
    /// Iterations in which more than one ring reported the page.
    var sharedIterations: UInt32 = 0
    /// Who reported it in the latest iteration.
    var reports = PageReports()
    /// Of how many harvests from ``HarvestWhatIf`` on, finest first, the latest iteration is the first with this page.
    var freshness: UInt8 = 0
}

/// What the shards of pages must know of a harvest.
struct LedgerStep: Sendable {
    var ring: UInt16
    var epoch: UInt16
    /// Whether it is of the VMM's own log.
    var isVMM: Bool
    /// Whether first touches of pages are to be told.
    var tellsFirsts: Bool
    var iteration: UInt32
    /// Where the row of its group of iterations begins in ``LedgerTally/rows``.
    var row: Int
}

/// What a harvest adds.
struct HarvestTally: Sendable {
    var counts = DuplicateCounts()
    /// Pages that were never seen before.
    var newPages: Int64 = 0
    /// By freshness: the first entry of each page in this iteration,
    var firsts = HarvestWhatIf.ByFreshness(repeating: 0)
    /// and the others, provisional duplicates left out.
    var repeats = HarvestWhatIf.ByFreshness(repeating: 0)

    static func += (left: inout Self, right: borrowing Self) {
        left.counts += right.counts
        left.newPages += right.newPages
        for place in left.firsts.indices {
            left.firsts[place] += right.firsts[place]
            left.repeats[place] += right.repeats[place]
        }
    }
}

/// What one worker adds up over the shards that it takes.
struct LedgerTally: Sendable {
    /// Pages of a harvest and shard that were never seen before, in order.
    struct Firsts: Sendable {
        var harvest: Int
        var shard: Int
        var gfns: [GFN]
    }

    // Of the batch: its harvests,
    var harvests: [HarvestTally] = []
    /// how many pages were dirtied whose previous dirtying lies in each earlier group of iterations, by ``LedgerStep/row``,
    var rows: [UInt32] = []
    /// and first touches of pages, where they are to be told.
    var firsts: [Firsts] = []

    // Of the recording: gaps[g], how often a page was dirtied again g iterations after the previous time,
    var gaps: [Int64] = []
    /// and who shares pages.
    var pairs = RingPairs()
}

/// The pages of one shard, and everything that one entry changes: the hot loop of the analysis.
///
/// Its first entries are told from repeats here and not by `DuplicateClassifier` (a test holds both equal): the same cache line
/// answers what else must be asked of a page, when it was last dirtied, and who shares it.
struct LedgerShard: PageShardState {
    private(set) var index = PageIndex(nearKeys: 1 << 16)
    private(set) var states: [PageState] = []
    private var repeats = PageRepeats()
    /// The iteration in progress, from 1.
    private var iteration: UInt32 = 0
    /// How many neighbouring iterations make a group, as a power of two.
    private var shift: UInt32 = 0
    /// Of the block in progress: page numbers, and the places of those already dirtied in this iteration.
    private var numbers: [Int] = []
    private var again: [Int] = []
    private var newlyProvisional: [Int] = []

    mutating func set(shift: UInt32) { self.shift = shift }

    mutating func take(
        _ pages: Span<GFN>, provisional: Int, of step: LedgerStep, place: Int, shard: Int,
        into tally: inout LedgerTally
    ) {
        if step.iteration != iteration {
            iteration = step.iteration
            if repeats.sharers.areMany {
                tally.pairs.add(repeats.sharers)
                repeats.sharers.removeAll()
            }
            repeats.beginIteration()
        }
        let known = index.count
        // In blocks: numbers of a block stay in the first-level cache, and growth of `states` leaves the inner loop.
        let block = 512
        var next = 0
        while next < pages.count {
            let end = min(next + block, pages.count)
            index.insert(pages.extracting(next..<end), into: &numbers)
            if states.count < index.count {
                states.append(contentsOf: repeatElement(PageState(), count: index.count - states.count))
            }
            addBlock(step, place: place, firstProvisional: pages.count - provisional - next, into: &tally)
            next = end
        }
        tally.harvests[place].counts.entries += Int64(pages.count)
        tally.harvests[place].newPages += Int64(index.count - known)
        if step.tellsFirsts, index.count > known {
            let gfns = index.gfns[known...].map { PageShard.gfn($0, in: shard) }
            tally.firsts.append(LedgerTally.Firsts(harvest: place, shard: shard, gfns: gfns))
        }
    }

    private mutating func addBlock(
        _ step: LedgerStep, place: Int, firstProvisional: Int, into tally: inout LedgerTally
    ) {
        again.removeAll(keepingCapacity: true)
        // Pages lie anywhere in memory: all of a block's are asked for before the first is needed.
        unsafe states.withUnsafeBufferPointer { states in
            for number in numbers {
                guard let state = unsafe states.baseAddress.map({ unsafe UnsafeRawPointer($0 + number) }) else {
                    return
                }
                unsafe cprefetch(state)
                unsafe cprefetch(state + MemoryLayout<PageState>.size - 1)
            }
        }
        Self.addFirsts(
            numbers, step, rings: repeats.sharers.only(step.ring), firstProvisional: firstProvisional, shift: shift,
            states: &states, rows: &tally.rows, gaps: &tally.gaps, firsts: &tally.harvests[place].firsts, again: &again,
            provisional: &newlyProvisional)
        tally.harvests[place].counts.distinct += Int64(numbers.count - again.count)
        for page in newlyProvisional { repeats.keepProvisional(page: page, ring: step.ring) }
        newlyProvisional.removeAll(keepingCapacity: true)
        // All entries of a block are of one ring, so repeats can be classified after the first entries, in order.
        for entry in again {
            addRepeat(
                page: numbers[entry], step, isProvisional: entry >= firstProvisional, into: &tally.harvests[place])
        }
    }

    /// Enters the pages that are dirtied for the first time in this iteration; leaves the places of all others in `again`, and
    /// the pages whose entry is provisional in `provisional`.
    ///
    /// A function of its own arrays, so that the loop checks uniqueness once and not at every write.
    private static func addFirsts(
        _ numbers: [Int], _ step: LedgerStep, rings: UInt32, firstProvisional: Int, shift: UInt32,
        states: inout [PageState], rows: inout [UInt32], gaps: inout [Int64],
        firsts: inout HarvestWhatIf.ByFreshness, again: inout [Int], provisional: inout [Int]
    ) {
        let numbers = numbers.span
        var states = states.mutableSpan
        var rows = rows.mutableSpan
        var gaps = gaps.mutableSpan
        let mask = (UInt32(1) << shift) - 1
        let (iteration, epoch, row) = (step.iteration, step.epoch, step.row)
        for place in numbers.indices {
            let page = numbers[place]
            let last = states[page].lastIteration
            if last == iteration {
                again.append(place)
                continue
            }
            let freshness = HarvestWhatIf.freshness(last: last, iteration: iteration)
            firsts[freshness] += 1
            states[page].lastIteration = iteration
            states[page].iterations &+= 1
            states[page].reports = PageReports(rings: rings, epoch: epoch)
            states[page].freshness = UInt8(truncatingIfNeeded: freshness)
            rows[row &+ Int((last &+ mask) >> shift)] &+= 1
            if place >= firstProvisional { provisional.append(page) }
            if last == 0 {
                states[page].firstIteration = iteration
            } else {
                gaps[Int(iteration &- last)] += 1
            }
        }
    }

    private mutating func addRepeat(
        page: Int, _ step: LedgerStep, isProvisional: Bool, into harvest: inout HarvestTally
    ) {
        states[page].repeats &+= 1
        let before = states[page].reports.rings
        let found = repeats.classify(
            page: page, ring: step.ring, epoch: step.epoch, isVMM: step.isVMM, isProvisional: isProvisional,
            in: &states[page].reports)
        if states[page].reports.rings != before, repeats.sharers.isSingle(before) {
            states[page].sharedIterations &+= 1
        }
        harvest.counts.add(found)
        if found != .provisional { harvest.repeats[Int(states[page].freshness)] += 1 }
    }

    mutating func finish(into tally: inout LedgerTally) {
        tally.pairs.add(repeats.sharers)
        (repeats, numbers, again) = (PageRepeats(), [], [])
    }
}
