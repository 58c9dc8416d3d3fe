import Model

/// The GFN axis of a dirty map: only the ranges in which pages were dirtied, one below the other.
package struct MapAxis: Sendable, Equatable {
    /// A range of neighbouring GFNs, shown as neighbouring rows.
    package struct Segment: Sendable, Equatable {
        package var firstGFN: GFN
        package var pages: UInt64
        /// Row of the first GFN.
        package var firstRow: Int
        /// Number of rows; the last one may hold fewer pages than the others.
        package var rows: Int
    }

    /// Ascending; no two overlap.
    package private(set) var segments: [Segment] = []
    /// Pages in a row: a power of two.
    package private(set) var pagesPerRow: UInt64 = 1
    /// Rows of all segments.
    package var rows: Int { segments.last.map { $0.firstRow + $0.rows } ?? 0 }

    /// The most ranges between slot boundaries: more would be stripes that nobody can tell apart.
    private static let maxRanges = 48

    /// An axis for pages that lie in `blocks`, cut where a slot begins or ends.
    ///
    /// - Parameters:
    ///   - blocks: Ascending numbers of blocks of `blockPages` pages that hold dirty pages.
    ///   - edges: GFNs at which a memory slot begins or ends.
    ///   - maxRows: Rows are made coarser until no more than this are needed, or one for each segment.
    init(blocks: [UInt64], blockPages: UInt64, edges: [GFN], maxRows: Int) {
        var ranges = Self.merge(blocks, gap: 1)
        // A gap stays visible when it is at least a fiftieth of what is shown; then wider ones, until few are left.
        var gap = max(2, ranges.reduce(0) { $0 + $1.upperBound - $1.lowerBound } / 50)
        repeat {
            ranges = Self.merge(blocks, gap: gap)
            gap *= 2
        } while ranges.count > Self.maxRanges
        let edges = Set(edges).sorted()
        for range in ranges {
            let end = range.upperBound * blockPages
            var first = range.lowerBound * blockPages
            for edge in edges where edge > first && edge < end {
                add(first, edge)
                first = edge
            }
            add(first, end)
        }
        while rows > max(maxRows, segments.count) { self = coarser() }
    }

    /// The same ranges with twice as many pages in a row.
    func coarser() -> MapAxis {
        var result = self
        result.pagesPerRow *= 2
        result.segments = []
        for segment in segments { result.add(segment.firstGFN, segment.firstGFN + segment.pages) }
        return result
    }

    private mutating func add(_ first: GFN, _ end: GFN) {
        let pages = end - first
        segments.append(
            Segment(
                firstGFN: first, pages: pages, firstRow: rows, rows: Int((pages + pagesPerRow - 1) / pagesPerRow)))
    }

    /// Ranges of blocks whose gaps are shorter than `gap` blocks.
    private static func merge(_ blocks: [UInt64], gap: UInt64) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        for block in blocks {
            if let last = ranges.last, block - last.upperBound < gap {
                ranges[ranges.count - 1] = last.lowerBound..<block + 1
            } else {
                ranges.append(block..<block + 1)
            }
        }
        return ranges
    }

    /// The row of a GFN, and the segment that holds it; looks at segment `guess` first.
    @inline(__always)
    func row(of gfn: GFN, guess: inout Int) -> Int {
        var segment = segments[guess]
        if gfn < segment.firstGFN || gfn - segment.firstGFN >= segment.pages {
            var low = 0
            var high = segments.count - 1
            while low < high {
                let middle = (low + high + 1) / 2
                if segments[middle].firstGFN <= gfn { low = middle } else { high = middle - 1 }
            }
            guess = low
            segment = segments[low]
        }
        return segment.firstRow + Int((gfn - segment.firstGFN) / pagesPerRow)
    }
}
