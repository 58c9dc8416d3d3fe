import Model

/// In what order a host pushes the entries of a ring.
package enum PushOrder: String, Sendable {
    /// The order of the writes: no PML, or a kernel that reads its log from the front.
    case written
    /// Batch by batch of up to 512 entries, each from its end: PML before Linux 6.14 (commit 37c3ddfe5238). First touches of
    /// a page are page faults and stand in the order of the writes.
    case reversedBatches = "reversed_batches"
    /// The recording does not say whether the host has PML, or which kernel it ran.
    case unknown

    package init(_ info: RecordingInfo) {
        // Only Intel has page-modification logging.
        if info.pml == false || KVMModule(rawValue: info.kvmModule)?.hasPML == false {
            self = .written
            return
        }
        let numbers = info.kernel.split(separator: ".", maxSplits: 2).prefix(2).compactMap {
            Int($0.prefix { ("0"..."9").contains($0) })
        }
        guard numbers.count == 2 else {
            self = .unknown
            return
        }
        let isNew = (numbers[0], numbers[1]) >= (6, 14)
        self = isNew ? .written : info.pml == true ? .reversedBatches : .unknown
    }
}

/// In what order the entries of one ring stand, and what that says of the order of the writes (question O1).
package struct RingOrder: Sendable, Equatable {
    /// How most entries stand, whatever the cause. Harvests are judged one by one and weigh as much as they hold entries.
    package enum Shape: String, Sendable {
        /// Too few entries to say.
        case unknown
        /// Most stand in harvests whose mean ascending run has at least 8 entries.
        case ascending
        /// Most stand in harvests whose mean descending run has at least 8 entries, and is longer than the ascending one.
        case descending
        /// Neither.
        case mixed
    }
    /// What entries and host together say.
    package enum Conclusion: String, Sendable, CaseIterable {
        /// Too few entries to say.
        case unknown
        /// The guest writes upwards.
        case ascending
        /// Batches of at most 512 stand backwards, and the guest writes the other way.
        case reversedBatches = "reversed_batches"
        /// The guest writes downwards.
        case descending
        /// The guest writes neither way.
        case mixed
        /// A bitmap: it knows no order of writes.
        case unordered
    }

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
    /// Harvests with at least one entry.
    package var harvests: Int64 = 0
    /// Entries in harvests of at least 8, by what those are.
    package var weights = Weights()
    /// Of ``weights``, those in harvests that first touches of a page made: page faults, not PML.
    package var faultWeights = Weights()
    /// Longest run, up or down, of a harvest that PML may have made; 0 where it was not measured.
    package var longestRunByPML: Int64 = 0
    /// Runs of at least 8 entries whose successor lies wholly above, and wholly below.
    package var seamsUp: Int64 = 0
    /// See ``seamsUp``.
    package var seamsDown: Int64 = 0
    /// Entries whose place among the writes of their harvest is proven: all where the host pushes in the order of the writes; of a
    /// host that reverses, those of page faults and of batches whose ends are certain.
    package var proven: Int64 = 0
    package var verdict = Conclusion.unknown

    /// Entries by the harvests that hold them.
    package struct Weights: Sendable, Equatable {
        /// In harvests that ascend.
        package var ascending: Int64 = 0
        /// In harvests that descend.
        package var descending: Int64 = 0
        /// In all others.
        package var mixed: Int64 = 0

        var shape: Shape {
            let all = ascending + descending + mixed
            return all > 0 && ascending * 2 > all ? .ascending : all > 0 && descending * 2 > all ? .descending : .mixed
        }
        mutating func add(_ shape: Shape, _ entries: Int64) {
            switch shape {
            case .ascending: ascending += entries
            case .descending: descending += entries
            default: mixed += entries
            }
        }
        static func - (left: Self, right: Self) -> Self {
            var difference = left
            difference.ascending -= right.ascending
            difference.descending -= right.descending
            difference.mixed -= right.mixed
            return difference
        }
    }

    /// Entries in an average strictly ascending run.
    package var meanAscendingRun: Double { mean(runs: ascendingRuns) }
    /// Entries in an average strictly descending run.
    package var meanDescendingRun: Double { mean(runs: descendingRuns) }
    /// Share of entries whose place among the writes of their harvest is proven; nil without entries.
    package var provenShare: Double? { harvests == 0 ? nil : Double(proven) / Double(steps + harvests) }
    private func mean(runs: Int64) -> Double { runs == 0 ? 0 : Double(steps + harvests) / Double(runs) }

    /// How most entries stand.
    package var shape: Shape { steps < 16 ? .unknown : weights.shape }

    /// Runs that mean something have at least so many entries: by chance one in 40,000 has.
    static let meaningfulRun = 8

    /// Weighs entries, kernel and PML together.
    mutating func judge(_ host: PushOrder) {
        guard steps >= 16 else { return }
        let byPML = weights - faultWeights
        let shape = byPML == Weights() ? weights.shape : byPML.shape
        verdict = shape == .ascending ? .ascending : shape == .descending ? .descending : .mixed
        // No batch is longer than the CPU's log: a longer run is the guest's own.
        let most = Int64(RingLimits.pmlBatch)
        guard host != .written, longestRunByPML <= most else { return }
        switch shape {
        case .descending where host == .reversedBatches || seamsUp > seamsDown: verdict = .reversedBatches
        case .ascending where host == .reversedBatches && seamsDown > seamsUp: verdict = .reversedBatches
        default: break
        }
    }
}

