/// How many distinct pages were dirtied in any window of the recording: exact for every pair of boundaries.
///
/// Boundaries are harvest iterations: boundary 0 is the start, boundary k the end of iteration group k. A group is one iteration as
/// long as the recording has fewer than 4,096 iterations; from then on, neighbours are merged pairwise, so that memory stays
/// below 34 MB however long the recording is, and what lies on the remaining boundaries stays exact.
///
/// A page counts in window (a, b] once, at its first occurrence i > a, that is the one whose previous occurrence is ≤ a.
/// Counting pairs (previous occurrence, occurrence) therefore answers every window.
package struct WindowTable: Sendable {
    /// Times of the boundaries in nanoseconds on CLOCK_MONOTONIC: the start, then the end of each group.
    package let boundaries: [Int64]
    /// Iterations in every group but the last, which may be shorter: 1 while nothing had to be merged.
    package let iterationsPerGroup: Int
    /// Whether the last group holds fewer iterations than the others.
    package let lastGroupIsShort: Bool
    /// Row b, of b cells, begins at b(b−1)/2; cell a holds the answer for window (a, b].
    private let cells: [UInt32]

    /// Number of groups; windows end at 1...groups.
    package var groups: Int { boundaries.count - 1 }

    /// Distinct pages dirtied after boundary `first` and up to boundary `last`. 0 when `first >= last`.
    ///
    /// - Precondition: `0 <= first`, `last <= groups`.
    package func pages(after first: Int, through last: Int) -> Int64 {
        first < last ? Int64(cells[last * (last - 1) / 2 + first]) : 0
    }

    /// Turns counted pairs into answers, in place: T[b][a] = T[b−1][a] + Σ_{prev ≤ a} M[prev][b].
    fileprivate init(pairs: consuming [UInt32], boundaries: [Int64], iterationsPerGroup: Int, lastGroupIsShort: Bool) {
        var cells = pairs
        for last in stride(from: 1, to: boundaries.count, by: 1) {
            let row = last * (last - 1) / 2
            let above = (last - 1) * (last - 2) / 2
            var sum: UInt32 = 0
            for first in 0..<last {
                sum += cells[row + first]
                cells[row + first] = sum + (first < last - 1 ? cells[above + first] : 0)
            }
        }
        self.cells = cells
        self.boundaries = boundaries
        self.iterationsPerGroup = iterationsPerGroup
        self.lastGroupIsShort = lastGroupIsShort
    }
}

/// Counts, iteration by iteration, how many pages were dirtied whose previous dirtying lies in each earlier group.
struct WindowTableBuilder: Sendable {
    /// The most groups kept. Must be even. 4,096 groups take 34 MB.
    static let capacity = 4096

    /// Count per group of the previous occurrence, for the group in progress. Cells of the group itself are dropped.
    var row: [UInt32]
    /// An iteration t (1…) lies in group ⌈t / 2^shift⌉; "never" is iteration 0 in group 0.
    private(set) var shift: UInt32 = 0
    private var cells: [UInt32] = []
    private var boundaries: [Int64] = []
    private var iterationsInGroup = 0
    private let capacity: Int

    init(capacity: Int = Self.capacity) {
        self.capacity = capacity
        row = [UInt32](repeating: 0, count: capacity + 1)
    }

    mutating func start(at time: Int64) { boundaries.append(time) }

    /// The group in progress, from 1.
    var group: Int { max(1, boundaries.count) }
    /// Iterations until the group in progress is complete, and until groups are merged.
    var iterationsLeftInGroup: Int { 1 << Int(shift) - iterationsInGroup }
    var iterationsLeftInTable: Int { (capacity - group) << Int(shift) + iterationsLeftInGroup }

    /// Adds pages of the group in progress by the group of their previous dirtying.
    mutating func add(_ pages: ArraySlice<UInt32>) {
        for (group, count) in pages.enumerated() { row[group] += count }
    }

    mutating func endIteration(at time: Int64) {
        iterationsInGroup += 1
        if iterationsInGroup == 1 << shift { closeGroup(at: time) } else { lastTime = time }
    }
    private var lastTime: Int64 = 0

    private mutating func closeGroup(at time: Int64) {
        let group = boundaries.count
        cells.append(contentsOf: row[0..<group])
        for place in 0...group { row[place] = 0 }
        boundaries.append(time)
        iterationsInGroup = 0
        if group == capacity { mergePairs() }
    }

    /// Halves the number of groups. A page whose previous occurrence lies in the same merged group had been counted
    /// there already: that diagonal is what is dropped, so the sums stay exact.
    private mutating func mergePairs() {
        let half = capacity / 2
        for group in 1...half {
            let oldRows = [(2 * group - 1) * (group - 1), 2 * group * (2 * group - 1) / 2]
            for previous in 0..<group {
                var sum: UInt32 = 0
                for oldRow in oldRows {
                    sum += cells[oldRow + 2 * previous]
                    if previous > 0 { sum += cells[oldRow + 2 * previous - 1] }
                }
                cells[group * (group - 1) / 2 + previous] = sum
            }
        }
        cells.removeLast(cells.count - half * (half + 1) / 2)
        boundaries = [boundaries[0]] + (1...half).map { boundaries[2 * $0] }
        shift += 1
    }

    consuming func finish() -> WindowTable {
        if boundaries.isEmpty { boundaries.append(0) }
        let short = iterationsInGroup > 0
        if short { closeGroup(at: lastTime) }
        return WindowTable(
            pairs: cells, boundaries: boundaries, iterationsPerGroup: 1 << Int(shift),
            lastGroupIsShort: short && shift > 0)
    }
}
