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
    /// The rings of the latest iteration: a set in ``PageLedger/sharers``.
    var rings: UInt32 = 0
    /// Of how many harvests from ``HarvestWhatIf`` on, finest first, the latest iteration is the first with this page.
    var freshness: UInt8 = 0
    /// The epoch (`ProtectionEpochs`) of the latest entry of the ring that was the first to report it in the latest iteration.
    var epoch: UInt16 = 0
}

/// All pages, and everything that one entry changes: the hot loop of the analysis.
///
/// Classes are those of `DuplicateClassifier` (a test holds them equal); they are decided here again because the same
/// cache line answers what else must be asked of a page: when it was last dirtied, and who shares it.
struct PageLedger: Sendable {
    private struct PageRing: Hashable {
        var page: Int
        var ring: UInt16
    }

    private(set) var index = PageIndex()
    private(set) var states: [PageState] = []
    private(set) var windows = WindowTableBuilder()
    /// gaps[g]: how often a page was dirtied again g iterations after the previous time.
    private(set) var gaps: [Int64] = [0, 0]
    /// Who shares pages.
    private(set) var sharers = SharerSets()
    /// Of the harvest added last, by freshness: the first entry of each page in this iteration,
    private(set) var fresh = [Int64](repeating: 0, count: HarvestWhatIf.steps + 1)
    /// and the others, provisional duplicates left out.
    private(set) var freshRepeats = [Int64](repeating: 0, count: HarvestWhatIf.steps + 1)
    /// Counts of the iteration in progress.
    private(set) var counts = DuplicateCounts()
    /// Pages of the iteration in progress that were never seen before.
    private(set) var newPages: Int64 = 0
    /// The iteration in progress, from 1.
    private(set) var iteration: UInt32 = 1
    /// Pages of the iteration in progress whose latest entry from that ring was provisional; a few.
    private var provisional: Set<PageRing> = []
    /// Rings that were not the first to report a page in the iteration in progress: the epoch of their latest entry, where not 0.
    private var sharedEpochs: [PageRing: UInt16] = [:]
    /// Of the block in progress: page numbers, and the places of those already dirtied in this iteration.
    private var numbers: [Int] = []
    private var again: [Int] = []
    private var newlyProvisional: [Int] = []

    mutating func start(at time: Int64) { windows.start(at: time) }

    /// Ends the iteration in progress.
    mutating func endIteration(at time: Int64) {
        windows.endIteration(at: time)
        iteration += 1
        if gaps.count <= Int(iteration) { gaps.append(0) }
        counts = DuplicateCounts()
        newPages = 0
        sharers.endIteration()
        provisional.removeAll(keepingCapacity: true)
        sharedEpochs.removeAll(keepingCapacity: true)
    }

    /// Takes the entries of one harvest of ring number `ring` in its `epoch`; `isVMM` for the VMM's own log.
    mutating func add(_ gfns: [GFN], ring: Int, epoch: UInt16, isVMM: Bool, provisionalCount: Int) {
        for place in fresh.indices { (fresh[place], freshRepeats[place]) = (0, 0) }
        let ring = UInt16(truncatingIfNeeded: ring)
        // In blocks: numbers of a block stay in the first-level cache, and growth of `states` leaves the inner loop.
        let block = 512
        var next = 0
        while next < gfns.count {
            let end = min(next + block, gfns.count)
            index.insert(gfns.span.extracting(next..<end), into: &numbers)
            if states.count < index.count {
                states.append(contentsOf: repeatElement(PageState(), count: index.count - states.count))
            }
            let firstProvisional = gfns.count - provisionalCount - next
            addBlock(ring: ring, epoch: epoch, isVMM: isVMM, firstProvisional: firstProvisional)
            next = end
        }
        counts.entries += Int64(gfns.count)
    }

    private mutating func addBlock(ring: UInt16, epoch: UInt16, isVMM: Bool, firstProvisional: Int) {
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
        let found = Self.addFirsts(
            numbers, iteration: iteration, rings: sharers.only(ring), epoch: epoch, firstProvisional: firstProvisional,
            shift: windows.shift,
            states: &states, row: &windows.row, gaps: &gaps, fresh: &fresh, again: &again,
            provisional: &newlyProvisional)
        counts.distinct += found.distinct
        newPages += found.new
        for page in newlyProvisional { provisional.insert(PageRing(page: page, ring: ring)) }
        newlyProvisional.removeAll(keepingCapacity: true)
        // All entries of a block are of one ring, so repeats can be classified after the first entries, in order.
        for place in again {
            addRepeat(
                page: numbers[place], ring: ring, epoch: epoch, isVMM: isVMM, isProvisional: place >= firstProvisional)
        }
    }

