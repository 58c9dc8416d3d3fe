/// How many iterations lie between successive dirtyings of a page (question W3).
package struct Redirty: Sendable, Equatable {
    /// Intervals of `iterations...lastIterations` iterations.
    package struct Bucket: Sendable, Equatable {
        /// Shortest interval in the bucket.
        package var iterations: Int64
        /// Longest interval in the bucket; equal to `iterations` up to 32.
        package var lastIterations: Int64
        /// How often it occurred.
        package var count: Int64
    }

    /// Non-empty buckets, ascending.
    package var buckets: [Bucket] = []
    package var intervals: Int64 = 0
    /// Pages dirtied in one iteration only.
    package var neverRedirtied: Int64 = 0
    package var pages: Int64 = 0

    /// Share of pages dirtied in one iteration only; 0 when there is no page.
    package var neverShare: Double { pages == 0 ? 0 : Double(neverRedirtied) / Double(pages) }

    /// Share of the intervals that are at most `iterations` long, whole buckets counted; 0 without intervals.
    package func share(upTo iterations: Int64) -> Double {
        intervals == 0
            ? 0
            : Double(buckets.reduce(0) { $0 + ($1.lastIterations <= iterations ? $1.count : 0) }) / Double(intervals)
    }

    init(_ table: PageLedger, iterations: Int) {
        pages = Int64(table.count)
        neverRedirtied = table.count { $0.iterations == 1 }
        let starts = Ladder.upTo(iterations)
        for (place, start) in starts.enumerated() {
            let last = place + 1 < starts.count ? starts[place + 1] - 1 : start
            let count = (start...last).reduce(0) { $0 + table.gaps[$1] }
            if count > 0 { buckets.append(Bucket(iterations: Int64(start), lastIterations: Int64(last), count: count)) }
            intervals += count
        }
    }
}