/// Order within every ring, and how far entries of different rings can be ordered.
package struct Order: Sendable, Equatable {
    package var host = PushOrder.unknown
    /// One per ring, in the order of the rings.
    package var rings: [RingOrder] = []
    /// Pairs of entries of two rings in one iteration.
    package var crossRingPairs: Double = 0
    /// Those whose harvest intervals do not overlap, so that it is known which came first.
    package var orderedPairs: Double = 0

    /// Share of cross-ring pairs whose order is known; nil when there is none.
    package var crossRingConfidence: Double? { crossRingPairs == 0 ? nil : orderedPairs / crossRingPairs }
    /// Share of all rings' entries whose place among the writes of their harvest is proven; nil without rings.
    package var provenShare: Double? {
        let entries = rings.filter { $0.vcpu != nil }.reduce(Int64(0)) { $0 + $1.steps + $1.harvests }
        return entries == 0 ? nil : Double(rings.reduce(0) { $0 + $1.proven }) / Double(entries)
    }
}

/// Gathers the order of one ring.
struct OrderTally: Sendable {
    private(set) var result = RingOrder()
    private let host: PushOrder
    /// Proven if the host turns out to reverse its batches, and if not.
    private var provenIfReversed: Int64 = 0
    private var entries: Int64 = 0
    /// Matches per candidate stride; bounded.
    private var strides: [Int64: Int64] = [:]
    private var sampledSteps: Int64 = 0
    /// The last run of the harvest before, where it was long enough.
    private var lastRun: ClosedRange<GFN>?

    /// Steps sampled for the stride at the beginning of each harvest.
    private static let strideSample = 256

    init(host: PushOrder) { self.host = host }

    /// How often the entries of a harvest go up and down.
    struct Climb: Sendable {
        var ascents: Int64 = 0
        var descents: Int64 = 0

        init(_ gfns: [GFN]) {
            guard var previous = gfns.first else { return }
            // No branches: this loop reads every entry of the recording.
            for gfn in gfns {
                ascents &+= gfn > previous ? 1 : 0
                descents &+= gfn < previous ? 1 : 0
                previous = gfn
            }
        }
    }

    /// Takes one harvest. `faults` are those of its entries that are the first touch of a page, and logged by its page fault.
    mutating func add(_ harvest: Harvest, gfns: [GFN], _ climb: Climb, faults: FaultPlaces) {
        guard !gfns.isEmpty else { return }
        result.harvests += 1
        entries += Int64(gfns.count)
        let (ascents, descents) = (climb.ascents, climb.descents)
        let steps = Int64(gfns.count) - 1
        result.steps += steps
        result.ascents += ascents
        result.descents += descents
        result.ascendingRuns += steps - ascents + 1
        result.descendingRuns += steps - descents + 1
        let shape = Self.shape(entries: steps + 1, ascents: ascents, descents: descents)
        let isByFault = faults.count * 2 > gfns.count
        if shape != .unknown {
            result.weights.add(shape, steps + 1)
            if isByFault { result.faultWeights.add(shape, steps + 1) }
        }
        if descents > ascents {
            result.longestDescendingRun = max(result.longestDescendingRun, longest(gfns, isDescending: true))
        }
        if host != .written, harvest.vcpu != nil {
            if shape == .ascending || shape == .descending, !isByFault {
                let isDescending = shape == .descending
                result.longestRunByPML = max(result.longestRunByPML, longest(gfns, isDescending: isDescending))
                countSeams(gfns, isDescending: isDescending)
            } else {
                lastRun = nil
            }
            provenIfReversed += Int64(
                WriteOrder.restored(gfns, faults: faults, endsAreKnown: harvest.cause != .periodic).proven)
        }
        sampleStride(gfns)
    }

    /// What a harvest of its own is; unknown when it is too small to weigh.
    private static func shape(entries: Int64, ascents: Int64, descents: Int64) -> RingOrder.Shape {
        let least = Int64(RingOrder.meaningfulRun)
        if entries < least { return .unknown }
        let (ascendingRuns, descendingRuns) = (entries - ascents, entries - descents)
        if entries >= least * ascendingRuns, ascendingRuns <= descendingRuns { return .ascending }
        return entries >= least * descendingRuns ? .descending : .mixed
    }

    private func longest(_ gfns: [GFN], isDescending: Bool) -> Int64 {
        var run: Int64 = 1
        var longest: Int64 = 1
        for place in gfns.indices.dropFirst() {
            let goesOn = isDescending ? gfns[place] < gfns[place - 1] : gfns[place] > gfns[place - 1]
            run = goesOn ? run + 1 : 1
            longest = max(longest, run)
        }
        return longest
    }

    private mutating func countSeams(_ gfns: [GFN], isDescending: Bool) {
        for run in WriteOrder.runs(gfns, gfns.indices, isDescending: isDescending) {
            let ends = (gfns[run.lowerBound], gfns[run.upperBound - 1])
            let span = min(ends.0, ends.1)...max(ends.0, ends.1)
            if let lastRun, run.count >= RingOrder.meaningfulRun {
                if span.lowerBound > lastRun.upperBound { result.seamsUp += 1 }
                if span.upperBound < lastRun.lowerBound { result.seamsDown += 1 }
            }
            lastRun = run.count >= RingOrder.meaningfulRun ? span : nil
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
        guard vcpu != nil else {
            order.verdict = .unordered
            return order
        }
        order.judge(host)
        // A run that no batch can hold, or a host that is known: entries stand as they were written.
        let isSeenWritten = order.longestRunByPML > Int64(RingLimits.pmlBatch)
        if host == .written || isSeenWritten {
            order.proven = entries
        } else if host == .reversedBatches || order.verdict == .reversedBatches {
            order.proven = provenIfReversed
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
    mutating func endIteration() {
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
