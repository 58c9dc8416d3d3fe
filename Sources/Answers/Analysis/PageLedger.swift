import Model

/// All pages of a recording, each with what is known of it. They are numbered from 0, shard by shard.
struct PageLedger: Sendable {
    private let shards: [LedgerShard]
    /// The number of the first page of each shard, and of all pages.
    private let bases: [Int]
    /// gaps[g]: how often a page was dirtied again g iterations after the previous time.
    let gaps: [Int64]
    /// Who shares pages.
    let pairs: RingPairs

    /// Different pages.
    var count: Int { bases[shards.count] }

    init(_ shards: [LedgerShard], gaps: [Int64], pairs: RingPairs) {
        (self.shards, self.gaps, self.pairs) = (shards, gaps, pairs)
        bases = shards.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.states.count) }
    }

    /// The number of a page that was met.
    func number(of gfn: GFN) -> Int? {
        let shard = PageShard.number(of: gfn)
        return shards[shard].index.find(PageShard.local(gfn)).map { bases[shard] + $0 }
    }

    /// Calls `body` with what is known of each page, in the order of their numbers.
    func forEach(_ body: (PageState) -> Void) {
        for shard in shards { for state in shard.states { body(state) } }
    }

    /// Pages of which something holds.
    func count(where holds: (PageState) -> Bool) -> Int64 {
        var count: Int64 = 0
        forEach { count += holds($0) ? 1 : 0 }
        return count
    }

    /// Calls `body` with the GFN of each page and what is known of it, in the order of their numbers.
    func forEachPage(_ body: (GFN, PageState) -> Void) {
        for (number, shard) in shards.enumerated() {
            for page in shard.states.indices {
                body(PageShard.gfn(shard.index.gfns[page], in: number), shard.states[page])
            }
        }
    }

    /// The numbers of the pages in the order of their addresses, and their GFNs.
    var inOrder: (numbers: [UInt32], gfns: [GFN]) {
        var gfns: [GFN] = []
        gfns.reserveCapacity(count)
        forEachPage { gfn, _ in gfns.append(gfn) }
        var numbers = [UInt32](0..<UInt32(count))
        numbers.sort { gfns[Int($0)] < gfns[Int($1)] }
        return (numbers, numbers.map { gfns[Int($0)] })
    }
}
