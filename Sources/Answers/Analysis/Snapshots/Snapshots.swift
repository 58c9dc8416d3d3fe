import Model

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
        if options.cadencesNs == nil { pass.keepUsual() }
        if options.cadencesNs == nil, pass.cadences.isEmpty {
            // A recording too short for any of them: every iteration.
            resolved.cadencesNs = [1]
            pass = SnapshotPass(recording.info, resolved, fullBytes: pages * pageSize)
            try recording.replay(into: &pass)
        }
        resolved.cadencesNs = pass.cadences.map(\.cadenceNs)
        var report = SnapshotReport(
            pageSize: pageSize, memoryPages: pages, memoryBasis: basis, options: resolved,
            losses: Int64(try recording.losses.count), sizes: pass.sizes, chains: pass.chains, stability: pass.scores,
            forks: pass.forks,
            unfinishedNs: pass.cadences.filter { $0.length.count == 0 }.map(\.cadenceNs))
        report.contents = try contents(recording, resolved.cadencesNs ?? [], pass)
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
        where cadences[place].endIteration(0, at: endNs, origin: origin ?? endNs) { ends[place].append(iteration.id) }
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

/// The pass. A block is new to a diff when its last dirtying lies before the diff's begin, so one stamp a block serves every
/// cadence; and a diff has as many extents as blocks, less one for each pair of neighbours.
struct SnapshotPass: RecordingVisitor, Sendable {
    private(set) var cadences: [SnapshotCadence]
    private let pageSize: Int64
    private let options: SnapshotOptions
    private let full: (bytes: Int64, ns: Int64)
    private var levels: [Level]
    private var number: UInt32 = 1
    private var origin: Int64?
    private var endNs: Int64 = 0
    /// Begins of the diffs in progress, and the latest of them.
    private var starts: [UInt32]
    private var newest: UInt32 = 0
    /// Distinct pages of every window, for forks.
    private var windows = WindowTableBuilder()
    // What the next diff is foretold by.
    private var index = PageIndex()
    private var stability: [StabilityTally]
    private var newGFNs: [GFN] = []
    private var newBefore: [UInt32] = []
    private var numbers: [Int] = []

    /// Blocks of one size.
    private struct Level: Sendable {
        let block: Int64
        /// The finer level whose blocks these are made of, and how many of them.
        let source: Int
        let factor: UInt64
        var stamps = BlockStamps()
        var tallies: [SnapshotTally]
        var fresh: [UInt64] = []
        var before: [UInt32] = []
        var sides: [SIMD2<UInt32>] = []
    }

    init(_ info: RecordingInfo, _ options: SnapshotOptions, fullBytes: Int64) {
        pageSize = info.pageSize
        self.options = options
        full = (fullBytes, options.cost.nanoseconds(bytes: fullBytes, extents: fullBytes > 0 ? 1 : 0))
        cadences = (options.cadencesNs ?? []).map(SnapshotCadence.init)
        starts = [UInt32](repeating: 0, count: cadences.count)
        stability = [StabilityTally](repeating: StabilityTally(), count: cadences.count)
        // Pages always come first: everything else is made of them, and measured by them.
        let sizes = [info.pageSize] + options.blocks.filter { $0 > info.pageSize }
        levels = sizes.enumerated().map { [cadences] place, block in
            let source = sizes[..<place].lastIndex { block % $0 == 0 } ?? 0
            return Level(
                block: block, source: source, factor: UInt64(block / sizes[source]),
                tallies: [SnapshotTally](repeating: SnapshotTally(), count: cadences.count))
        }
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        for place in levels.indices {
            let units = place == 0 ? gfns : levels[levels[place].source].fresh
            Self.add(
                units, to: &levels[place], iteration: number, newest: newest, starts: starts,
                keepsBlocks: options.coalesce > 0
            )
            if place == 0 { followPages() }
        }
    }

    /// Takes the pages that are fresh in this iteration, for what the next diff is foretold by and for forks.
    private mutating func followPages() {
        let (fresh, before) = (levels[0].fresh, levels[0].before)
        let mask = (UInt32(1) << windows.shift) - 1
        newGFNs.removeAll(keepingCapacity: true)
        newBefore.removeAll(keepingCapacity: true)
        for place in before.indices {
            windows.row[Int((before[place] &+ mask) >> windows.shift)] &+= 1
            if before[place] <= newest {
                newGFNs.append(fresh[place])
                newBefore.append(before[place])
            }
        }
        let gfns = newGFNs
        index.insert(gfns.span, into: &numbers)
        for cadence in starts.indices {
            let start = starts[cadence]
            for place in newBefore.indices where newBefore[place] <= start {
                stability[cadence].add(page: numbers[place], before: newBefore[place])
            }
        }
    }

