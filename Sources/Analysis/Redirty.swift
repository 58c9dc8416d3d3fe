/// How many ticks lie between successive dirtyings of a page (question W3).
public struct Redirty: Sendable, Equatable {
    /// Intervals of `ticks...lastTicks` ticks.
    public struct Bucket: Sendable, Equatable {
        /// Shortest interval in the bucket.
        public var ticks: Int64
        /// Longest interval in the bucket; equal to `ticks` up to 32.
        public var lastTicks: Int64
        /// How often it occurred.
        public var count: Int64
    }

    /// Non-empty buckets, ascending.
    public var buckets: [Bucket] = []
    /// All intervals.
    public var intervals: Int64 = 0
    /// Pages dirtied in one tick only.
    public var neverRedirtied: Int64 = 0
    /// All pages.
    public var pages: Int64 = 0

    /// Share of pages dirtied in one tick only; 0 when there is no page.
    public var neverShare: Double { pages == 0 ? 0 : Double(neverRedirtied) / Double(pages) }

    init(_ table: PageTable, ticks: Int) {
        pages = Int64(table.states.count)
        neverRedirtied = table.states.reduce(0) { $0 + ($1.ticks == 1 ? 1 : 0) }
        let starts = Ladder.upTo(ticks)
        for (place, start) in starts.enumerated() {
            let last = place + 1 < starts.count ? starts[place + 1] - 1 : start
            let count = (start...last).reduce(0) { $0 + table.gaps[$1] }
            if count > 0 { buckets.append(Bucket(ticks: Int64(start), lastTicks: Int64(last), count: count)) }
            intervals += count
        }
    }
}
