import Model
import Platform

/// Everything that one pass over a recording gathers. The sections of the analysis are computed from it.
///
/// Entries come in batches: what concerns pages is done by all workers at once, shard by shard; then, in order, what concerns
/// harvests and iterations.
struct AnalysisPass: RecordingVisitor, Sendable {
    /// All pages; complete when the pass is.
    private(set) var pages = PageLedger([], gaps: [], pairs: RingPairs())
    private(set) var windows = WindowTableBuilder()
    private(set) var rings: [RingTally] = []
    private(set) var timeline = Timeline()
    private(set) var crossRing = CrossRingOrder()
    private(set) var whatIf: [HarvestWhatIf]
    private(set) var costs = CostTally()
    private(set) var total = DuplicateCounts()
    private(set) var uniquePerIteration = Sample()
    private(set) var iterationLength = Sample()
    private(set) var harvests: Int64 = 0
    /// Entries that stand for more than a page, and the most pages that one stands for.
    private(set) var large: (entries: Int64, pages: Int64) = (0, 1)
    private(set) var startNs: Int64?
    private(set) var endNs: Int64 = 0
    /// Complete iterations.
    private(set) var iterations = 0

    private let shards: PageShards<LedgerShard>
    private let counting: Counting
    private var batch = Batch()
    // Of the iteration in progress.
    private var counts = DuplicateCounts()
    private var newPages: Int64 = 0

    private var ringNumbers: [Int32: Int] = [:]
    private var lastRing: (key: Int32, number: Int)?
    private var lastHarvest: Harvest?
    private var epochs = ProtectionEpochs()

    /// In what order the host pushes entries.
    let host: PushOrder
    /// Whether first touches of pages must be told apart, because they stand in another order.
    private let needsFaults: Bool

    /// What came and is not counted yet.
    private struct Batch: Sendable {
        enum Event: Sendable {
            /// The next harvest, of this ring.
            case harvest(Harvest, ring: Int)
            case iteration(Iteration)
        }
        var events: [Event] = []
        var harvests: [PageShards<LedgerShard>.Harvested] = []
        var entries = 0
        /// Iterations that ended within it.
        var iterations = 0
        /// Cells of the rows of its groups of iterations, and where the row of the group in progress begins.
        var cells = 0
        var row = 0
        /// Iterations until the next row, and until rows are merged, which must be between two batches.
        var leftInGroup = 0
        var leftInTable = 0
        /// Where rows begin, by group from the first.
        var rows: [Int] = []

        static let mostEvents = 1 << 14
        /// 1 MB a worker.
        static let mostCells = 1 << 18

        init() {}

        /// Begins in the state of `windows`.
        init(_ windows: WindowTableBuilder) {
            (leftInGroup, leftInTable) = (windows.iterationsLeftInGroup, windows.iterationsLeftInTable)
            addRow(windows.group)
        }

        mutating func addRow(_ group: Int) {
            row = cells
            rows.append(cells)
            cells += group + 1
        }

        /// An iteration ended. `group` is the one after those that the batch knows.
        mutating func endIteration(_ windows: WindowTableBuilder) {
            iterations += 1
            (leftInGroup, leftInTable) = (leftInGroup - 1, leftInTable - 1)
            guard leftInGroup == 0, leftInTable > 0 else { return }
            leftInGroup = 1 << Int(windows.shift)
            addRow(windows.group + rows.count)
        }

        var isFull: Bool {
            events.count >= Self.mostEvents || cells >= Self.mostCells || leftInTable == 0
        }
    }

    init(info: RecordingInfo, _ counting: Counting = Counting()) {
        whatIf = RingTally.whatIf(info)
        host = PushOrder(info)
        needsFaults = host == .reversedBatches && WriteOrder.faultsOnFirstTouch(info)
        self.counting = counting
        shards = PageShards(LedgerShard(), LedgerTally(), workers: counting.workers)
        batch = Batch(windows)
    }

    /// One pass over `recording`. A last iteration that was cut off before its end counts as one that ended with its last
    /// harvest.
    static func collect(_ recording: some Recording, _ counting: Counting = Counting()) throws -> AnalysisPass {
        var pass = AnalysisPass(info: recording.info, counting)
        try recording.replay(into: &pass)
        if let harvest = pass.lastHarvest {
            pass.count()
            try pass.visit(
                Iteration(
                    id: harvest.iteration, startNs: pass.iterations == 0 ? harvest.sinceNs : pass.endNs,
                    endNs: max(harvest.tsNs, pass.endNs)))
        }
        pass.count()
        pass.finish()
        return pass
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        lastHarvest = harvest
        let ring = number(of: harvest)
        batch.events.append(.harvest(harvest, ring: ring))
        batch.harvests.append(
            PageShards.Harvested(
                step: LedgerStep(
                    ring: UInt16(truncatingIfNeeded: ring), epoch: epochs.epoch(of: harvest),
                    isVMM: harvest.ring == Harvest.vmmLog, tellsFirsts: needsFaults && harvest.vcpu != nil,
                    iteration: UInt32(iterations + batch.iterations + 1), row: batch.row),
                gfns: gfns, provisionalCount: harvest.provisionalCount))
        batch.entries += gfns.count
        if batch.entries >= counting.batchEntries { count() }
    }

    mutating func visit(_ iteration: Iteration) throws {
        batch.events.append(.iteration(iteration))
        batch.endIteration(windows)
        lastHarvest = nil
        if batch.isFull { count() }
    }