    private static func add(
        _ units: [UInt64], to level: inout Level, iteration: UInt32, newest: UInt32, starts: [UInt32], keepsBlocks: Bool
    ) {
        level.stamps.add(
            units, factor: level.factor, iteration: iteration, newest: newest, fresh: &level.fresh,
            before: &level.before,
            sides: &level.sides)
        let (before, sides) = (level.before, level.sides)
        for cadence in starts.indices {
            let start = starts[cadence]
            var (blocks, joins) = (Int64(0), Int64(0))
            for place in before.indices where before[place] <= start {
                blocks += 1
                joins += (sides[place].x > start ? 1 : 0) + (sides[place].y > start ? 1 : 0)
                if keepsBlocks { level.tallies[cadence].list.append(level.fresh[place]) }
            }
            level.tallies[cadence].blocks += blocks
            level.tallies[cadence].joins += joins
        }
    }

    mutating func visit(_ iteration: Iteration) throws {
        if origin == nil {
            (origin, endNs) = (iteration.startNs, iteration.startNs)
            for place in cadences.indices { cadences[place].begin(at: iteration.startNs) }
            windows.start(at: iteration.startNs)
        }
        // Boundaries must not run backwards, whatever a damaged file says.
        endNs = max(iteration.endNs, endNs)
        for place in cadences.indices
        where cadences[place].endIteration(number, at: endNs, origin: origin ?? endNs) {
            for level in levels.indices {
                levels[level].tallies[place].endDiff(block: levels[level].block, options: options, full: full)
            }
            stability[place].endDiff(number)
            starts[place] = number
        }
        windows.endIteration(at: endNs)
        newest = starts.max() ?? 0
        number += 1
    }

    /// Keeps, of cadences that nobody asked for, at most six that say something.
    mutating func keepUsual() {
        // Of those that take a snapshot at the same iterations, the longest names them best.
        var kept = cadences.indices.filter { place in
            let count = cadences[place].length.count
            return count > 1 && !cadences[(place + 1)...].contains { $0.length.count == count }
        }
        if kept.count > 6 { kept = (0..<6).map { kept[$0 * (kept.count - 1) / 5] } }
        for level in levels.indices { levels[level].tallies = kept.map { levels[level].tallies[$0] } }
        stability = kept.map { stability[$0] }
        cadences = kept.map { cadences[$0] }
    }

    /// Levels that were asked for: pages are counted even when they were not.
    private var asked: [Level] { levels.filter { options.blocks.contains($0.block) } }

    private func each<Result>(_ body: (SnapshotCadence, Level, SnapshotTally, _ pages: SnapshotTally) -> Result)
        -> [Result]
    {
        cadences.indices.filter { cadences[$0].length.count > 0 }.flatMap { place in
            asked.map { body(cadences[place], $0, $0.tallies[place], levels[0].tallies[place]) }
        }
    }

    /// Dirty pages of all complete diffs, by cadence.
    var dirtyPages: [Int64] { levels[0].tallies.map(\.totalBlocks) }

    var sizes: [SnapshotSize] {
        each { cadence, level, tally, pages in
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

    var scores: [SetStability] { cadences.indices.flatMap { stability[$0].scores(cadences[$0].cadenceNs) } }

    /// What forks dirty within each of the times that were asked, or else within each cadence.
    var forks: [ForkPlan] {
        let table = windows.finish()
        return (options.withinNs ?? cadences.map(\.cadenceNs)).compactMap { ForkPlan($0, table) }
    }

    var chains: [SnapshotChain] {
        each { cadence, level, tally, _ in
            tally.chain.map { chain in
                let bytes = full.bytes + chain.bytes
                return SnapshotChain(
                    cadenceNs: cadence.cadenceNs, block: level.block, diffs: chain.diffs, restoreBytes: bytes,
                    restoreNs: options.cost.nanoseconds(
                        bytes: bytes, extents: chain.extents + (full.bytes > 0 ? 1 : 0)))
            }
        }.flatMap { $0 }
    }
}
