import Model

/// Pages that several vCPUs dirtied in the same iteration (question D2). *Page* sharing: which bytes were written
/// is unseen, so this is no evidence of false sharing.
package struct Sharing: Sendable, Equatable {
    /// Two vCPUs and how often they met.
    package struct Pair: Sendable, Equatable {
        /// The lower vCPU number.
        package var first: Int
        /// The higher vCPU number.
        package var second: Int
        /// Pages reported by both in one iteration, summed over iterations.
        package var pages: Int64
    }

    /// Pairs that share at least one page, most pages first.
    package var pairs: [Pair] = []
    /// Pages shared in most iterations.
    package var topPages: [PageHeat] = []
    /// Pages that were shared at least once.
    package var pages: Int64 = 0
    /// Whether there were more rings than the matrix tells apart (512).
    package var isTruncated = false

    init(_ table: PageLedger, rings: [RingUse], limit: Int) {
        for second in rings.indices {
            guard let high = rings[second].vcpu else { continue }
            for first in 0..<second {
                guard let low = rings[first].vcpu else { continue }
                let shared = table.pairs.pages(first, second)
                if shared > 0 { pairs.append(Pair(first: min(low, high), second: max(low, high), pages: shared)) }
            }
        }
        pairs.sort { ($1.pages, $0.first, $0.second) < ($0.pages, $1.first, $1.second) }
        topPages = table.top(limit) { $0.sharedIterations }
        pages = table.count { $0.sharedIterations > 0 }
        isTruncated = rings.count > RingPairs.mostRings
    }
}
