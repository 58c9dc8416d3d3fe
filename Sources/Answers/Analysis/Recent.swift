import Model

/// The last iterations of a recording that is being made: those that end in its last ``lengthNs``, in bounded memory.
package struct RecentStretch: Sendable {
    /// How far back it reaches, in nanoseconds.
    package let lengthNs: Int64
    /// The most iterations.
    package let limit: Int
    /// Whether it still holds everything that was added.
    package private(set) var isWhole = true
    private var batches: [IterationBatch] = []
    /// Harvests of an iteration that has not ended.
    private var parts: [(harvest: Harvest, gfns: [GFN])] = []
    private var partEntries = 0
    /// The iteration in progress does not fit.
    private var isTooLarge = false
    private var entries = 0
    private var first = 0

    /// 32 MB of GFNs.
    package static let mostEntries = 4 << 20
    package static let mostIterations = 1024

    package init(lengthNs: Int64, iterations limit: Int = Self.mostIterations) {
        (self.lengthNs, self.limit) = (lengthNs, limit)
    }

    /// When its first iteration began; nil without one.
    package var startNs: Int64? { batches.dropFirst(first).first?.iteration.startNs }

    /// The iterations, as a recording of their own.
    package func recording(_ info: RecordingInfo, slots: [MemorySlot]) -> MemoryRecording {
        MemoryRecording(info: info, slots: slots, batches: Array(batches[first...]))
    }

    /// Adds an iteration, or a part of one. What is too old or too much goes; with an iteration that is too much alone, everything.
    package mutating func add(_ batch: IterationBatch) {
        partEntries += batch.entryCount
        isTooLarge = isTooLarge || partEntries > Self.mostEntries
        parts = isTooLarge ? [] : parts + batch.harvests
        guard !batch.isPart else { return }
        var whole = IterationBatch(iteration: batch.iteration)
        (whole.harvests, whole.losses) = (parts, batch.losses)
        let isKept = !isTooLarge
        let added = partEntries
        (parts, partEntries, isTooLarge) = ([], 0, false)
        guard isKept else {
            isWhole = false
            (batches, entries, first) = ([], 0, 0)
            return
        }
        batches.append(whole)
        entries += added
        while first < batches.count - 1,
            batches.count - first > limit || entries > Self.mostEntries
                || batches[first].iteration.endNs <= batch.iteration.endNs - lengthNs
        {
            entries -= batches[first].entryCount
            batches[first] = IterationBatch(iteration: batches[first].iteration)
            first += 1
            isWhole = false
        }
        if first > limit {
            batches.removeFirst(first)
            first = 0
        }
    }
}

/// What a vCPU did in the last second, or the last iteration if that is longer.
package struct RecentVCPU: Sendable, Equatable {
    package var vcpu: Int
    package var entriesPerSecond: Double
    /// The share of its time that it stood still because its ring was full.
    package var stallShare: Double
}

/// A writable working set: the report's row of the stretch, and the latest of its windows.
package struct RecentWorkingSet: Sendable, Equatable {
    package var window: WorkingSetWindow
    /// Distinct pages in the window that ends now.
    package var now: Int64
}

/// Guest memory from one aligned address to the next.
package struct HotRegion: Sendable, Equatable {
    /// By what regions are ordered; the largest first, addresses ascending.
    package enum Order: String, Sendable, CaseIterable { case rate, pages, address }

    package var firstGFN: GFN
    /// Different pages that were dirtied in it.
    package var pages: Int64 = 0
    /// Unique pages, a page counted once an iteration.
    package var reports: Int64 = 0

    /// The size of a region in bytes: a huge page.
    package static let bytes: Int64 = 2 << 20
}

/// Whether the guest would migrate if it went on as in the stretch.
package struct RecentMigration: Sendable {
    package var cell: ConvergenceCell
    package var least: LeastBandwidth?
    /// Whether the stretch was too short, and was repeated.
    package var isRepeated: Bool
}