    /// Enters the pages that are dirtied for the first time in this iteration; leaves the places of all others in `again`, and
    /// the pages whose entry is provisional in `provisional`.
    ///
    /// A function of its own arrays, so that the loop checks uniqueness once and not at every write.
    private static func addFirsts(
        _ numbers: [Int], iteration: UInt32, rings: UInt32, epoch: UInt16, firstProvisional: Int, shift: UInt32,
        states: inout [PageState], row: inout [UInt32], gaps: inout [Int64], fresh: inout [Int64], again: inout [Int],
        provisional: inout [Int]
    ) -> (distinct: Int64, new: Int64) {
        let numbers = numbers.span
        var states = states.mutableSpan
        var row = row.mutableSpan
        var gaps = gaps.mutableSpan
        var fresh = fresh.mutableSpan
        let mask = (UInt32(1) << shift) - 1
        var new: Int64 = 0
        let repeatsBefore = again.count
        for place in numbers.indices {
            let page = numbers[place]
            let last = states[page].lastIteration
            if last == iteration {
                again.append(place)
                continue
            }
            let freshness = HarvestWhatIf.freshness(last: last, iteration: iteration)
            fresh[freshness] += 1
            states[page].lastIteration = iteration
            states[page].iterations &+= 1
            states[page].rings = rings
            states[page].epoch = epoch
            states[page].freshness = UInt8(truncatingIfNeeded: freshness)
            row[Int((last &+ mask) >> shift)] &+= 1
            if place >= firstProvisional { provisional.append(page) }
            if last == 0 {
                states[page].firstIteration = iteration
                new += 1
            } else {
                gaps[Int(iteration &- last)] += 1
            }
        }
        return (Int64(numbers.count - (again.count - repeatsBefore)), new)
    }

    private mutating func addRepeat(page: Int, ring: UInt16, epoch: UInt16, isVMM: Bool, isProvisional: Bool) {
        states[page].repeats &+= 1
        let before = states[page].rings
        let after = sharers.adding(ring, to: before)
        let isSameRing = after == before
        if !isSameRing {
            states[page].rings = after
            if sharers.isSingle(before) { states[page].sharedIterations &+= 1 }
        }
        let isRedirtied = changeEpoch(of: page, ring: ring, to: epoch, rings: before)
        // Looked up only where there is any: a harvest has one provisional entry at most, unless a file lies.
        let wasProvisional =
            isSameRing && !provisional.isEmpty && provisional.remove(PageRing(page: page, ring: ring)) != nil
        if isProvisional { provisional.insert(PageRing(page: page, ring: ring)) }
        if isVMM {
            counts.vmm += 1
        } else if !isSameRing {
            counts.crossRing += 1
        } else if wasProvisional {
            counts.provisional += 1
            return
        } else if isRedirtied {
            counts.redirtied += 1
        } else {
            counts.sameRing += 1
        }
        freshRepeats[Int(states[page].freshness)] += 1
    }

    /// Which of `gfns`, the harvest added last, were met for the first time, when `before` pages were known before it.
    func firstTouches(_ gfns: [GFN], before: Int) -> FaultPlaces {
        let count = index.count - before
        if count == 0 { return .none }
        if count == gfns.count { return .all(count) }
        // Numbers are given in the order of first touches.
        var next = before
        return .some(
            gfns.map { gfn in
                guard index.find(gfn) == next else { return false }
                next += 1
                return true
            }, count)
    }

    /// Remembers the epoch of a ring's entry of a page that `rings` have reported in this iteration, this one perhaps too.
    ///
    /// - Returns: whether the ring's entry before was of another epoch; without one, whether this one's is not 0.
    private mutating func changeEpoch(of page: Int, ring: UInt16, to epoch: UInt16, rings: UInt32) -> Bool {
        // Most recordings know no other epoch than 0.
        if epoch == 0, states[page].epoch == 0, sharedEpochs.isEmpty { return false }
        if sharers.first(of: rings) == ring {
            defer { states[page].epoch = epoch }
            return states[page].epoch != epoch
        }
        let key = PageRing(page: page, ring: ring)
        let before = sharedEpochs[key] ?? 0
        if epoch != before { sharedEpochs[key] = epoch }
        return before != epoch
    }

    mutating func finish() { sharers.countPairs() }
}
