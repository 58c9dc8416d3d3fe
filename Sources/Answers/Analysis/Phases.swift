/// A stretch in which the guest keeps dirtying much the same pages.
package struct Phase: Sendable, Equatable {
    /// First and last iteration, from 1.
    package var firstIteration: Int64
    package var lastIteration: Int64
    /// Nanoseconds on CLOCK_MONOTONIC.
    package var startNs: Int64
    /// Nanoseconds on CLOCK_MONOTONIC.
    package var endNs: Int64
    package var pages: Int64
    /// Jaccard similarity of the windows on both sides of its beginning; nil for the first phase.
    package var similarity: Double?
}

/// Where the guest changes what it dirties (question W5), and when it dirties least.
///
/// At each boundary b, the writable working sets of the `window` iterations before and after are compared:
/// J(b) = |A ∩ B| / |A ∪ B|. A phase begins where J(b) is the smallest within a window's length on both sides and below
/// half the median of J.
package struct Phases: Sendable, Equatable {
    /// Length of the compared windows, in iterations.
    package var window: Int64 = 0
    /// Median of J over all boundaries; nil when the recording is too short.
    package var medianSimilarity: Double?
    /// In order; one when nothing changes, none when there is no iteration.
    package var phases: [Phase] = []
    /// Length of the quietest window, in iterations: a tenth of the recording, at least one iteration.
    package var quietIterations: Int64 = 0
    /// The window of that length with the fewest distinct pages, the earliest of several: the best time to migrate.
    package var quietest: Phase?
    /// Median of distinct pages over all windows of that length.
    package var quietMedianPages: Int64 = 0

    /// Where the first phase begins, nanoseconds on CLOCK_MONOTONIC; 0 without one.
    package var beginNs: Int64 { phases.first?.startNs ?? 0 }

    init(_ table: WindowTable) {
        let groups = table.groups
        guard groups > 0 else { return }
        let span = max(1, min(64, groups / 32))
        window = Int64(span * table.iterationsPerGroup)
        var begins = [(group: 0, similarity: Double?.none)]
        if groups >= 2 * span + 1 {
            let similarities = (span...groups - span).map { Self.similarity(at: $0, span: span, table) }
            let median = similarities.sorted()[(similarities.count - 1) / 2]
            medianSimilarity = median
            for (place, value) in similarities.enumerated() where value < median / 2 {
                let before = similarities[max(0, place - span)..<place]
                let after = similarities[(place + 1)..<min(similarities.count, place + span + 1)]
                if before.allSatisfy({ $0 > value }), after.allSatisfy({ $0 >= value }) {
                    begins.append((place + span, value))
                }
            }
        }
        for (place, begin) in begins.enumerated() {
            let end = place + 1 < begins.count ? begins[place + 1].group : groups
            phases.append(Self.phase(begin.group, end, begin.similarity, table))
        }
        let quiet = max(1, groups / 10)
        let counts = (quiet...groups).map { table.pages(after: $0 - quiet, through: $0) }
        quietIterations = Int64(quiet * table.iterationsPerGroup)
        quietMedianPages = Sample.rank(50, in: counts.sorted())
        if let least = counts.min(), let place = counts.firstIndex(of: least) {
            quietest = Self.phase(place, place + quiet, nil, table)
        }
    }

    /// J of the windows of `span` groups before and after boundary `place`; 1 when both are empty.
    private static func similarity(at place: Int, span: Int, _ table: WindowTable) -> Double {
        let union = table.pages(after: place - span, through: place + span)
        let both =
            table.pages(after: place - span, through: place) + table.pages(after: place, through: place + span) - union
        return union == 0 ? 1 : Double(both) / Double(union)
    }

    private static func phase(_ first: Int, _ last: Int, _ similarity: Double?, _ table: WindowTable) -> Phase {
        Phase(
            firstIteration: Int64(first * table.iterationsPerGroup) + 1,
            lastIteration: Int64(last * table.iterationsPerGroup),
            startNs: table.boundaries[first], endNs: table.boundaries[last],
            pages: table.pages(after: first, through: last), similarity: similarity)
    }
}
