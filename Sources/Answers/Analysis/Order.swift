import Model

/// In what order the entries of one ring stand (question O1).
package struct RingOrder: Sendable, Equatable {
    /// What the evidence says.
    package enum Verdict: String, Sendable, CaseIterable {
        /// Too few entries to say.
        case unknown
        /// Mean ascending run of at least 8 entries.
        case ascending
        /// Mean descending run of at least 8 entries, none longer than 512: what PML before Linux 6.14 makes of an
        /// ascending writer, pushing each batch in reverse.
        case reversedBatches = "reversed_batches"
        /// Mean descending run of at least 8 entries, some longer than a PML batch: the guest itself writes downwards.
        case descending
        /// Neither.
        case mixed
    }

    /// The vCPU; nil for a bitmap or the VMM's log.
    package var vcpu: Int?
    /// Neighbouring entries of one harvest compared.
    package var steps: Int64 = 0
    /// Steps to a higher GFN.
    package var ascents: Int64 = 0
    /// Steps to a lower GFN.
    package var descents: Int64 = 0
    /// Maximal strictly ascending runs.
    package var ascendingRuns: Int64 = 0
    /// Maximal strictly descending runs.
    package var descendingRuns: Int64 = 0
    /// Longest strictly descending run, in entries; 0 when it was not measured because no harvest descends mostly.
    package var longestDescendingRun: Int64 = 0
    /// The most frequent step, in pages, among the sampled ones; nil when none repeats.
    package var stride: Int64?
    /// Share of the sampled steps that the stride makes up.
    package var strideShare = 0.0

    /// Entries in an average strictly ascending run.
    package var meanAscendingRun: Double { mean(runs: ascendingRuns) }
    /// Entries in an average strictly descending run.
    package var meanDescendingRun: Double { mean(runs: descendingRuns) }
    private func mean(runs: Int64) -> Double { runs == 0 ? 0 : Double(steps + harvests) / Double(runs) }
    /// Harvests with at least one entry.
    package var harvests: Int64 = 0

    /// The verdict from the figures above.
    package var verdict: Verdict {
        if steps < 16 { return .unknown }
        if meanAscendingRun >= 8, meanAscendingRun >= meanDescendingRun { return .ascending }
        if meanDescendingRun >= 8 { return longestDescendingRun <= 512 ? .reversedBatches : .descending }
        return .mixed
    }
}

/// Order within every ring, and how far entries of different rings can be ordered.
package struct Order: Sendable, Equatable {
    /// One per ring, in the order of the rings.
    package var rings: [RingOrder] = []
    /// Pairs of entries of two rings in one iteration.
    package var crossRingPairs: Double = 0
    /// Those whose harvest intervals do not overlap, so that it is known which came first.
    package var orderedPairs: Double = 0

    /// Share of cross-ring pairs whose order is known; nil when there is none.
    package var crossRingConfidence: Double? { crossRingPairs == 0 ? nil : orderedPairs / crossRingPairs }
}

/// Gathers the order of one ring.
struct OrderTally: Sendable {
    private(set) var result = RingOrder()
    /// Matches per candidate stride; bounded.
    private var strides: [Int64: Int64] = [:]
    private var sampledSteps: Int64 = 0

    /// Steps sampled for the stride at the beginning of each harvest.
    private static let strideSample = 256

    mutating func add(_ gfns: [GFN]) {
        guard let first = gfns.first else { return }
        result.harvests += 1
        var ascents: Int64 = 0
        var descents: Int64 = 0
        var previous = first
        // No branches: this loop reads every entry of the recording.
        for gfn in gfns {
            ascents &+= gfn > previous ? 1 : 0
            descents &+= gfn < previous ? 1 : 0
            previous = gfn
        }
        let steps = Int64(gfns.count) - 1
        result.steps += steps
        result.ascents += ascents
        result.descents += descents
        result.ascendingRuns += steps - ascents + 1
        result.descendingRuns += steps - descents + 1
        if descents > ascents { measureDescent(gfns) }
        sampleStride(gfns)
    }

    private mutating func measureDescent(_ gfns: [GFN]) {
        var run: Int64 = 1
        for place in gfns.indices.dropFirst() {
            run = gfns[place] < gfns[place - 1] ? run + 1 : 1
            result.longestDescendingRun = max(result.longestDescendingRun, run)
        }
    }

    /// Boyer–Moore finds the step that could be a majority of the sample; counting it is then exact.
    private mutating func sampleStride(_ gfns: [GFN]) {
        let sample = gfns.prefix(Self.strideSample + 1)
        var candidate: Int64 = 0
        var votes = 0
        for place in sample.indices.dropFirst() {
            let step = Int64(bitPattern: sample[place] &- sample[place - 1])
            if votes == 0 { candidate = step }
            votes += step == candidate ? 1 : -1
        }
        sampledSteps += Int64(sample.count - 1)
        guard votes > 0, strides[candidate] != nil || strides.count < 64 else { return }
        var matches: Int64 = 0
        for place in sample.indices.dropFirst() where Int64(bitPattern: sample[place] &- sample[place - 1]) == candidate
        {
            matches += 1
        }
        strides[candidate, default: 0] += matches
    }

    func finish(vcpu: Int?) -> RingOrder {
        var order = result
        order.vcpu = vcpu
        if let best = strides.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), best.value > 1 {
            order.stride = best.key
            order.strideShare = Double(best.value) / Double(sampledSteps)
        }
        return order
    }
}

/// Gathers how far the entries of an iteration can be ordered across rings, from the harvest intervals.
struct CrossRingOrder: Sendable {
    private var harvests: [(ring: Int, sinceNs: Int64, tsNs: Int64, entries: Double)] = []
    private(set) var pairs = 0.0
    private(set) var ordered = 0.0

    mutating func add(ring: Int, sinceNs: Int64, tsNs: Int64, entries: Int) {
        if entries > 0 { harvests.append((ring, sinceNs, tsNs, Double(entries))) }
    }

    /// Ends an iteration. Two harvests are ordered when one ended before the other's interval began.
    mutating func endTick() {
        defer { harvests.removeAll(keepingCapacity: true) }
        guard let first = harvests.first, harvests.contains(where: { $0.ring != first.ring }) else { return }
        let all = harvests.reduce(0) { $0 + $1.entries }
        var perRing: [Int: Double] = [:]
        for harvest in harvests { perRing[harvest.ring, default: 0] += harvest.entries }
        pairs += (all * all - perRing.values.reduce(0) { $0 + $1 * $1 }) / 2

        let byEnd = harvests.sorted { $0.tsNs < $1.tsNs }
        let byBegin = harvests.sorted { $0.sinceNs < $1.sinceNs }
        var ended = 0
        var before = 0.0
        var beforeOfRing: [Int: Double] = [:]
        for harvest in byBegin {
            while ended < byEnd.count, byEnd[ended].tsNs <= harvest.sinceNs {
                before += byEnd[ended].entries
                beforeOfRing[byEnd[ended].ring, default: 0] += byEnd[ended].entries
                ended += 1
            }
            ordered += harvest.entries * (before - beforeOfRing[harvest.ring, default: 0])
        }
    }
}