    /// Counts what came.
    private mutating func count() {
        let harvests = batch.harvests
        let (cells, gaps, shift) = (batch.cells, iterations + batch.iterations + 2, windows.shift)
        shards.forEachTally { tally in
            tally.harvests = [HarvestTally](repeating: HarvestTally(), count: harvests.count)
            tally.rows = [UInt32](repeating: 0, count: cells)
            tally.firsts = []
            if tally.gaps.count < gaps {
                tally.gaps.append(
                    contentsOf: repeatElement(0, count: max(gaps, tally.gaps.count * 2) - tally.gaps.count))
            }
        }
        shards.take(harvests)
        var added = [HarvestTally](repeating: HarvestTally(), count: harvests.count)
        var rows = [UInt32](repeating: 0, count: cells)
        var firsts: [Int: [[GFN]]] = [:]
        shards.forEachTally { tally in
            for place in added.indices { added[place] += tally.harvests[place] }
            for cell in rows.indices { rows[cell] &+= tally.rows[cell] }
            for first in tally.firsts {
                firsts[first.harvest, default: [[GFN]](repeating: [], count: PageShard.count)][first.shard] = first.gfns
            }
        }
        let climbs = Parallel.map(harvests.count, workers: harvests.count < 16 ? 1 : counting.workers) {
            OrderTally.Climb(harvests[$0].gfns)
        }
        var (place, row) = (0, 0)
        var isNewGroup = true
        for event in batch.events {
            if isNewGroup {
                windows.add(rows[batch.rows[row]...].prefix(windows.group))
                isNewGroup = false
            }
            switch event {
            case .harvest(let harvest, let ring):
                let gfns = harvests[place].gfns
                add(harvest, ring: ring, gfns, added[place], climbs[place], firsts[place])
                place += 1
            case .iteration(let iteration):
                let group = windows.group
                end(iteration)
                if windows.group > group {
                    row += 1
                    isNewGroup = true
                }
            }
        }
        if windows.shift != shift {
            let shift = windows.shift
            shards.forEachShard { state, _ in state.set(shift: shift) }
        }
        batch = Batch(windows)
    }

    private mutating func add(
        _ harvest: Harvest, ring: Int, _ gfns: [GFN], _ added: HarvestTally, _ climb: OrderTally.Climb,
        _ firsts: [[GFN]]?
    ) {
        harvests += 1
        if harvest.entryPages > 1 {
            large = (large.entries &+ Int64(gfns.count), max(large.pages, harvest.entryPages))
        }
        counts += added.counts
        newPages += added.newPages
        rings[ring].add(
            harvest, gfns: gfns, climb: climb, added: added, faults: Self.faults(gfns, firsts),
            sizes: whatIf[0].rings)
        crossRing.add(ring: ring, sinceNs: harvest.sinceNs, tsNs: harvest.tsNs, entries: gfns.count)
        costs.add(harvest)
    }

    /// Which entries are the first touch of their page, by those of each shard, in order.
    private static func faults(_ gfns: [GFN], _ firsts: [[GFN]]?) -> FaultPlaces {
        guard let firsts else { return .none }
        let count = firsts.reduce(0) { $0 + $1.count }
        if count == gfns.count { return .all(count) }
        var next = [Int](repeating: 0, count: firsts.count)
        return .some(
            gfns.map { gfn in
                let shard = PageShard.number(of: gfn)
                guard next[shard] < firsts[shard].count, firsts[shard][next[shard]] == gfn else { return false }
                next[shard] += 1
                return true
            }, count)
    }

    private mutating func end(_ iteration: Iteration) {
        if startNs == nil {
            startNs = iteration.startNs
            endNs = iteration.startNs
            windows.start(at: iteration.startNs)
        }
        // Boundaries must not run backwards, whatever a damaged file says.
        let end = max(iteration.endNs, endNs)
        iterations += 1
        timeline.add(
            iteration: Int64(iterations), startNs: endNs, endNs: end, counts: counts, newPages: newPages)
        total += counts
        uniquePerIteration.add(counts.distinct)
        iterationLength.add(end - endNs)
        costs.add(iteration)
        crossRing.endIteration()
        for ring in rings.indices { rings[ring].endIteration(iterations, &whatIf) }
        windows.endIteration(at: end)
        endNs = end
        (counts, newPages) = (DuplicateCounts(), 0)
    }

    private mutating func finish() {
        shards.forEachShard { $0.finish(into: &$1) }
        var gaps = [Int64](repeating: 0, count: iterations + 2)
        var pairs = RingPairs()
        shards.forEachTally { tally in
            for gap in tally.gaps.indices.prefix(gaps.count) { gaps[gap] += tally.gaps[gap] }
            pairs.add(tally.pairs)
            tally = LedgerTally()
        }
        pages = PageLedger(shards.states, gaps: gaps, pairs: pairs)
        for ring in rings.indices { rings[ring].end(&whatIf) }
    }

    private mutating func number(of harvest: Harvest) -> Int {
        let key = harvest.ring
        if let lastRing, lastRing.key == key { return lastRing.number }
        var number = ringNumbers[key] ?? rings.count
        if number == rings.count {
            // Rings are numbered in 16 bits; what no host has is counted with the last one.
            if number > Int(UInt16.max) {
                number = Int(UInt16.max)
            } else {
                rings.append(RingTally(vcpu: harvest.vcpu, source: harvest.source, host: host))
                ringNumbers[key] = number
            }
        }
        lastRing = (key, number)
        return number
    }
}
