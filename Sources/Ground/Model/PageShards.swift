import Platform

/// In which shard a page lies: blocks of 64 neighbours stay together, and neighbouring blocks lie apart.
///
/// Within its shard a page has a GFN of its own, so that pages that lie close together do so there, too.
package enum PageShard {
    /// Bits of a shard's number.
    static let bits: UInt64 = 4
    /// Shards: more than there are workers, so that all of these end at about the same time, and so many that the pages
    /// of one fit into a core's cache.
    package static let count = 1 << 4

    /// The shard of a page: the number of its block, folded, so that a guest that strides uses all of them.
    @inline(__always)
    package static func number(of gfn: GFN) -> Int { Int(truncatingIfNeeded: fold(gfn >> 6)) }

    /// The page's GFN within its shard.
    @inline(__always)
    package static func local(_ gfn: GFN) -> GFN { (gfn >> (6 + bits)) << 6 | gfn & 63 }

    /// The page of a GFN within a shard.
    package static func gfn(_ local: GFN, in shard: Int) -> GFN {
        let upper = (local >> 6) << bits
        return (upper | (UInt64(shard) ^ fold(upper))) << 6 | local & 63
    }

    @inline(__always)
    private static func fold(_ block: UInt64) -> UInt64 {
        var folded = block ^ block >> 32
        folded ^= folded >> 16
        folded ^= folded >> 8
        folded ^= folded >> 4
        return folded & (1 << bits - 1)
    }
}

/// The state of the pages of one shard, and what an entry does to it.
package protocol PageShardState: Sendable {
    /// What all shards must know of a harvest.
    associatedtype Step: Sendable
    /// What shards add up; one a worker.
    associatedtype Tally: Sendable

    /// Takes those entries of a harvest that lie in this shard.
    ///
    /// - Parameters:
    ///   - pages: GFNs within the shard, in the order of the harvest.
    ///   - provisional: How many of the last ones are provisional.
    ///   - place: Number of the harvest in its batch.
    mutating func take(
        _ pages: Span<GFN>, provisional: Int, of step: Step, place: Int, shard: Int, into tally: inout Tally)
}

/// Harvests whose entries were sorted by shard. A shard's entries stand together, in the order of the harvests.
private struct SortedHarvests: Sendable {
    /// Where the entries of a harvest end that lie in a shard.
    private struct End: Sendable {
        var harvest: UInt32
        var end: UInt32
        var provisional: UInt32
    }
    private let pages: [GFN]
    /// Where the entries of each shard begin, and the end of all.
    private var begins = [UInt32](repeating: 0, count: PageShard.count + 1)
    /// Of each shard, the harvests that have entries in it.
    private var ends = [[End]](repeating: [], count: PageShard.count)

    init(_ harvests: Range<Int>, gfns: (Int) -> [GFN], provisionalCount: (Int) -> Int) {
        var cursors = [UInt32](repeating: 0, count: PageShard.count)
        for harvest in harvests { Self.count(gfns(harvest), &cursors) }
        for shard in cursors.indices {
            begins[shard + 1] = begins[shard] + cursors[shard]
            cursors[shard] = begins[shard]
        }
        let total = Int(begins[PageShard.count])
        var ends = ends
        pages = unsafe [GFN](unsafeUninitializedCapacity: total) { buffer, initialized in
            for harvest in harvests {
                let some = gfns(harvest)
                let before = cursors
                unsafe Self.sort(some, &cursors, to: buffer)
                for shard in cursors.indices where cursors[shard] > before[shard] {
                    ends[shard].append(End(harvest: UInt32(harvest), end: cursors[shard], provisional: 0))
                }
                for gfn in some.suffix(provisionalCount(harvest)) {
                    let shard = PageShard.number(of: gfn)
                    ends[shard][ends[shard].count - 1].provisional += 1
                }
            }
            initialized = total
        }
        self.ends = ends
    }

