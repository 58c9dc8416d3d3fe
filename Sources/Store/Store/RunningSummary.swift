import GRDB
import Model
import Platform

/// What is known of a page. 24 bytes.
private struct SummaryPage: Sendable {
    /// The last 32 bits of the number of its entries; how often they were passed stands in ``SummaryShard/carries``.
    var entries: UInt32 = 0
    var iterations: UInt32 = 0
    /// Numbers of the first and the last harvest that reported it.
    var first: UInt32 = 0
    var last: UInt32 = 0
    /// vCPUs 0...63 that reported it.
    var mask: UInt64 = 0
}

/// The pages of one shard, as the summary tables know them.
private struct SummaryShard: PageShardState {
    /// What shards must know of a harvest.
    struct Step: Sendable {
        var ring: Int32
        var vcpu: Int?
        var epoch: UInt16
        var iteration: Int64
        /// The harvest's number, from 0.
        var number: UInt32
    }
    /// What one worker adds up: of each harvest in the batch, what it adds, and pages that were never seen before.
    struct Tally: Sendable {
        var harvests: [(counts: DuplicateCounts, newPages: Int64)] = []
    }
    /// A vCPU from 64 on, by 64: of each page, a bit for each of these vCPUs that reported it. In leaves of 64 pages, so that memory
    /// follows the entries and not pages times vCPUs.
    struct Reporters: Sendable {
        private var leafOfBlock: [UInt32] = []
        private var leaves: [UInt64] = []

        mutating func insert(_ bit: UInt64, _ page: Int) {
            let block = page >> 6
            if block >= leafOfBlock.count {
                leafOfBlock.append(contentsOf: repeatElement(.max, count: block + 1 - leafOfBlock.count))
            }
            if leafOfBlock[block] == .max {
                leafOfBlock[block] = UInt32(leaves.count >> 6)
                leaves.append(contentsOf: repeatElement(0, count: 64))
            }
            leaves[Int(leafOfBlock[block]) << 6 | page & 63] |= bit
        }

        func bits(_ page: Int) -> UInt64 {
            guard page >> 6 < leafOfBlock.count, leafOfBlock[page >> 6] != .max else { return 0 }
            return leaves[Int(leafOfBlock[page >> 6]) << 6 | page & 63]
        }
    }

    private(set) var index = PageIndex(nearKeys: 1 << 16)
    private(set) var pages: [SummaryPage] = []
    private(set) var carries: [Int: Int64] = [:]
    private(set) var higher: [Int: Reporters] = [:]
    private var classifier = DuplicateClassifier()
    private var iteration: Int64 = 0
    private var numbers: [Int] = []

    mutating func take(
        _ gfns: Span<GFN>, provisional: Int, of step: Step, place: Int, shard: Int, into tally: inout Tally
    ) {
        if step.iteration != iteration {
            iteration = step.iteration
            classifier.beginIteration()
        }
        let (known, before) = (index.count, classifier.counts)
        index.insert(gfns, into: &numbers)
        pages.append(contentsOf: repeatElement(SummaryPage(first: step.number), count: index.count - known))
        let firstProvisional = gfns.count - provisional
        let bit = step.vcpu.map { $0 < 64 ? UInt64(1) << UInt64($0) : 0 } ?? 0
        for (position, page) in numbers.enumerated() {
            let found = classifier.classify(
                page: page, ring: step.ring, provisional: position >= firstProvisional, epoch: step.epoch)
            pages[page].entries &+= 1
            if pages[page].entries == 0 { carries[page, default: 0] += 1 }
            if found == .distinct { pages[page].iterations &+= 1 }
            pages[page].last = step.number
            pages[page].mask |= bit
        }
        if let vcpu = step.vcpu, vcpu >= 64 {
            var reporters = higher.removeValue(forKey: vcpu >> 6) ?? Reporters()
            for page in numbers { reporters.insert(1 << UInt64(vcpu & 63), page) }
            higher[vcpu >> 6] = reporters
        }
        let added: DuplicateCounts = classifier.counts - before
        tally.harvests[place].counts += added
        tally.harvests[place].newPages += Int64(index.count - known)
    }

    mutating func finish() {
        classifier = DuplicateClassifier()
        numbers = []
    }
}

/// Computes the summary tables in one pass: over what is being recorded, or over the segments of a file.
///
/// Entries are counted in batches, by all workers at once. Memory follows the distinct pages, at most some 90 bytes each, and some 30
/// bytes a harvest.
struct RunningSummary: RecordingVisitor {
    struct VCPURow: EncodableRow {
        static let table = "vcpu"
        var vcpu: Int
        var harvests: Int64 = 0
        var entries: Int64 = 0
        var uniquePages: Int64 = 0
        var ringFull: Int64 = 0
        var stallNs: Int64 = 0

        func encode(to row: inout some RowEncoder) {
            row.set("vcpu", vcpu)
            row.set("harvests", harvests)
            row.set("entries", entries)
            row.set("unique_pages", uniquePages)
            row.set("ring_full", ringFull)
            row.set("stall_ns", stallNs)
        }
    }
    struct IterationRow: EncodableRow {
        static let table = "iteration_summary"
        var iteration: Int64
        var counts: DuplicateCounts
        var newPages: Int64

