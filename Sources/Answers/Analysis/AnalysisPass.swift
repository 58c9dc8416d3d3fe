import Model

/// Everything that one pass over a recording gathers. The sections of the analysis are computed from it.
struct AnalysisPass: RecordingVisitor, Sendable {
    private(set) var pages = PageLedger()
    private(set) var rings: [RingTally] = []
    private(set) var timeline = Timeline()
    private(set) var crossRing = CrossRingOrder()
    private(set) var whatIf: [HarvestWhatIf]
    private(set) var costs = CostTally()
    private(set) var total = DuplicateCounts()
    private(set) var uniquePerIteration = Sample()
    private(set) var iterationLength = Sample()
    private(set) var harvests: Int64 = 0
    private(set) var startNs: Int64?
    private(set) var endNs: Int64 = 0

    private var ringNumbers: [Int32: Int] = [:]
    private var lastRing: (key: Int32, number: Int)?
    private var lastHarvest: Harvest?
    private var epochs = ProtectionEpochs()

    var iterations: Int { Int(pages.iteration) - 1 }

    /// In what order the host pushes entries.
    let host: PushOrder
    /// Whether first touches of pages must be told apart, because they stand in another order.
    private let needsFaults: Bool

    init(info: RecordingInfo) {
        whatIf = RingTally.whatIf(info)
        host = PushOrder(info)
        needsFaults = host == .reversedBatches && WriteOrder.faultsOnFirstTouch(info)
    }

    /// One pass over `recording`. A last iteration that was cut off before its end counts as one that ended with its last
    /// harvest.
    static func collect(_ recording: some Recording) throws -> AnalysisPass {
        var pass = AnalysisPass(info: recording.info)
        try recording.replay(into: &pass)
        if let harvest = pass.lastHarvest {
            try pass.visit(
                Iteration(
                    id: harvest.iteration, startNs: pass.iterations == 0 ? harvest.sinceNs : pass.endNs,
                    endNs: max(harvest.tsNs, pass.endNs)))
        }
        pass.pages.finish()
        for ring in pass.rings.indices { pass.rings[ring].end(&pass.whatIf) }
        return pass
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        lastHarvest = harvest
        harvests += 1
        let ring = number(of: harvest)
        let before = pages.counts
        let known = pages.index.count
        pages.add(
            gfns, ring: ring, epoch: epochs.epoch(of: harvest), isVMM: harvest.ring == Harvest.vmmLog,
            provisionalCount: harvest.provisionalCount)
        rings[ring].add(
            harvest, gfns: gfns, counts: pages.counts - before, firsts: pages.fresh, repeats: pages.freshRepeats,
            faults: needsFaults && harvest.vcpu != nil ? pages.firstTouches(gfns, before: known) : .none,
            sizes: whatIf[0].rings)
        crossRing.add(ring: ring, sinceNs: harvest.sinceNs, tsNs: harvest.tsNs, entries: gfns.count)
        costs.add(harvest)
    }

    mutating func visit(_ iteration: Iteration) throws {
        if startNs == nil {
            startNs = iteration.startNs
            endNs = iteration.startNs
            pages.start(at: iteration.startNs)
        }
        // Boundaries must not run backwards, whatever a damaged file says.
        let end = max(iteration.endNs, endNs)
        timeline.add(
            iteration: Int64(pages.iteration), startNs: endNs, endNs: end, counts: pages.counts,
            newPages: pages.newPages)
        total += pages.counts
        uniquePerIteration.add(pages.counts.distinct)
        iterationLength.add(end - endNs)
        costs.add(iteration)
        crossRing.endIteration()
        for ring in rings.indices { rings[ring].endIteration(Int(pages.iteration), &whatIf) }
        pages.endIteration(at: end)
        endNs = end
        lastHarvest = nil
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

extension DuplicateCounts {
    static func - (left: Self, right: Self) -> Self {
        var difference = left
        difference.entries -= right.entries
        difference.distinct -= right.distinct
        difference.crossRing -= right.crossRing
        difference.redirtied -= right.redirtied
        difference.sameRing -= right.sameRing
        difference.provisional -= right.provisional
        difference.vmm -= right.vmm
        return difference
    }
}
