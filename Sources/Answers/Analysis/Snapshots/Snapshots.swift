import Model
import Platform

/// Answers what snapshots would cost, in one pass over the recording.
///
/// Memory follows the pages: with the usual options at most 100 bytes a page where they lie close together, and 2 KiB where no
/// two are neighbours; and at most 40 MB besides.
package enum Snapshots {
    /// - Throws: whatever reading the recording throws.
    package static func report(_ recording: some Recording, options: SnapshotOptions = SnapshotOptions()) throws
        -> SnapshotReport
    {
        var nobody = Bystander()
        return try report(recording, options: options, distinctPages: nil, beside: &nobody)
    }

    /// The same with another visitor in the pass.
    ///
    /// - Parameter distinctPages: of the recording, if they were counted before.
    /// - Throws: whatever reading the recording throws.
    package static func report(
        _ recording: some Recording, options: SnapshotOptions = SnapshotOptions(), distinctPages: Int?,
        beside other: inout some RecordingVisitor
    ) throws -> SnapshotReport {
        let memory = try LoggedMemory(recording, dirtyPages: distinctPages ?? 0)
        var (pages, basis) = memory.pages(at: recording.info.startNs)
        if basis == .dirtyPages, distinctPages == nil {
            // Neither slots nor a size: memory is what was ever dirty, and that must be known before the first diff is judged.
            var distinct = DistinctPages()
            try recording.replay(into: &distinct)
            pages = Int64(distinct.index.count)
        }
        let pageSize = recording.info.pageSize
        var resolved = options
        resolved.blocks = Set(options.blocks).filter { $0 >= pageSize && $0 % pageSize == 0 }.sorted()
        resolved.cadencesNs = options.cadencesNs.map { Set($0).sorted() } ?? Self.candidates(recording.info)
        var both = Both(
            first: SnapshotPass(recording.info, resolved, fullBytes: pages * pageSize), second: other)
        try recording.replay(into: &both)
        other = both.second
        var pass = both.first
        pass.finish()
        if options.cadencesNs == nil { pass.keepUsual() }
        if options.cadencesNs == nil, pass.diffs.isEmpty {
            // A recording too short for any of them: every iteration.
            resolved.cadencesNs = [1]
            pass = SnapshotPass(recording.info, resolved, fullBytes: pages * pageSize)
            try recording.replay(into: &pass)
            pass.finish()
        }
        resolved.cadencesNs = pass.diffs.map(\.cadence.cadenceNs)
        var report = SnapshotReport(
            pageSize: pageSize, memoryPages: pages, memoryBasis: basis, options: resolved,
            losses: Int64(try recording.losses.count), sizes: pass.sizes, chains: pass.chains, stability: pass.scores,
            forks: pass.forks,
            unfinishedNs: pass.diffs.map(\.cadence).filter { $0.length.count == 0 }.map(\.cadenceNs))
        report.contents = try contents(recording, resolved.cadencesNs ?? [], pass)
        let labels = recording.info.labels
        report.looksFailed = labels[RecordingInfo.contentUnseenKey].flatMap { Int64($0) } ?? 0
        report.looksEarly = labels[RecordingInfo.contentEarlyKey].flatMap { Int64($0) } ?? 0
        return report
    }

    /// What the diffs' pages held, as far as somebody looked.
    private static func contents(
        _ recording: some Recording, _ cadences: [Int64], _ pass: SnapshotPass
    ) throws -> [ContentEstimate] {
        var index = PageIndex()
        var tallies: [ContentTally] = []
        try recording.replayContents { content in
            if tallies.isEmpty {
                var ends = DiffEnds(cadences)
                try recording.replay(into: &ends)
                tallies = zip(cadences, ends.ends).map {
                    ContentTally($0, pageSize: recording.info.pageSize, ends: $1)
                }
            }
            let page = index.insert(content.gfn)
            for place in tallies.indices { tallies[place].add(content, page: page) }
        }
        return tallies.indices.flatMap { tallies[$0].estimates(total: pass.dirtyPages[$0]) }
    }

    /// Usual cadences that can end twice, as far as the recording says beforehand how long it is.
    private static func candidates(_ info: RecordingInfo) -> [Int64] {
        let millisecond: Int64 = 1_000_000
        let usual = [10, 100, 500, 1000, 5000, 10_000, 60_000, 300_000, 3_600_000].map { $0 * millisecond }
        let (duration, overflow) = (info.endNs ?? .max).subtractingReportingOverflow(info.startNs)
        let fitting = usual.filter {
            $0 >= info.intervalNs / 10 * 9 && (info.endNs == nil || overflow || $0 <= duration / 2)
        }
        return fitting.isEmpty ? usual : fitting
    }
}

