/// The footprint fp(w) of one window length (question W2): distinct pages, averaged over all windows of w iterations.
package struct FootprintPoint: Sendable, Equatable {
    package var iterations: Int64
    /// Distinct pages, summed over all windows: an exact integer.
    package var sum: Int64
    /// Number of windows: n − w + 1.
    package var windows: Int64
    package var pages: Double { Double(sum) / Double(windows) }
}

/// The footprint of every window length, from the re-dirty intervals alone (Xiang and Ding).
///
/// With n iterations and m pages, page i dirty at t₁ < … < t_k:
/// fp(w) = m − [Σᵢ((t₁−w)₊ + (n+1−t_k−w)₊ + Σⱼ(t_{j+1}−t_j−w)₊)] / (n−w+1).
/// Each term counts the windows that miss the page: before its first, after its last, between two dirtyings.
package struct Footprint: Sendable {
    private let iterations: Int
    private let pageCount: Int64
    /// Σ over intervals v > w of their number, and of v.
    private let longer: [Int64]
    private let longerSum: [Int64]

    init(_ pages: PageLedger, iterations: Int) {
        self.iterations = iterations
        pageCount = Int64(pages.count)
        var intervals = [Int64](repeating: 0, count: iterations + 2)
        for gap in pages.gaps.indices.dropFirst() where gap <= iterations { intervals[gap] = pages.gaps[gap] }
        pages.forEach { page in
            intervals[Int(page.firstIteration)] += 1
            intervals[iterations + 1 - Int(page.lastIteration)] += 1
        }
        var longer = [Int64](repeating: 0, count: iterations + 2)
        var longerSum = longer
        for value in stride(from: iterations, through: 0, by: -1) {
            longer[value] = longer[value + 1] + intervals[value + 1]
            longerSum[value] = longerSum[value + 1] + Int64(value + 1) * intervals[value + 1]
        }
        self.longer = longer
        self.longerSum = longerSum
    }

    /// fp(w) for w in 1...n.
    package func point(_ window: Int) -> FootprintPoint {
        let windows = Int64(iterations - window + 1)
        let missed = longerSum[window] - Int64(window) * longer[window]
        return FootprintPoint(iterations: Int64(window), sum: pageCount * windows - missed, windows: windows)
    }

    /// Every w up to 32, then steps of a sixteenth, and n: at most about 250 points.
    var ladder: [FootprintPoint] { Ladder.upTo(iterations).map(point) }

    /// fp between whole iterations: the values at the whole iterations around `window`, clamped to 0...n.
    func bracket(_ window: Double) -> (low: Double, high: Double) {
        guard iterations > 0 else { return (0, 0) }
        let low = Int(min(window.rounded(.down), Double(iterations)))
        let high = Int(min(window.rounded(.up), Double(iterations)))
        return (low < 1 ? 0 : point(low).pages, high < 1 ? 0 : point(high).pages)
    }
}

/// Numbers that grow slowly enough to show a curve: each to 32, then by a sixteenth.
enum Ladder {
    static func upTo(_ last: Int) -> [Int] {
        var steps: [Int] = []
        var next = 1
        while next < last {
            steps.append(next)
            next += max(1, next / 16)
        }
        if last > 0 { steps.append(last) }
        return steps
    }
}
