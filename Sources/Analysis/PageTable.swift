import CPrefetch
import TraceModel

/// What is known of one page. 28 bytes, so that an entry costs one cache line.
struct PageState: Sendable {
    /// Tick of the first and the latest dirtying; ticks count from 1, 0 is never.
    var firstTick: UInt32 = 0
    var lastTick: UInt32 = 0
    /// Ticks in which the page was dirtied.
    var ticks: UInt32 = 0
    /// Entries beyond the first of a tick.
    var repeats: UInt32 = 0
    /// Ticks in which more than one ring reported the page.
    var sharedTicks: UInt32 = 0
    /// Further rings of the latest tick: a list in ``PageTable/sharers``.
    var sharers: UInt32 = PageTable.none
    /// The first ring of the latest tick, and whether its last entry was provisional.
    var ring: UInt16 = 0
    var provisional = false
}

/// All pages, and everything that one entry changes: the hot loop of the analysis.
///
/// Classes are those of `DuplicateClassifier` (a test holds them equal); they are decided here again because the same
/// cache line answers what else must be asked of a page: when it was last dirtied, and who shares it.
struct PageTable: Sendable {
    static let none = UInt32.max
    /// Rings beyond this many are not told apart in the sharing matrix.
    static let matrixRings = 512

    /// One more ring that reported a page in the tick in progress.
    private struct Sharer {
        var ring: UInt16
        var provisional: Bool
        var next: UInt32
    }

    private(set) var index = PageIndex()
    private(set) var states: [PageState] = []
    private(set) var windows = WindowTableBuilder()
    /// gaps[g]: how often a page was dirtied again g ticks after the previous time.
    private(set) var gaps: [Int64] = [0, 0]
    /// pairs[b(b−1)/2 + a], a < b: pages reported by both rings in one tick, summed over ticks.
    private(set) var pairs: [Int64] = []
    /// Counts of the tick in progress.
    private(set) var counts = DuplicateCounts()
    /// Pages of the tick in progress that were never seen before.
    private(set) var newPages: Int64 = 0
    /// The tick in progress, from 1.
    private(set) var tick: UInt32 = 1
    private var sharers: [Sharer] = []
    /// Of the block in progress: page numbers, and the places of those already dirtied in this tick.
    private var numbers: [Int] = []
    private var again: [Int] = []

    /// Sets when the first tick began.
    mutating func start(at time: Int64) { windows.start(at: time) }

    /// Ends the tick in progress.
    mutating func endTick(at time: Int64) {
        windows.endTick(at: time)
        tick += 1
        if gaps.count <= Int(tick) { gaps.append(0) }
        counts = DuplicateCounts()
        newPages = 0
        sharers.removeAll(keepingCapacity: true)
    }

    /// Takes the entries of one harvest of ring number `ring`; `isVMM` for the VMM's own log.
    mutating func add(_ gfns: [GFN], ring: Int, isVMM: Bool, provisionalCount: Int) {
        if ring > 0, ring < Self.matrixRings, pairs.count < ring * (ring + 1) / 2 {
            pairs.append(contentsOf: repeatElement(0, count: ring * (ring + 1) / 2 - pairs.count))
        }
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
            addBlock(ring: ring, isVMM: isVMM, firstProvisional: firstProvisional)
            next = end
        }
        counts.entries += Int64(gfns.count)
    }

    private mutating func addBlock(ring: Int, isVMM: Bool, firstProvisional: Int) {
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
            numbers, tick: tick, ring: UInt16(truncatingIfNeeded: ring), firstProvisional: firstProvisional,
            shift: windows.shift, states: &states, row: &windows.row, gaps: &gaps, again: &again)
        counts.distinct += found.distinct
        newPages += found.new
        // All entries of a block are of one ring, so repeats can be classified after the first entries, in order.
        for place in again {
            addRepeat(
                page: numbers[place], ring: UInt16(truncatingIfNeeded: ring), isVMM: isVMM,
                provisional: place >= firstProvisional)
        }
    }

    /// Enters the pages that are dirtied for the first time in this tick; leaves the places of all others in `again`.
    ///
    /// A function of its own arrays, so that the loop checks uniqueness once and not at every write.
    private static func addFirsts(
        _ numbers: [Int], tick: UInt32, ring: UInt16, firstProvisional: Int, shift: UInt32,
        states: inout [PageState], row: inout [UInt32], gaps: inout [Int64], again: inout [Int]
    ) -> (distinct: Int64, new: Int64) {
        let numbers = numbers.span
        var states = states.mutableSpan
        var row = row.mutableSpan
        var gaps = gaps.mutableSpan
        let mask = (UInt32(1) << shift) - 1
        var new: Int64 = 0
        let repeatsBefore = again.count
        for place in numbers.indices {
            let page = numbers[place]
            let last = states[page].lastTick
            if last == tick {
                again.append(place)
                continue
            }
            states[page].lastTick = tick
            states[page].ticks &+= 1
            states[page].sharers = none
            states[page].ring = ring
            states[page].provisional = place >= firstProvisional
            row[Int((last &+ mask) >> shift)] &+= 1
            if last == 0 {
                states[page].firstTick = tick
                new += 1
            } else {
                gaps[Int(tick &- last)] += 1
            }
        }
        return (Int64(numbers.count - (again.count - repeatsBefore)), new)
    }

    private mutating func addRepeat(page: Int, ring: UInt16, isVMM: Bool, provisional: Bool) {
        states[page].repeats &+= 1
        var wasProvisional: Bool?
        if states[page].ring == ring {
            wasProvisional = states[page].provisional
            states[page].provisional = provisional
        } else {
            wasProvisional = share(page: page, ring: ring, provisional: provisional)
        }
        if isVMM {
            counts.vmm += 1
        } else if let wasProvisional {
            if wasProvisional { counts.provisional += 1 } else { counts.sameRing += 1 }
        } else {
            counts.crossRing += 1
        }
    }

    /// Notes that `ring`, which is not the page's first, reported it; returns whether its last entry was provisional,
    /// nil when this is its first one.
    private mutating func share(page: Int, ring: UInt16, provisional: Bool) -> Bool? {
        var sharer = states[page].sharers
        while sharer != Self.none {
            let place = Int(sharer)
            if sharers[place].ring == ring {
                let was = sharers[place].provisional
                sharers[place].provisional = provisional
                return was
            }
            sharer = sharers[place].next
        }
        if states[page].sharers == Self.none { states[page].sharedTicks &+= 1 }
        countPair(states[page].ring, ring)
        sharer = states[page].sharers
        while sharer != Self.none {
            countPair(sharers[Int(sharer)].ring, ring)
            sharer = sharers[Int(sharer)].next
        }
        sharers.append(Sharer(ring: ring, provisional: provisional, next: states[page].sharers))
        states[page].sharers = UInt32(sharers.count - 1)
        return nil
    }

    private mutating func countPair(_ one: UInt16, _ other: UInt16) {
        let high = Int(max(one, other))
        guard high < Self.matrixRings else { return }
        pairs[high * (high - 1) / 2 + Int(min(one, other))] += 1
    }

    /// Pages reported by both rings in one tick, summed over ticks. 0 for rings beyond ``matrixRings``.
    func sharedPages(_ one: Int, _ other: Int) -> Int64 {
        let high = max(one, other)
        let place = high * (high - 1) / 2 + min(one, other)
        return one == other || place >= pairs.count ? 0 : pairs[place]
    }
}
