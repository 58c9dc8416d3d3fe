import Model

/// How well a policy foretells which pages the next diff holds (question K3): what prefetching them at a resume would hit.
///
/// Sums over all diffs but the first, so that a busy diff counts for more than a quiet one.
package struct SetStability: Sendable, Equatable {
    /// Which pages are foretold.
    package enum Policy: Sendable, Hashable {
        /// Those of the last so many diffs together.
        case last(Int)
        /// Those in at least half of all diffs so far.
        case hot

        /// In the order in which they are shown.
        package static let all: [Policy] = [.last(1), .last(2), .last(4), .last(8), .hot]

        /// Its name, as reports have it.
        package var name: String {
            switch self {
            case .last(1): "last diff"
            case .last(let count): "last \(count) diffs"
            case .hot: "hot pages"
            }
        }
    }

    /// Time between two snapshots, as asked.
    package var cadenceNs: Int64
    package var policy: Policy
    package var diffs: Int64
    /// Pages foretold, all diffs together.
    package var foretold: Int64
    /// Pages that the diffs held.
    package var dirtied: Int64
    /// Of those, pages foretold.
    package var hits: Int64

    /// Share of the pages foretold that were dirtied; nil of none.
    package var precision: Double? { foretold == 0 ? nil : Double(hits) / Double(foretold) }
    /// Share of the pages dirtied that had been foretold; nil of none.
    package var recall: Double? { dirtied == 0 ? nil : Double(hits) / Double(dirtied) }
    /// The harmonic mean of precision and recall; 0 when nothing was hit.
    package var score: Double { hits == 0 ? 0 : 2 * Double(hits) / Double(foretold + dirtied) }
    /// Pages in both sets divided by pages in either; nil of none.
    package var jaccard: Double? {
        let either = foretold + dirtied - hits
        return either == 0 ? nil : Double(hits) / Double(either)
    }
}

/// Follows the pages of the diffs at one cadence.
struct StabilityTally: Sendable {
    /// Pages of the diff in progress by the diffs since they were in one: element 1 for the one before, the last for longer ago or
    /// never.
    private var ages = [Int64](repeating: 0, count: DiffHistory.depth + 2)
    /// The same of complete diffs, the latest first.
    private var history: [[Int64]] = []
    private var complete: Int64 = 0
    /// For every page, diffs that held it; in the order of the pass.
    private var counts: [UInt32] = []
    /// Pages by that count, those with 0 not counted.
    private var pagesByCount: [Int64] = [0, 0]
    /// Pages held by at least half of the complete diffs, and by half of those with the one in progress.
    private var hot: Int64 = 0
    private var becomingHot: Int64 = 0
    private var hotHits: Int64 = 0
    private var sums = [SetStability.Policy: (foretold: Int64, hits: Int64)]()
    private var dirtied: Int64 = 0

    private static func half(_ diffs: Int64) -> UInt32 { UInt32((diffs + 1) / 2) }

    /// Pages have other places.
    mutating func follow(_ order: PageOrder) { order.follow(&counts) }

    /// Takes the pages of a word in the diff in progress, and enters them in what is known of those before.
    mutating func add(_ word: UInt64, at place: Int, _ history: inout DiffHistory, _ order: PageOrder) {
        count(word, at: place, order)
        let new = history.enter(word, at: place, in: UInt32(truncatingIfNeeded: complete + 1)) { age, held in
            ages[age] += Int64(held.nonzeroBitCount)
        }
        ages[DiffHistory.depth + 1] += Int64(new.nonzeroBitCount)
    }

    /// Counts these pages for what is hot.
    private mutating func count(_ word: UInt64, at place: Int, _ order: PageOrder) {
        let (wasHot, isHot) = (complete > 0 ? Self.half(complete) : .max, Self.half(complete + 1))
        var (hits, becoming) = (Int64(0), Int64(0))
        order.update(&counts, of: word, at: place, &pagesByCount) { count, pages in
            if count >= wasHot { hits &+= 1 }
            pages[Int(count)] &-= 1
            count &+= 1
            pages[Int(count)] &+= 1
            if count == isHot { becoming &+= 1 }
        }
        hotHits += hits
        becomingHot += becoming
    }

    /// The diff is complete.
    mutating func endDiff() {
        if complete > 0 {
            dirtied += ages.reduce(0, +)
            for policy in SetStability.Policy.all {
                let (foretold, hits) =
                    switch policy {
                    case .last(let count): (union(count), ages[1...count].reduce(0, +))
                    case .hot: (hot, hotHits)
                    }
                sums[policy, default: (0, 0)].foretold += foretold
                sums[policy, default: (0, 0)].hits += hits
            }
        }
        complete += 1
        pagesByCount.append(0)
        hot = becomingHot
        // The threshold rises with every second diff: pages that just reached the old one are not hot any more.
        if Self.half(complete + 1) > Self.half(complete) {
            let old = Int(Self.half(complete))
            becomingHot -= old < pagesByCount.count ? pagesByCount[old] : 0
        }
        history.insert(ages, at: 0)
        if history.count > DiffHistory.depth { history.removeLast() }
        for age in ages.indices { ages[age] = 0 }
        hotHits = 0
    }

    /// Different pages in the last `count` complete diffs: of each, those that were in none of the diffs before it among these.
    private func union(_ count: Int) -> Int64 {
        let diffs = history.prefix(count)
        return diffs.enumerated().reduce(0) { sum, diff in
            let earlier = diffs.count - 1 - diff.offset
            return sum + diff.element[(earlier + 1)...].reduce(0, +)
        }
    }

    /// The scores of every policy; empty when there were fewer than two diffs.
    func scores(_ cadenceNs: Int64) -> [SetStability] {
        guard complete > 1 else { return [] }
        return SetStability.Policy.all.map { policy in
            let (foretold, hits) = sums[policy] ?? (0, 0)
            return SetStability(
                cadenceNs: cadenceNs, policy: policy, diffs: complete - 1, foretold: foretold, dirtied: dirtied,
                hits: hits)
        }
    }
}