/// The last iterations of the complete diffs at each cadence.
private struct DiffEnds: RecordingVisitor {
    private(set) var ends: [[Int64]]
    private var cadences: [SnapshotCadence]
    private var origin: Int64?
    private var endNs: Int64 = 0

    init(_ cadencesNs: [Int64]) {
        cadences = cadencesNs.map(SnapshotCadence.init)
        ends = cadences.map { _ in [] }
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {}

    mutating func visit(_ iteration: Iteration) throws {
        if origin == nil { (origin, endNs) = (iteration.startNs, iteration.startNs) }
        endNs = max(iteration.endNs, endNs)
        for place in cadences.indices
        where cadences[place].endIteration(at: endNs, origin: origin ?? endNs) { ends[place].append(iteration.id) }
    }
}

/// Two visitors in one pass.
private struct Both<First: RecordingVisitor, Second: RecordingVisitor>: RecordingVisitor {
    var first: First
    var second: Second
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        try first.visit(harvest, gfns: gfns)
        try second.visit(harvest, gfns: gfns)
    }
    mutating func visit(_ iteration: Iteration) throws {
        try first.visit(iteration)
        try second.visit(iteration)
    }
}

private struct Bystander: RecordingVisitor {
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {}
    mutating func visit(_ iteration: Iteration) throws {}
}

/// Counts the pages of a recording.
private struct DistinctPages: RecordingVisitor {
    var index = PageIndex()
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { for gfn in gfns { _ = index.insert(gfn) } }
    mutating func visit(_ iteration: Iteration) throws {}
}

/// The pass. Pages are gathered in words of 64 while an iteration lasts; at its end these are added to the diff of each cadence, and at
/// the end of a diff its words are counted, in blocks of each size.
struct SnapshotPass: RecordingVisitor, Sendable {
    private let pageSize: Int64
    private let options: SnapshotOptions
    private let full: (bytes: Int64, ns: Int64)
    private var following: [Guarded<DiffSets>]
    /// By cadence; complete when the pass is.
    private(set) var diffs: [DiffSets] = []
    private var words = PageWords()
    private var batch = DiffBatch()
    private var number: UInt32 = 1
    private var origin: Int64?
    private var endNs: Int64 = 0
    /// Distinct pages of every window, for forks.
    private var windows = WindowTableBuilder()
    /// Of every page, the iteration in which it was last dirtied.
    private var stamps: [UInt32] = []
    /// Where ``stamps`` and the like have a page.
    private var order = PageOrder()

