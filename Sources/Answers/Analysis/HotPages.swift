import Model

/// One page and how often it was dirtied.
package struct PageHeat: Sendable, Equatable {
    package var gfn: GFN
    /// Iterations in which it was dirtied.
    package var iterations: Int64
    package var entries: Int64
    /// Iterations in which several rings reported it.
    package var sharedIterations: Int64
    /// First iteration, from 1.
    package var firstIteration: Int64
    package var lastIteration: Int64

    init(gfn: GFN, _ state: PageState) {
        self.gfn = gfn
        iterations = Int64(state.iterations)
        entries = Int64(state.iterations) + Int64(state.repeats)
        sharedIterations = Int64(state.sharedIterations)
        firstIteration = Int64(state.firstIteration)
        lastIteration = Int64(state.lastIteration)
    }
}

/// Pages worth sending last in a migration: those dirtied in at least a given share of iterations.
package struct HotList: Sendable, Equatable {
    /// The share, 0...1.
    package var iterationShare: Double
    /// Pages dirtied at least that often.
    package var pages: Int64 = 0
    /// Iterations × pages: how often they would be sent by a migration with one round an iteration.
    package var records: Int64 = 0
    /// Bytes that such a migration saves by sending each of them once, at its end.
    package var bytesSaved: Int64 = 0
}

extension PageLedger {
    /// The `limit` pages that come first in the order of `key`, then of more entries, then of lower GFNs.
    /// Pages with key 0 are left out.
    func top(_ limit: Int, by key: (PageState) -> UInt32) -> [PageHeat] {
        // A sorted short list: nearly all pages fail the first comparison.
        var best: [(key: UInt32, entries: UInt64, gfn: GFN, state: PageState)] = []
        forEachPage { gfn, state in
            let value = key(state)
            if value == 0 || limit == 0 { return }
            let entries = UInt64(state.iterations) + UInt64(state.repeats)
            func precedes(_ other: (key: UInt32, entries: UInt64, gfn: GFN, state: PageState)) -> Bool {
                if value != other.key { return value > other.key }
                if entries != other.entries { return entries > other.entries }
                return gfn < other.gfn
            }
            if let last = best.last, best.count == limit, !precedes(last) { return }
            let place = best.firstIndex(where: precedes) ?? best.count
            best.insert((value, entries, gfn, state), at: place)
            if best.count > limit { best.removeLast() }
        }
        return best.map { PageHeat(gfn: $0.gfn, $0.state) }
    }

    /// The hot lists of pages dirtied in at least 90 %, 50 % and 10 % of `iterations` iterations.
    func hotLists(iterations: Int, pageSize: Int64) -> [HotList] {
        [90, 50, 10].map { percent in
            var list = HotList(iterationShare: Double(percent) / 100)
            forEach { state in
                guard Int(state.iterations) * 100 >= iterations * percent else { return }
                list.pages += 1
                list.records += Int64(state.iterations)
            }
            list.bytesSaved = (list.records - list.pages) * pageSize
            return list
        }
    }
}
