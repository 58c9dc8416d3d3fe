import Model

/// Pages to read ahead when a guest resumes: those that a policy foretells after the last diff of the recording.
package struct PrefetchList: Sendable, Equatable {
    /// Neighbouring pages.
    package struct Range: Sendable, Equatable {
        package var first: GFN
        package var pages: Int64
    }

    /// The policy and its scores.
    package var policy: SetStability
    /// Whether ranges are in the order of the pages' first writes after the begin of the last diff that held them; else in that of
    /// their addresses.
    package var isByTime: Bool
    /// The pages, each once.
    package var ranges: [Range]
    package var pages: Int64 { ranges.reduce(0) { $0 + $1.pages } }

    /// What `policy` foretells after the last of its diffs.
    ///
    /// - Throws: whatever reading the recording throws.
    package init(_ recording: some Recording, policy: SetStability) throws {
        var pass = PrefetchPass(policy)
        try recording.replay(into: &pass)
        self.policy = policy
        isByTime = pass.isExact
        var order = pass.foretold
        if isByTime {
            order.sort { ($0.offset, $0.gfn) < ($1.offset, $1.gfn) }
        } else {
            order.sort { $0.gfn < $1.gfn }
        }
        ranges = []
        for (gfn, _) in order {
            if let last = ranges.last, last.first &+ GFN(last.pages) == gfn {
                ranges[ranges.count - 1].pages += 1
            } else {
                ranges.append(Range(first: gfn, pages: 1))
            }
        }
    }
}

/// Follows the pages of the diffs at one cadence until the last complete one.
private struct PrefetchPass: RecordingVisitor {
    /// What is known of a page.
    private struct State {
        /// The diff that held it last, from 1.
        var diff: Int64 = 0
        /// How many did.
        var count: Int64 = 0
        /// Its first write in that diff, after the diff's begin.
        var offset: Int64 = 0
    }

    private let policy: SetStability
    private var cadence: SnapshotCadence
    private var index = PageIndex()
    private var states: [State] = []
    private var diff: Int64 = 1
    private var origin: Int64?
    private var beginNs: Int64 = 0
    private var endNs: Int64 = 0
    /// Whether every entry so far had its exact time.
    private(set) var isExact = true
    /// The last diff that counts.
    private var last: Int64 { policy.diffs + 1 }

    init(_ policy: SetStability) {
        self.policy = policy
        cadence = SnapshotCadence(policy.cadenceNs)
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { try visit(harvest, gfns: gfns, times: []) }

    mutating func visit(_ harvest: Harvest, gfns: [GFN], times: [Int64]) throws {
        if origin == nil { beginNs = harvest.sinceNs }
        guard diff <= last, !gfns.isEmpty else { return }
        if times.isEmpty { isExact = false }
        for (place, gfn) in gfns.enumerated() {
            let page = index.insert(gfn)
            if page == states.count { states.append(State()) }
            let (since, overflow) =
                place < times.count ? times[place].subtractingReportingOverflow(beginNs) : (0, false)
            let offset = overflow ? 0 : max(0, since)
            if states[page].diff == diff {
                states[page].offset = min(states[page].offset, offset)
            } else {
                states[page] = State(diff: diff, count: states[page].count + 1, offset: offset)
            }
        }
    }

    mutating func visit(_ iteration: Iteration) throws {
        if origin == nil { (origin, endNs) = (iteration.startNs, iteration.startNs) }
        endNs = max(iteration.endNs, endNs)
        if cadence.endIteration(at: endNs, origin: origin ?? endNs) {
            diff += 1
            beginNs = endNs
        }
    }

    /// What the policy foretells for the diff after the last.
    var foretold: [(gfn: GFN, offset: Int64)] {
        states.indices.filter { page in
            switch policy.policy {
            case .last(let count): states[page].diff > last - Int64(count)
            case .hot: states[page].count >= (last + 1) / 2
            }
        }.map { (index.gfns[$0], states[$0].offset) }
    }
}
