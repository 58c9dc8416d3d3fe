import Model

/// The pages that keep a migration from converging, and who dirties them.
package struct Blocking: Sendable, Equatable {
    /// Neighbouring blocking pages.
    package struct PageRange: Sendable, Equatable {
        package var firstGFN: GFN
        package var pages: Int64
    }
    /// A vCPU's part.
    package struct Culprit: Sendable, Equatable {
        /// The vCPU; nil for entries that name none.
        package var vcpu: Int?
        /// Blocking pages that it was the first to dirty in the last window.
        package var pages: Int64
    }

    /// The cell that they block: bytes per second.
    package var bandwidth: Int64
    package var downtimeNs: Int64
    package var policy: MigrationPolicy
    /// Windows that were looked at, at most 16: the last complete rounds of the replay, or as many stretches that are too
    /// long to be sent in their own time.
    package var windows: Int
    /// Pages dirtied in every one of them.
    package var pages: Int64 = 0
    /// The longest ranges of such pages, longest first.
    package var ranges: [PageRange] = []
    /// vCPUs by their part, largest first.
    package var culprits: [Culprit] = []
}

/// Reads a recording again to find the pages dirtied in each of several windows.
struct BlockingCollector: RecordingVisitor {
    private struct State {
        var window: UInt8 = 0
        var windows: UInt8 = 0
        var ring: UInt16 = 0
    }

    /// Ascending, as half-open ranges of iterations from 1; windows may touch but not overlap.
    private let windows: [Range<Int>]
    private var number = 1
    private var current = 0
    private let pages: PageLedger
    private var states: [State]
    private var vcpus: [Int?] = []

    /// - Precondition: at most 255 windows.
    init(_ pages: PageLedger, windows: [Range<Int>]) {
        (self.pages, self.windows) = (pages, windows)
        states = [State](repeating: State(), count: pages.count)
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        guard current < windows.count, windows[current].contains(number) else { return }
        let ring = vcpus.firstIndex(of: harvest.vcpu) ?? vcpus.count
        if ring == vcpus.count { vcpus.append(harvest.vcpu) }
        let window = UInt8(current + 1)
        for gfn in gfns {
            // A file may have grown since it was first read.
            guard let page = pages.number(of: gfn), states[page].window != window else { continue }
            states[page].window = window
            states[page].windows += 1
            states[page].ring = UInt16(truncatingIfNeeded: ring)
        }
    }

    mutating func visit(_ iteration: Iteration) throws {
        number += 1
        while current < windows.count, windows[current].upperBound <= number { current += 1 }
    }

    func finish(into blocking: inout Blocking, ranges limit: Int) {
        var gfns: [GFN] = []
        var perRing = [Int64](repeating: 0, count: vcpus.count)
        var page = 0
        pages.forEachPage { gfn, _ in
            if Int(states[page].windows) == windows.count {
                gfns.append(gfn)
                perRing[Int(states[page].ring)] += 1
            }
            page += 1
        }
        blocking.pages = Int64(gfns.count)
        blocking.culprits = zip(vcpus, perRing).filter { $0.1 > 0 }
            .map { Blocking.Culprit(vcpu: $0.0, pages: $0.1) }
            .sorted { ($1.pages, $0.vcpu ?? -1) < ($0.pages, $1.vcpu ?? -1) }
        gfns.sort()
        var all: [Blocking.PageRange] = []
        for gfn in gfns {
            if let last = all.last, last.firstGFN + GFN(last.pages) == gfn {
                all[all.count - 1].pages += 1
            } else {
                all.append(Blocking.PageRange(firstGFN: gfn, pages: 1))
            }
        }
        all.sort { ($1.pages, $0.firstGFN) < ($0.pages, $1.firstGFN) }
        blocking.ranges = Array(all.prefix(limit))
    }
}
