import Model

/// Answers every question about a recording.
package enum Analyzer {
    /// Reads `trace` once (once more when blocking pages are to be named or another tool measured) and computes every section.
    ///
    /// Memory follows the distinct pages, not the entries: 40 to 65 bytes a page where
    /// pages lie close together, up to 300 where no two are neighbours, and at most 40 MB besides.
    /// - Throws: whatever reading the recording throws.
    package static func analyze(_ trace: some Trace, options: AnalysisOptions = AnalysisOptions()) throws
        -> TraceAnalysis
    {
        let gathered = try Gathered(trace)
        let collector = gathered.collector
        let windows = gathered.windows
        let convergence = try Convergence.report(trace, gathered, options.convergence)
        let pageSize = trace.info.pageSize
        let foreign = try ForeignComparison.all(trace)
        return TraceAnalysis(
            info: trace.info,
            counts: Counts(
                entries: collector.total.entries, distinctGFNs: Int64(collector.pages.states.count),
                vcpus: Int64(Set(gathered.rings.compactMap(\.vcpu)).count), iterations: Int64(collector.ticks),
                harvests: collector.harvests, durationNs: gathered.durationNs),
            duplicates: collector.total,
            rate: gathered.rate(pageSize: pageSize), foreignRates: foreign.compared,
            foreignRatesLeftOut: foreign.leftOut,
            timeline: collector.timeline.buckets,
            workingSet: WorkingSetWindow.ladder(windows)
                + options.tausNs.compactMap { WorkingSetWindow.asked($0, windows) },
            workingSetCourse: WorkingSetCourse.all(windows),
            footprint: gathered.footprint.ladder,
            redirty: Redirty(collector.pages, ticks: collector.ticks),
            granularity: Granularity.all(collector.pages.index.gfns, pageSize: pageSize),
            phases: Phases(windows),
            rings: gathered.rings,
            sharing: Sharing(collector.pages, rings: gathered.rings, limit: options.topPages),
            order: gathered.order,
            hottestPages: collector.pages.top(options.topPages) { $0.ticks },
            hotLists: collector.pages.hotLists(ticks: collector.ticks, pageSize: pageSize),
            costs: collector.costs.finish(stops: try trace.stops),
            convergence: convergence,
            checkpoints: Checkpoint.ladder(windows, memoryPages: convergence.memoryPages, pageSize: pageSize),
            harvestWhatIf: gathered.harvestWhatIf,
            statistics: StatisticTotal.all(try trace.statistics),
            fidelity: try gathered.fidelity(trace))
    }

    /// The order of entries alone, in one pass.
    /// - Throws: whatever reading the recording throws.
    package static func order(_ trace: some Trace) throws -> Order { try Gathered(trace).order }
}

/// One pass over a recording, and what several sections need of it.
struct Gathered: Sendable {
    let collector: Collector
    let windows: WindowTable
    let footprint: Footprint
    let rings: [RingUse]
    let orders: [RingOrder]

    init(_ trace: some Trace) throws {
        let collector = try Collector.collect(trace)
        self.collector = collector
        windows = collector.pages.windows.finish()
        footprint = Footprint(collector.pages, ticks: collector.ticks)
        let finished = collector.rings.map { $0.finish() }
        rings = finished.map(\.0)
        orders = finished.map(\.1)
    }

    var order: Order {
        Order(
            host: collector.host, rings: orders, crossRingPairs: collector.crossRing.pairs,
            orderedPairs: collector.crossRing.ordered)
    }

    var durationNs: Int64 { collector.endNs - (collector.startNs ?? collector.endNs) }

    /// Harvests at the recorded interval and at those longer ones that end at least once.
    var harvestWhatIf: [HarvestWhatIf] {
        let hasRings = rings.contains { $0.vcpu != nil }
        return collector.whatIf.filter { $0.ticks <= collector.ticks }.map { whatIf in
            var whatIf = whatIf
            if !hasRings { whatIf.rings = [] }
            whatIf.intervalNs = durationNs / Int64(collector.ticks) * whatIf.ticks
            return whatIf
        }
    }

    func rate(pageSize: Int64) -> DirtyRate {
        var rate = DirtyRate(pagesPerIteration: collector.uniquePerTick.summary)
        guard durationNs > 0 else { return rate }
        let seconds = Double(durationNs) / 1e9
        let pages = Double(collector.total.distinct) / seconds
        rate.entriesPerSecond = Double(collector.total.entries) / seconds
        rate.pagesPerSecond = pages
        rate.bytesPerSecond = pages * Double(pageSize)
        return rate
    }

    func fidelity(_ trace: some Trace) throws -> Fidelity {
        var fidelity = Fidelity(
            iterations: Int64(collector.ticks), tick: collector.tickLength.summary,
            askedIntervalNs: trace.info.intervalNs, provisional: collector.total.provisional,
            orderConfidence: collector.crossRing.pairs == 0
                ? nil : collector.crossRing.ordered / collector.crossRing.pairs,
            entryTime: Fidelity.EntryTime(trace.info, leastKickNs: collector.costs.leastKickNs),
            ending: Fidelity.Ending(of: trace),
            ticksPerBoundary: Int64(windows.ticksPerGroup), hasVCPUs: rings.contains { $0.vcpu != nil })
        fidelity.add(try trace.losses)
        fidelity.add(try trace.verdicts)
        if durationNs > 0 {
            fidelity.pausedShare = Double(collector.costs.pausedNs) / Double(durationNs)
        }
        return fidelity
    }
}
