import GRDB
import Model

/// Computes the summary tables in one pass over the segments.
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
    /// A row of `vcpu`.
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
    /// A row of `iteration_summary`.
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
    /// A row of `page_summary`.
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
    private let vcpuCount: Int
    private var iteration: Int64 = 0
    private var knownPages = 0
    private(set) var entries: Int64 = 0
    private(set) var vcpus: [VCPURow]
    private let emit: (IterationRow) throws -> Void
    private let progress: (Int64) -> Void

    /// - Parameters:
    ///   - emit: Receives each iteration's row as soon as it is complete.
    ///   - progress: Receives the number of entries seen, once a harvest.
    init(
        vcpuCount: Int, emit: @escaping (IterationRow) throws -> Void, progress: @escaping (Int64) -> Void = { _ in }
    ) {
        self.vcpuCount = vcpuCount
        self.emit = emit
        self.progress = progress
        vcpus = (0..<vcpuCount).map { VCPURow(vcpu: $0) }
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        if harvest.iteration != iteration { begin(harvest.iteration) }
        let ring = DuplicateClassifier.ring(of: harvest)
        let epoch = epochs.epoch(of: harvest)
        let firstProvisional = gfns.count - harvest.provisionalCount
        for (position, gfn) in gfns.enumerated() {
            let page = index.insert(gfn)
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
        try emit(
            IterationRow(
                iteration: iteration.id, counts: classifier.counts, newPages: Int64(index.count - knownPages)))
        knownPages = index.count
    }

    private mutating func begin(_ iteration: Int64) {
        self.iteration = iteration
        classifier.begin(iteration: iteration)
    }

    /// Completes the totals of vCPUs and hands out every page in ascending order.
    mutating func finish(page emit: (PageRow) throws -> Void) rethrows {
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
                    vcpuMask: vcpuCount <= 63 ? Int64(bitPattern: page.mask) : nil,
                    firstIteration: page.firstIteration, lastIteration: page.lastIteration, firstNs: page.firstNs,
                    lastNs: page.lastNs))
        }
    }
}
