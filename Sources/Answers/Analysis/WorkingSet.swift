/// Denning windows W(t, τ) of one length (question W1): distinct pages dirtied in (t − τ, t], over all t.
///
/// *Writable* working set: a dirty log sees writes only.
package struct WorkingSetWindow: Sendable, Equatable {
    /// Extremes and nearest-rank percentiles over t, in pages.
    package struct Pages: Sendable, Equatable {
        package var min: Int64
        package var p50: Int64
        package var p90: Int64
        package var p95: Int64
        package var max: Int64

        init(_ counts: [Int64]) {
            let sorted = counts.sorted()
            min = sorted.first ?? 0
            p50 = Sample.rank(50, in: sorted)
            p90 = Sample.rank(90, in: sorted)
            p95 = Sample.rank(95, in: sorted)
            max = sorted.last ?? 0
        }
    }

    /// Window length in nanoseconds: as asked, or the mean length of windows of ``iterations`` iterations.
    package var tauNs: Int64
    /// Window length in iterations when windows lie on iterations; nil for a τ that was asked in time.
    package var iterations: Int?
    package var windows: Int
    /// Windows rounded out to iterations: an upper bound; exact when equal to ``low``.
    package var high: Pages
    /// Windows rounded in to iterations: a lower bound.
    package var low: Pages

    /// Whether every figure is exact.
    package var isExact: Bool { iterations != nil || high == low }

    /// Windows of 1, 2, 5, 10, 20, 50 … groups of iterations, as long as at least one fits. Exact.
    static func ladder(_ table: WindowTable) -> [WorkingSetWindow] {
        // A last group that is shorter than the others would make windows of another length.
        let groups = table.groups - (table.lastGroupIsShort ? 1 : 0)
        return ladderSteps.prefix { $0 <= groups }.map { window in
            let ends = window...groups
            let span = ends.reduce(0.0) { $0 + Double(table.boundaries[$1] - table.boundaries[$1 - window]) }
            let pages = Pages(ends.map { table.pages(after: $0 - window, through: $0) })
            return WorkingSetWindow(
                tauNs: Int64((span / Double(ends.count)).rounded()), iterations: window * table.iterationsPerGroup,
                windows: ends.count, high: pages, low: pages)
        }
    }

    private static let ladderSteps = [1, 10, 100, 1000].flatMap { [$0, 2 * $0, 5 * $0] }

    /// Windows of `tauNs` that end on a boundary: `low..high`. Nil when none fits into the recording.
    static func asked(_ tauNs: Int64, _ table: WindowTable) -> WorkingSetWindow? {
        var low: [Int64] = []
        var high: [Int64] = []
        var outer = 0
        for last in 0...table.groups {
            let begin = table.boundaries[last] - tauNs
            guard begin >= table.boundaries[0], last > 0 else { continue }
            while table.boundaries[outer + 1] <= begin { outer += 1 }
            let inner = table.boundaries[outer] == begin ? outer : outer + 1
            high.append(table.pages(after: outer, through: last))
            low.append(table.pages(after: inner, through: last))
        }
        guard !high.isEmpty else { return nil }
        return WorkingSetWindow(tauNs: tauNs, iterations: nil, windows: high.count, high: Pages(high), low: Pages(low))
    }
}