        /// The table's `same_ring` is all that a ring repeats.
        func encode(to row: inout some RowEncoder) {
            row.set("iteration", iteration)
            row.set("entries", counts.entries)
            row.set("unique_pages", counts.distinct)
            row.set("new_pages", newPages)
            row.set("cross_ring", counts.crossRing)
            row.set("same_ring", counts.redirtied + counts.sameRing)
            row.set("provisional", counts.provisional)
            row.set("vmm", counts.vmm)
        }
    }
    struct PageRow: EncodableRow {
        static let table = "page_summary"
        var gfn: GFN
        var entries: Int64
        var iterations: Int64
        var vcpuCount: Int64
        var vcpuMask: Int64?
        var firstIteration: Int64
        var lastIteration: Int64
        var firstNs: Int64
        var lastNs: Int64

        func encode(to row: inout some RowEncoder) {
            row.set("gfn", gfn)
            row.set("entries", entries)
            row.set("iterations", iterations)
            row.set("vcpu_count", vcpuCount)
            row.set("vcpu_mask", vcpuMask)
            row.set("first_iteration", firstIteration)
            row.set("last_iteration", lastIteration)
            row.set("first_ns", firstNs)
            row.set("last_ns", lastNs)
        }
    }

    /// Who follows the pass, in the order of the recording.
    struct Follower {
        var harvest: (Harvest, [GFN]) throws -> Void = { _, _ in }
        var iteration: (Iteration) throws -> Void = { _ in }
        /// An iteration's row, as soon as it is complete; without it they are kept for ``finish(iteration:page:)``.
        var row: ((IterationRow) throws -> Void)?
        /// The number of entries seen, once a harvest.
        var progress: (Int64) -> Void = { _ in }
    }
    private enum Event {
        case harvest(Harvest)
        case iteration(Iteration)
    }

    private let shards: PageShards<SummaryShard>
    private var events: [Event] = []
    private var batch: [PageShards<SummaryShard>.Harvested] = []
    private var batchEntries = 0
    private var epochs = ProtectionEpochs()
    /// Iteration and time of each harvest.
    private var moments: [(iteration: Int64, ns: Int64)] = []
    /// Of the iteration in progress.
    private var counts = DuplicateCounts()
    private var newPages: Int64 = 0
    /// Rows that nobody has taken yet.
    private var kept = PackedIterations()
    /// All iterations together, and the last one.
    private var (total, last) = (DuplicateCounts(), DuplicateCounts())
    private var pages: Int64 = 0
    private var entries: Int64 = 0
    private var vcpuRows: [VCPURow] = []
    private let follower: Follower
    /// Whether ``finish(iteration:page:)`` will be asked; else nothing is kept of iterations and harvests that are over.
    private let isForTables: Bool

    /// 8 MB of GFNs, and as much while they are sorted.
    private static let mostEntries = 1 << 20
    private static let mostEvents = 1 << 14

    /// - Parameter workers: Threads that share the work.
    init(
        vcpuCount: Int, workers: Int = Parallel.workers, follower: Follower = Follower(), isForTables: Bool = true
    ) {
        self.follower = follower
        self.isForTables = isForTables
        shards = PageShards(SummaryShard(), SummaryShard.Tally(), workers: workers)
        add(vcpus: vcpuCount)
    }

    /// From now on there are at least `count` vCPUs.
    mutating func add(vcpus count: Int) {
        while vcpuRows.count < count { vcpuRows.append(VCPURow(vcpu: vcpuRows.count)) }
    }

    /// Known vCPUs.
    var vcpuCount: Int { vcpuRows.count }

    /// Says what the entries of whole iterations add up to so far.
    mutating func show(in totals: inout RunningTotals) throws {
        try count()
        (totals.counts, totals.lastCounts, totals.pages) = (total, last, pages)
        totals.vcpus = vcpuRows.map { .init(entries: $0.entries, ringFull: $0.ringFull, stallNs: $0.stallNs) }
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        events.append(.harvest(harvest))
        batch.append(
            PageShards.Harvested(
                step: SummaryShard.Step(
                    ring: harvest.ring, vcpu: harvest.vcpu, epoch: epochs.epoch(of: harvest),
                    iteration: harvest.iteration, number: UInt32(moments.count)),
                gfns: gfns, provisionalCount: harvest.provisionalCount))
        if isForTables { moments.append((harvest.iteration, harvest.tsNs)) }
        if let vcpu = harvest.vcpu {
            vcpuRows[vcpu].harvests += 1
            vcpuRows[vcpu].entries += Int64(gfns.count)
            vcpuRows[vcpu].ringFull += harvest.cause == .ringFull ? 1 : 0
            vcpuRows[vcpu].stallNs &+= harvest.stallNs
        }
        batchEntries += gfns.count
        if batchEntries >= Self.mostEntries || events.count >= Self.mostEvents { try count() }
    }

