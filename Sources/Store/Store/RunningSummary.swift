import GRDB
import Model

/// Computes the summary tables in one pass: over what is being recorded, or over the segments of a file.
///
/// Memory follows the distinct pages, at most some 100 bytes each, and some 10 bytes an iteration.
struct RunningSummary: RecordingVisitor {
    private struct Page {
        var entries: Int64 = 0
        var iterations: Int64 = 0
        var firstIteration: Int64 = 0
        var lastIteration: Int64 = 0
        var firstNs: Int64 = 0
        var lastNs: Int64 = 0
        /// vCPUs 0...63 that reported it.
        var mask: UInt64 = 0
    }
    private struct Report: Hashable {
        var page: UInt32
        var vcpu: UInt16
    }
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

    private var index = PageIndex()
    private var classifier = DuplicateClassifier()
    private var epochs = ProtectionEpochs()
    private var pages: [Page] = []
    /// Pages reported by each vCPU from 64 on, so that memory follows the entries and not pages times vCPUs.
    private var higher: Set<Report> = []
    private var iteration: Int64 = 0
    /// Rows that nobody has taken yet.
    private var kept = PackedIterations()
    private var numbers: [Int] = []
    /// All iterations together, and the last one.
    private var (total, last) = (DuplicateCounts(), DuplicateCounts())
    private var knownPages = 0
    private(set) var entries: Int64 = 0
    private(set) var vcpus: [VCPURow] = []
    private let emit: ((IterationRow) throws -> Void)?
    private let progress: (Int64) -> Void

    /// - Parameters:
    ///   - emit: Receives each iteration's row as soon as it is complete; without it they are kept for ``finish(iteration:page:)``.
    ///   - progress: Receives the number of entries seen, once a harvest.
    init(
        vcpuCount: Int, emit: ((IterationRow) throws -> Void)? = nil, progress: @escaping (Int64) -> Void = { _ in }
    ) {
        self.emit = emit
        self.progress = progress
        add(vcpus: vcpuCount)
    }

    /// From now on there are at least `count` vCPUs.
    mutating func add(vcpus count: Int) {
        while vcpus.count < count { vcpus.append(VCPURow(vcpu: vcpus.count)) }
    }

    /// Says what the entries add up to so far.
    func show(in totals: inout RunningTotals) {
        (totals.counts, totals.lastCounts, totals.pages) = (total, last, Int64(index.count))
        totals.vcpus = vcpus.map { .init(entries: $0.entries, ringFull: $0.ringFull, stallNs: $0.stallNs) }
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        if harvest.iteration != iteration { begin(harvest.iteration) }
        let ring = harvest.ring
        let epoch = epochs.epoch(of: harvest)
        let firstProvisional = gfns.count - harvest.provisionalCount
        index.insert(gfns.span, into: &numbers)
        for (position, page) in numbers.enumerated() {
            _ = classifier.classify(page: page, ring: ring, provisional: position >= firstProvisional, epoch: epoch)
            if page == pages.count {
                pages.append(Page(firstIteration: iteration, firstNs: harvest.tsNs))
            }
            pages[page].entries += 1
            if pages[page].lastIteration != iteration {
                pages[page].iterations += 1
                pages[page].lastIteration = iteration
            }
            pages[page].lastNs = harvest.tsNs
            guard let vcpu = harvest.vcpu else { continue }
            if vcpu < 64 {
                pages[page].mask |= 1 << UInt64(vcpu)
            } else {
                higher.insert(Report(page: UInt32(page), vcpu: UInt16(vcpu)))
            }
        }
        if let vcpu = harvest.vcpu {
            vcpus[vcpu].harvests += 1
            vcpus[vcpu].entries += Int64(gfns.count)
            vcpus[vcpu].ringFull += harvest.cause == .ringFull ? 1 : 0
            vcpus[vcpu].stallNs += harvest.stallNs
        }
        entries += Int64(gfns.count)
        progress(entries)
    }

    mutating func visit(_ iteration: Iteration) throws {
        if iteration.id != self.iteration { begin(iteration.id) }
        let row = IterationRow(
            iteration: iteration.id, counts: classifier.counts, newPages: Int64(index.count - knownPages))
        if let emit { try emit(row) } else { kept.append(row) }
        last = classifier.counts
        total += last
        knownPages = index.count
    }

    private mutating func begin(_ iteration: Int64) {
        self.iteration = iteration
        classifier.begin(iteration: iteration)
    }

    /// Completes the totals of vCPUs; hands out the iterations that were kept, and every page in ascending order.
    mutating func finish(
        iteration take: (IterationRow) throws -> Void, page emit: (PageRow) throws -> Void
    ) rethrows {
        try kept.forEach(take)
        var higherReporters: [UInt32: Int64] = [:]
        for report in higher {
            higherReporters[report.page, default: 0] += 1
            vcpus[Int(report.vcpu)].uniquePages += 1
        }
        for number in index.gfns.indices.sorted(by: { index.gfns[$0] < index.gfns[$1] }) {
            let page = pages[number]
            var rest = page.mask
            while rest != 0 {
                vcpus[rest.trailingZeroBitCount].uniquePages += 1
                rest &= rest - 1
            }
            try emit(
                PageRow(
                    gfn: index.gfns[number], entries: page.entries, iterations: page.iterations,
                    vcpuCount: Int64(page.mask.nonzeroBitCount) + higherReporters[UInt32(number), default: 0],
                    vcpuMask: vcpus.count <= 63 ? Int64(bitPattern: page.mask) : nil,
                    firstIteration: page.firstIteration, lastIteration: page.lastIteration, firstNs: page.firstNs,
                    lastNs: page.lastNs))
        }
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
