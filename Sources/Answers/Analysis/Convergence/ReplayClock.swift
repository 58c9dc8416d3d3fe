import Model

/// Extremes of all windows of each length, in groups; index 0 is unused.
struct WindowExtremes: Sendable {
    private(set) var fewest: [Int64]
    private(set) var most: [Int64]
    /// The longest time that a window of so many groups takes.
    private(set) var longestNs: [Int64]

    init(_ table: WindowTable) {
        fewest = [Int64](repeating: .max, count: table.groups + 1)
        most = [Int64](repeating: 0, count: table.groups + 1)
        longestNs = most
        for last in stride(from: 1, through: table.groups, by: 1) {
            for first in 0..<last {
                let pages = table.pages(after: first, through: last)
                let length = last - first
                if pages < fewest[length] { fewest[length] = pages }
                if pages > most[length] { most[length] = pages }
                longestNs[length] = max(longestNs[length], table.boundaries[last] - table.boundaries[first])
            }
        }
    }
}

/// Boundaries and windows of a recording as a replay sees them: with what lies beyond the end, if asked.
///
/// Boundaries keep counting beyond the recording: boundary k + n is boundary k one recording's length later.
struct ReplayClock: Sendable {
    let table: WindowTable
    let extend: ConvergenceOptions.Extension
    let extremes: WindowExtremes
    /// The guest's pages: what the first round sends.
    let memoryPages: Int64
    private let wrap: WrapTable?
    private let length: Int64

    init(_ collector: AnalysisPass, table: WindowTable, extend: ConvergenceOptions.Extension, memoryPages: Int64) {
        self.table = table
        length = table.boundaries[table.groups] - table.boundaries[0]
        // A recording that takes no time cannot be repeated.
        self.extend = length > 0 ? extend : .none
        extremes = WindowExtremes(table)
        self.memoryPages = memoryPages
        wrap = self.extend == .loop ? WrapTable(collector.pages, table) : nil
    }

    /// The last boundary at or before `time`; 0 before the start. Nil beyond a recording that is not extended.
    func boundary(atOrBefore time: Int64) -> Int? {
        guard let (loops, place) = locate(time) else { return nil }
        return loops * table.groups + place
    }

    /// The first boundary at or after `time`. Nil beyond a recording that is not extended.
    func boundary(atOrAfter time: Int64) -> Int? {
        guard let (loops, place) = locate(time) else { return nil }
        let boundary = loops * table.groups + place
        return self.time(of: boundary) >= time ? boundary : boundary + 1
    }

    func time(of boundary: Int) -> Int64 {
        let groups = table.groups
        guard boundary > groups else { return table.boundaries[boundary] }
        return table.boundaries[boundary % groups] + Int64(boundary / groups) * length
    }

    private func locate(_ time: Int64) -> (loops: Int, place: Int)? {
        let start = table.boundaries[0]
        let beyond = time - start > length
        if beyond, extend == .none { return nil }
        let loops = beyond ? (time - start) / length : 0
        guard loops < 1 << 40 else { return nil }
        let within = time - loops * length
        // Iterations are nearly regular: begin where a regular one would be, widen until the place is inside, then halve.
        let share = length == 0 ? 0 : Double(within - start) / Double(length)
        var low = max(0, min(table.groups, Int(share * Double(table.groups))))
        var high = low
        var step = 1
        while low > 0, table.boundaries[low] > within {
            high = low - 1
            low = max(0, low - step)
            step *= 2
        }
        while high < table.groups, table.boundaries[high + 1] <= within {
            low = high + 1
            high = min(table.groups, high + step)
            step *= 2
        }
        while low < high {
            let middle = (low + high + 1) / 2
            if table.boundaries[middle] <= within { low = middle } else { high = middle - 1 }
        }
        return (Int(loops), low)
    }

    /// Fewest and most distinct pages in the window (first, last]: the same number as long as the recording knows.
    func pages(after first: Int, through last: Int) -> (low: Int64, high: Int64) {
        guard first < last else { return (0, 0) }
        let groups = table.groups
        let all = table.pages(after: 0, through: groups)
        if last <= groups {
            let pages = table.pages(after: first, through: last)
            return (pages, pages)
        }
        switch extend {
        case .none: return (0, memoryPages)  // Not reached: boundaries end with the recording.
        case .steady:
            return last - first > groups
                ? (all, max(all, memoryPages)) : (extremes.fewest[last - first], extremes.most[last - first])
        case .loop:
            guard last - first < groups else { return (all, all) }
            let begin = first % groups
            let end = begin + last - first
            if end <= groups {
                let pages = table.pages(after: begin, through: end)
                return (pages, pages)
            }
            let pages =
                table.pages(after: begin, through: groups) + table.pages(after: 0, through: end - groups)
                - (wrap?.pages(firstBy: end - groups, lastAfter: begin) ?? 0)
            return (pages, pages)
        }
    }
}

/// How many pages were first dirtied by boundary f and last dirtied after boundary l, f ≤ l: the pages that both ends
/// of a window around the seam of a looped recording have in common.
private struct WrapTable: Sendable {
    /// Row l, of l cells, begins at l(l−1)/2; cell f−1 holds the answer for f in 1...l.
    private var cells: [UInt32]

    init(_ pages: PageLedger, _ table: WindowTable) {
        let groups = table.groups
        cells = [UInt32](repeating: 0, count: groups * (groups + 1) / 2)
        let per = table.iterationsPerGroup
        pages.forEach { page in
            let first = (Int(page.firstIteration) + per - 1) / per
            let last = (Int(page.lastIteration) + per - 1) / per
            cells[last * (last - 1) / 2 + first - 1] += 1
        }
        var later = [UInt32](repeating: 0, count: groups)
        for last in stride(from: groups, through: 1, by: -1) {
            let row = last * (last - 1) / 2
            var sum: UInt32 = 0
            for place in 0..<last {
                sum += cells[row + place]
                cells[row + place] = later[place]
                later[place] += sum
            }
        }
    }

    func pages(firstBy first: Int, lastAfter last: Int) -> Int64 {
        first == 0 ? 0 : Int64(cells[last * (last - 1) / 2 + first - 1])
    }
}