    private static func count(_ gfns: [GFN], _ counts: inout [UInt32]) {
        var counts = counts.mutableSpan
        for gfn in gfns { counts[PageShard.number(of: gfn)] &+= 1 }
    }

    private static func sort(
        _ gfns: [GFN], _ cursors: inout [UInt32], to pages: UnsafeMutableBufferPointer<GFN>
    ) {
        var cursors = cursors.mutableSpan
        for gfn in gfns {
            let shard = PageShard.number(of: gfn)
            // Each shard has as much room as was counted.
            unsafe pages[Int(cursors[shard])] = PageShard.local(gfn)
            cursors[shard] &+= 1
        }
    }

    /// Calls `body` for each harvest that has entries in `shard`, with these.
    func forEach(in shard: Int, _ body: (_ harvest: Int, _ pages: Span<GFN>, _ provisional: Int) -> Void) {
        let pages = pages.span
        var begin = Int(begins[shard])
        for end in ends[shard] {
            body(Int(end.harvest), pages.extracting(begin..<Int(end.end)), Int(end.provisional))
            begin = Int(end.end)
        }
    }
}

/// All pages in shards, of which each worker takes one after the other: a page is always met by its shard alone, in the order of
/// the harvests, so whatever is added up is the same however many workers there are.
package final class PageShards<State: PageShardState>: Sendable {
    /// A harvest, and what shards must know of it.
    package struct Harvested: Sendable {
        package var step: State.Step
        package var gfns: [GFN]
        package var provisionalCount: Int

        package init(step: State.Step, gfns: [GFN], provisionalCount: Int) {
            (self.step, self.gfns, self.provisionalCount) = (step, gfns, provisionalCount)
        }
    }

    private let shards: [Guarded<State>]
    private let tallies: [Guarded<State.Tally>]
    private let workers: Int

    /// Entries that a worker sorts at a time.
    private static var sortedAtOnce: Int { 1 << 16 }

    package init(_ state: State, _ tally: State.Tally, workers: Int = Parallel.workers) {
        self.workers = max(1, min(workers, PageShard.count))
        shards = (0..<PageShard.count).map { _ in Guarded(state) }
        tallies = (0..<self.workers).map { _ in Guarded(tally) }
    }

    /// Calls `body` with the tally of each worker.
    package func forEachTally(_ body: (inout State.Tally) -> Void) {
        for tally in tallies { tally.withLock(body) }
    }

    /// Gives each shard its entries of these harvests.
    package func take(_ batch: [Harvested]) {
        var parts: [Range<Int>] = []
        var (first, entries) = (0, 0)
        for place in batch.indices {
            // A harvest weighs more than its entries.
            entries += batch[place].gfns.count + 64
            if entries >= Self.sortedAtOnce || place == batch.count - 1 {
                parts.append(first..<place + 1)
                (first, entries) = (place + 1, 0)
            }
        }
        let sorted = Parallel.map(parts.count, workers: workers) { [parts] part in
            SortedHarvests(
                parts[part], gfns: { batch[$0].gfns }, provisionalCount: { batch[$0].provisionalCount })
        }
        Parallel.forEach(PageShard.count, workers: workers) { shard, worker in
            shards[shard].withLock { state in
                tallies[worker].withLock { tally in
                    for part in sorted {
                        part.forEach(in: shard) { place, pages, provisional in
                            state.take(
                                pages, provisional: provisional, of: batch[place].step, place: place, shard: shard,
                                into: &tally)
                        }
                    }
                }
            }
        }
    }

    /// The shards as they are now, in order.
    package var states: [State] { shards.map { $0.withLock { $0 } } }

    /// Calls `body` with each shard, all workers at once, and the number of the worker.
    package func forEachShard(_ body: @Sendable (_ state: inout State, _ tally: inout State.Tally) -> Void) {
        Parallel.forEach(PageShard.count, workers: workers) { shard, worker in
            shards[shard].withLock { state in tallies[worker].withLock { body(&state, &$0) } }
        }
    }
}