    init(_ info: RecordingInfo, _ options: SnapshotOptions, fullBytes: Int64) {
        pageSize = info.pageSize
        self.options = options
        full = (fullBytes, options.cost.nanoseconds(bytes: fullBytes, extents: fullBytes > 0 ? 1 : 0))
        // Pages always come first: everything else is measured by them.
        let blocks = [info.pageSize] + options.blocks.filter { $0 > info.pageSize }
        following = (options.cadencesNs ?? []).map { [full] in
            Guarded(DiffSets($0, blocks: blocks, pageSize: info.pageSize, options: options, full: full))
        }
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { words.add(gfns) }

    mutating func visit(_ iteration: Iteration) throws {
        if origin == nil {
            (origin, endNs) = (iteration.startNs, iteration.startNs)
            windows.start(at: iteration.startNs)
        }
        // Boundaries must not run backwards, whatever a damaged file says.
        endNs = max(iteration.endNs, endNs)
        Self.take(&words, of: number, &order, &stamps, shift: windows.shift, row: &windows.row, into: &batch)
        batch.endIteration(at: endNs)
        windows.endIteration(at: endNs)
        number += 1
        if batch.isFull { follow() }
    }

    /// The iteration is over: its pages are counted by the group of iterations in which they were last dirtied, and belong to the
    /// diffs in progress.
    private static func take(
        _ words: inout PageWords, of iteration: UInt32, _ order: inout PageOrder, _ stamps: inout [UInt32],
        shift: UInt32, row: inout [UInt32], into batch: inout DiffBatch
    ) {
        let mask = (UInt32(1) << shift) - 1
        words.take { place, word in
            let done = order.moves.count
            order.meet(word, at: place)
            order.follow(&stamps, after: done)
            order.update(&stamps, of: word, at: place, &row) { last, row in
                row[Int((last &+ mask) >> shift)] &+= 1
                last = iteration
            }
            batch.add(place, word)
        }
    }

    private mutating func follow() {
        Self.follow(following, batch, words, order, origin: origin ?? 0)
        batch.removeAll()
        order.forgetMoves()
    }

    private static func follow(
        _ following: [Guarded<DiffSets>], _ batch: DiffBatch, _ words: PageWords, _ order: PageOrder,
        origin: Int64
    ) {
        Parallel.forEach(following.count) { cadence, _ in
            following[cadence].withLock { $0.take(batch, words, order, origin: origin) }
        }
    }

    /// The recording has been read.
    mutating func finish() {
        follow()
        diffs = following.map { $0.withLock { $0 } }
        following = []
    }

    /// Keeps, of cadences that nobody asked for, at most six that say something.
    mutating func keepUsual() {
        // Of those that take a snapshot at the same iterations, the longest names them best.
        var kept = diffs.indices.filter { place in
            let count = diffs[place].cadence.length.count
            return count > 1 && !diffs[(place + 1)...].contains { $0.cadence.length.count == count }
        }
        if kept.count > 6 { kept = (0..<6).map { kept[$0 * (kept.count - 1) / 5] } }
        diffs = kept.map { diffs[$0] }
    }

    private func each<Result>(_ body: (SnapshotCadence, BlockLevel, _ pages: SnapshotTally) -> Result) -> [Result] {
        diffs.filter { $0.cadence.length.count > 0 }.flatMap { diff in
            // Pages are counted even when they were not asked for.
            diff.levels.filter { options.blocks.contains($0.block) }.map {
                body(diff.cadence, $0, diff.levels[0].tally)
            }
        }
    }

    /// Dirty pages of all complete diffs, by cadence.
    var dirtyPages: [Int64] { diffs.map(\.levels[0].tally.totalBlocks) }

    var sizes: [SnapshotSize] {
        each { cadence, level, pages in
            let tally = level.tally
            let dirty = pages.totalBlocks * pageSize
            func share(_ bytesPerExtent: Double?) -> Double? {
                guard full.bytes > 0 else { return nil }
                return bytesPerExtent.map {
                    options.cost.breakEven(full: full.ns, bytesPerExtent: $0) / Double(full.bytes)
                }
            }
            return SnapshotSize(
                cadenceNs: cadence.cadenceNs, meanNs: cadence.length.sum / cadence.length.count,
                leastNs: cadence.length.min, mostNs: cadence.length.max, block: level.block, count: tally.size.count,
                blocks: tally.totalBlocks, bytes: tally.size.sum, extents: tally.totalExtents, first: tally.first ?? 0,
                size: tally.size.summary, pause: tally.pause.summary,
                amplification: dirty == 0 ? nil : Double(tally.size.sum) / Double(dirty),
                fullAboveShare: share(tally.extentBytes?.most), fullAboveShareLow: share(tally.extentBytes?.least),
                dearer: tally.dearer, rebaseEvery: tally.rebaseEvery)
        }
    }

    var scores: [SetStability] { diffs.flatMap { $0.stability.scores($0.cadence.cadenceNs) } }

    /// What forks dirty within each of the times that were asked, or else within each cadence.
    var forks: [ForkPlan] {
        let table = windows.finish()
        return (options.withinNs ?? diffs.map(\.cadence.cadenceNs)).compactMap { ForkPlan($0, table) }
    }

    var chains: [SnapshotChain] {
        each { cadence, level, _ in
            level.tally.chain.map { chain in
                let bytes = full.bytes + chain.bytes
                return SnapshotChain(
                    cadenceNs: cadence.cadenceNs, block: level.block, diffs: chain.diffs, restoreBytes: bytes,
                    restoreNs: options.cost.nanoseconds(
                        bytes: bytes, extents: chain.extents + (full.bytes > 0 ? 1 : 0)))
            }
        }.flatMap { $0 }
    }
}
