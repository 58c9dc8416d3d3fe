/// What a fork of the guest dirties within a time, whenever it is forked (question K4): pages that it no longer shares with its base.
package struct ForkPlan: Sendable, Equatable {
    package var withinNs: Int64
    /// Moments at which the guest could be forked: ends of iterations that are followed by so much recording, and its start.
    package var starts: Int
    /// Pages dirtied, with the time rounded out to whole iterations.
    package var high: WorkingSetWindow.Pages
    /// The same with the time rounded in.
    package var low: WorkingSetWindow.Pages
    /// The mean of the first.
    package var mean: Double
    /// The mean of the second.
    package var meanLow: Double

    /// Nil when the recording is shorter than `withinNs`.
    init?(_ withinNs: Int64, _ table: WindowTable) {
        var (high, low): ([Int64], [Int64]) = ([], [])
        var inner = 0
        for first in 0..<table.groups {
            let (end, overflow) = table.boundaries[first].addingReportingOverflow(withinNs)
            guard !overflow, end <= table.boundaries[table.groups] else { break }
            inner = max(inner, first)
            while inner < table.groups, table.boundaries[inner + 1] <= end { inner += 1 }
            let outer = table.boundaries[inner] == end ? inner : inner + 1
            high.append(table.pages(after: first, through: outer))
            low.append(table.pages(after: first, through: inner))
        }
        guard !high.isEmpty else { return nil }
        self.withinNs = withinNs
        starts = high.count
        self.high = WorkingSetWindow.Pages(high)
        self.low = WorkingSetWindow.Pages(low)
        mean = Double(high.reduce(0, +)) / Double(starts)
        meanLow = Double(low.reduce(0, +)) / Double(starts)
    }
}