/// What the last stretch of a recording says: the figures that the report would give of it alone.
package struct RecentAnalysis: Sendable {
    private let gathered: Gathered
    private let recording: MemoryRecording
    /// From the start of its first iteration to the end of its last.
    package let durationNs: Int64
    package let iterations: Int
    /// Of all the stretch.
    package let rate: DirtyRate
    /// Of the last second, or the last iteration if that is longer.
    package let now: DirtyRate
    package let course: [TimelineBucket]
    /// At most three: one iteration, and those nearest to 1 s and 10 s.
    package let workingSet: [RecentWorkingSet]
    /// In the order of their numbers; empty where entries name none.
    package let vcpus: [RecentVCPU]
    private let regions: [HotRegion.Order: [HotRegion]]

    /// The most regions of each order.
    package static let mostRegions = 64
    private static let secondNs: Int64 = 1_000_000_000

    /// Reads the stretch once, on one thread: the guest needs the other CPUs.
    package init(_ stretch: RecentStretch, _ info: RecordingInfo, slots: [MemorySlot]) throws {
        recording = stretch.recording(info, slots: slots)
        var counting = Counting()
        counting.workers = 1
        gathered = try Gathered(recording, counting)
        durationNs = gathered.durationNs
        iterations = gathered.pass.iterations
        rate = gathered.rate(pageSize: info.pageSize)
        course = gathered.pass.timeline.buckets
        let windows = WorkingSetWindow.ladder(gathered.windows)
        let nearest = [Self.secondNs, 10 * Self.secondNs].compactMap { wanted in
            windows.indices.min { abs(windows[$0].tauNs - wanted) < abs(windows[$1].tauNs - wanted) }
        }
        let table = gathered.windows
        workingSet = Set([0] + nearest).sorted().filter(windows.indices.contains).map { place in
            let groups = (windows[place].iterations ?? 1) / table.iterationsPerGroup
            return RecentWorkingSet(
                window: windows[place], now: table.pages(after: max(0, table.groups - groups), through: table.groups))
        }
        (now, vcpus) = Self.lastSecond(of: recording, course)
        regions = Self.regions(gathered.pass.pages, pageSize: info.pageSize)
    }

    /// Regions, hottest first; at most ``mostRegions``.
    package func regions(by order: HotRegion.Order) -> [HotRegion] { regions[order] ?? [] }

    /// Unique pages per second of a region.
    package func pagesPerSecond(of region: HotRegion) -> Double {
        durationNs > 0 ? Double(region.reports) * 1e9 / Double(durationNs) : 0
    }

    /// Replays a migration, as `dirtyrec converge` does; where the stretch ends before it, over the stretch again and again.
    package func migration(bandwidth: Int64, downtimeNs: Int64) throws -> RecentMigration? {
        var options = ConvergenceOptions()
        (options.bandwidths, options.downtimesNs, options.policies) = ([bandwidth], [downtimeNs], [.qemu])
        options.namesBlockingPages = false
        func replay() throws -> (ConvergenceCell, LeastBandwidth?)? {
            let report = try Convergence.report(recording, gathered, options)
            return report.grid.first.map { ($0, report.leastBandwidth.first) }
        }
        guard durationNs > 0, let first = try replay() else { return nil }
        if first.0.outcome.verdict != .recordingTooShort {
            return RecentMigration(cell: first.0, least: first.1, isRepeated: false)
        }
        options.extend = .loop
        return try replay().map { RecentMigration(cell: $0.0, least: $0.1, isRepeated: true) }
    }

    private static func lastSecond(of recording: MemoryRecording, _ course: [TimelineBucket]) -> (
        DirtyRate, [RecentVCPU]
    ) {
        guard let endNs = recording.batches.last?.iteration.endNs else { return (DirtyRate(), []) }
        let last = course.last { $0.startNs <= endNs - secondNs } ?? course.first
        let startNs = last?.startNs ?? endNs
        var rate = DirtyRate()
        guard endNs > startNs else { return (rate, []) }
        let seconds = Double(endNs - startNs) / 1e9
        let buckets = course.filter { $0.startNs >= startNs }
        let pages = Double(buckets.reduce(0) { $0 + $1.duplicates.distinct }) / seconds
        rate.entriesPerSecond = Double(buckets.reduce(0) { $0 + $1.duplicates.entries }) / seconds
        rate.pagesPerSecond = pages
        rate.bytesPerSecond = pages * Double(recording.info.pageSize)
        var sums: [Int: (entries: Int, stallNs: Int64)] = [:]
        for batch in recording.batches {
            for (harvest, gfns) in batch.harvests {
                guard let vcpu = harvest.vcpu else { continue }
                var sum = sums[vcpu] ?? (0, 0)
                if batch.iteration.startNs >= startNs {
                    sum.entries += gfns.count
                    sum.stallNs += harvest.stallNs
                }
                sums[vcpu] = sum
            }
        }
        let vcpus = sums.sorted { $0.key < $1.key }.map { vcpu, sum in
            RecentVCPU(
                vcpu: vcpu, entriesPerSecond: Double(sum.entries) / seconds,
                stallShare: min(1, Double(sum.stallNs) / (seconds * 1e9)))
        }
        return (rate, vcpus)
    }

    private static func regions(_ pages: PageLedger, pageSize: Int64) -> [HotRegion.Order: [HotRegion]] {
        let size = GFN(max(1, HotRegion.bytes / max(1, pageSize)))
        var found: [GFN: HotRegion] = [:]
        pages.forEachPage { gfn, state in
            let number = gfn / size
            found[number, default: HotRegion(firstGFN: number * size)].pages += 1
            found[number]?.reports += Int64(state.iterations)
        }
        let all = found.values.sorted { $0.firstGFN < $1.firstGFN }
        var regions: [HotRegion.Order: [HotRegion]] = [.address: Array(all.prefix(mostRegions))]
        for (order, key) in [(HotRegion.Order.rate, \HotRegion.reports), (.pages, \.pages)] {
            regions[order] = Array(
                all.sorted { ($1[keyPath: key], $0.firstGFN) < ($0[keyPath: key], $1.firstGFN) }.prefix(mostRegions))
        }
        return regions
    }
}