    mutating func visit(_ iteration: Iteration) throws {
        events.append(.iteration(iteration))
        if events.count >= Self.mostEvents { try count() }
    }

    /// Counts what came.
    mutating func count() throws {
        let harvests = batch.count
        shards.forEachTally { $0.harvests = Array(repeating: (DuplicateCounts(), 0), count: harvests) }
        shards.take(batch)
        var added = [(counts: DuplicateCounts, newPages: Int64)](repeating: (DuplicateCounts(), 0), count: harvests)
        shards.forEachTally { tally in
            for place in added.indices {
                added[place].counts += tally.harvests[place].counts
                added[place].newPages += tally.harvests[place].newPages
            }
        }
        let (events, batch) = (events, batch)
        self.events.removeAll(keepingCapacity: true)
        self.batch.removeAll(keepingCapacity: true)
        batchEntries = 0
        var place = 0
        for event in events {
            switch event {
            case .harvest(let harvest):
                counts += added[place].counts
                newPages += added[place].newPages
                entries += Int64(batch[place].gfns.count)
                try follower.harvest(harvest, batch[place].gfns)
                follower.progress(entries)
                place += 1
            case .iteration(let iteration):
                let row = IterationRow(iteration: iteration.id, counts: counts, newPages: newPages)
                last = counts
                total += last
                pages += newPages
                (counts, newPages) = (DuplicateCounts(), 0)
                try follower.iteration(iteration)
                if let take = follower.row { try take(row) } else if isForTables { kept.append(row) }
            }
        }
    }

    /// Hands out the iterations that were kept, and every page in ascending order.
    ///
    /// - Returns: what is known of vCPUs, and how many entries there are.
    mutating func finish(
        iteration take: (IterationRow) throws -> Void, page emit: (PageRow) throws -> Void
    ) throws -> (vcpus: [VCPURow], entries: Int64) {
        try count()
        try kept.forEach(take)
        shards.forEachShard { state, _ in state.finish() }
        let states = shards.states
        var places: [(gfn: GFN, shard: UInt8, page: UInt32)] = []
        places.reserveCapacity(states.reduce(0) { $0 + $1.index.count })
        for (shard, state) in states.enumerated() {
            for (page, gfn) in state.index.gfns.enumerated() {
                places.append((PageShard.gfn(gfn, in: shard), UInt8(shard), UInt32(page)))
            }
        }
        places.sort { $0.gfn < $1.gfn }
        for (gfn, shard, number) in places {
            let state = states[Int(shard)]
            let page = state.pages[Int(number)]
            var reporters = Self.count(page.mask, from: 0, &vcpuRows)
            for (word, higher) in state.higher {
                reporters += Self.count(higher.bits(Int(number)), from: word << 6, &vcpuRows)
            }
            let (first, last) = (moments[Int(page.first)], moments[Int(page.last)])
            try emit(
                PageRow(
                    gfn: gfn,
                    entries: Int64(page.entries) + (state.carries.isEmpty ? 0 : state.carries[Int(number)] ?? 0) << 32,
                    iterations: Int64(page.iterations), vcpuCount: reporters,
                    vcpuMask: vcpuRows.count <= 63 ? Int64(bitPattern: page.mask) : nil,
                    firstIteration: first.iteration, lastIteration: last.iteration, firstNs: first.ns, lastNs: last.ns))
        }
        return (vcpuRows, entries)
    }

    /// Adds a page to each vCPU whose bit is set. - Returns: how many these are.
    private static func count(_ bits: UInt64, from first: Int, _ rows: inout [VCPURow]) -> Int64 {
        var rest = bits
        while rest != 0 {
            rows[first + rest.trailingZeroBitCount].uniquePages += 1
            rest &= rest - 1
        }
        return Int64(bits.nonzeroBitCount)
    }
}

/// Rows of iterations, packed: a recording may have millions.
private struct PackedIterations {
    private static let fields: [any WritableKeyPath<RunningSummary.IterationRow, Int64> & Sendable] = [
        \.iteration, \.newPages, \.counts.entries, \.counts.distinct, \.counts.crossRing, \.counts.redirtied,
        \.counts.sameRing, \.counts.provisional, \.counts.vmm,
    ]
    private var bytes: [UInt8] = []

    mutating func append(_ row: RunningSummary.IterationRow) {
        for field in Self.fields {
            var rest = UInt64(bitPattern: row[keyPath: field])
            while rest > 0x7f {
                bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
    }

    func forEach(_ body: (RunningSummary.IterationRow) throws -> Void) rethrows {
        var place = 0
        while place < bytes.count {
            var row = RunningSummary.IterationRow(iteration: 0, counts: DuplicateCounts(), newPages: 0)
            for field in Self.fields {
                var value: UInt64 = 0
                var shift: UInt64 = 0
                repeat {
                    value |= UInt64(bytes[place] & 0x7f) << shift
                    shift += 7
                    place += 1
                } while bytes[place - 1] > 0x7f
                row[keyPath: field] = Int64(bitPattern: value)
            }
            try body(row)
        }
    }
}
