import Model

package enum Analyzer {
    /// Reads `recording` once (once more when blocking pages are to be named or another tool measured) and computes every section.
    ///
    /// Memory follows the distinct pages, not the entries: 40 to 65 bytes a page where
    /// pages lie close together, up to 300 where no two are neighbours, and at most 40 MB besides.
    /// - Throws: whatever reading the recording throws.
    package static func analyze(_ recording: some Recording, options: AnalysisOptions = AnalysisOptions()) throws
        -> RecordingAnalysis
    {
        try analyze(recording, options, Gathered(recording, options.counting))
    }

    /// The same, and what a map of the recording needs to know before it is read for it.
    /// - Throws: whatever reading the recording throws.
    package static func analyzeForMap(_ recording: some Recording, options: AnalysisOptions) throws
        -> (RecordingAnalysis, MapOutline)
    {
        let gathered = try Gathered(recording, options.counting)
        return try (analyze(recording, options, gathered), MapOutline(gathered))
    }

    private static func analyze(
        _ recording: some Recording, _ options: AnalysisOptions, _ gathered: Gathered
    ) throws -> RecordingAnalysis {
        let pass = gathered.pass
        let windows = gathered.windows
        let convergence = try Convergence.report(recording, gathered, options.convergence)
        let pageSize = recording.info.pageSize
        let foreign = try ForeignComparison.all(recording)
        let observations = try recording.migrations
        var migration = MigrationReport(observations)
        if let report = migration {
            migration?.predictions = try MigrationPrediction.all(report, observations, recording, gathered)
        }
        return RecordingAnalysis(
            info: recording.info,
            counts: Counts(
                entries: pass.total.entries, distinctGFNs: Int64(pass.pages.count),
                vcpus: Int64(Set(gathered.rings.compactMap(\.vcpu)).count), iterations: Int64(pass.iterations),
                harvests: pass.harvests, durationNs: gathered.durationNs),
            duplicates: pass.total,
            rate: gathered.rate(pageSize: pageSize), foreignRates: foreign.compared,
            foreignRatesLeftOut: foreign.leftOut,
            timeline: pass.timeline.buckets,
            workingSet: WorkingSetWindow.ladder(windows)
                + options.tausNs.compactMap { WorkingSetWindow.asked($0, windows) },
            workingSetCourse: WorkingSetCourse.all(windows),
            footprint: gathered.footprint.ladder,
            redirty: Redirty(pass.pages, iterations: pass.iterations),
            granularity: Granularity.all(pass.pages, pageSize: pageSize),
            phases: Phases(windows),
            rings: gathered.rings,
            sharing: Sharing(pass.pages, rings: gathered.rings, limit: options.topPages),
            order: gathered.order,
            hottestPages: pass.pages.top(options.topPages) { $0.iterations },
            hotLists: pass.pages.hotLists(iterations: pass.iterations, pageSize: pageSize),
            costs: pass.costs.finish(stops: try recording.stops),
            convergence: convergence,
            checkpoints: Checkpoint.ladder(windows, memoryPages: convergence.memoryPages, pageSize: pageSize),
            harvestWhatIf: gathered.harvestWhatIf,
            statistics: StatisticTotal.all(try recording.statistics),
            fidelity: try gathered.fidelity(recording), migration: migration)
    }

    /// The order of entries alone, in one pass.
    /// - Throws: whatever reading the recording throws.
    package static func order(_ recording: some Recording) throws -> Order { try Gathered(recording).order }
}

/// One pass over a recording, and what several sections need of it.
struct Gathered: Sendable {
    let pass: AnalysisPass
    let windows: WindowTable
    let footprint: Footprint
    let rings: [RingUse]
    let orders: [RingOrder]

    init(_ recording: some Recording, _ counting: Counting = Counting()) throws {
        let pass = try AnalysisPass.collect(recording, counting)
        self.pass = pass
        windows = pass.windows.finish()
        footprint = Footprint(pass.pages, iterations: pass.iterations)
        let finished = pass.rings.map { $0.finish() }
        rings = finished.map(\.0)
        orders = finished.map(\.1)
    }

    var order: Order {
        Order(
            host: pass.host, rings: orders, crossRingPairs: pass.crossRing.pairs,
            orderedPairs: pass.crossRing.ordered)
    }

    var durationNs: Int64 { pass.endNs - (pass.startNs ?? pass.endNs) }

    /// Harvests at the recorded interval and at those longer ones that end at least once.
    var harvestWhatIf: [HarvestWhatIf] {
        let hasRings = rings.contains { $0.vcpu != nil }
        return pass.whatIf.filter { $0.iterations <= pass.iterations }.map { whatIf in
            var whatIf = whatIf
            if !hasRings { whatIf.rings = [] }
            whatIf.intervalNs = durationNs / Int64(pass.iterations) * whatIf.iterations
            return whatIf
        }
    }

    func rate(pageSize: Int64) -> DirtyRate {
        var rate = DirtyRate(pagesPerIteration: pass.uniquePerIteration.summary)
        guard durationNs > 0 else { return rate }
        let seconds = Double(durationNs) / 1e9
        let pages = Double(pass.total.distinct) / seconds
        rate.entriesPerSecond = Double(pass.total.entries) / seconds
        rate.pagesPerSecond = pages
        rate.bytesPerSecond = pages * Double(pageSize)
        return rate
    }

    func fidelity(_ recording: some Recording) throws -> Fidelity {
        var fidelity = Fidelity(
            iterations: Int64(pass.iterations), iteration: pass.iterationLength.summary,
            askedIntervalNs: recording.info.intervalNs, provisional: pass.total.provisional,
            orderConfidence: pass.crossRing.pairs == 0
                ? nil : pass.crossRing.ordered / pass.crossRing.pairs,
            entryTime: Fidelity.EntryTime(recording.info, leastKickNs: pass.costs.leastKickNs),
            ending: Fidelity.Ending(of: recording),
            iterationsPerBoundary: Int64(windows.iterationsPerGroup), hasVCPUs: rings.contains { $0.vcpu != nil })
        (fidelity.largeEntries, fidelity.mostEntryPages) = pass.large
        fidelity.add(try recording.losses)
        fidelity.add(try recording.verdicts)
        if durationNs > 0 {
            fidelity.pausedShare = Double(pass.costs.pausedNs) / Double(durationNs)
        }
        return fidelity
    }
}
