/// Entries of an iteration by what they add. `entries` is the sum of the other five.
@frozen package struct DuplicateCounts: Sendable, Equatable {
    /// All entries.
    package var entries: Int64 = 0
    /// First entries of their page in the iteration: the unique pages.
    package var distinct: Int64 = 0
    /// The page was already reported by another source or ring.
    package var crossRing: Int64 = 0
    /// The page was already reported by the same ring or bitmap.
    package var sameRing: Int64 = 0
    /// The page was already reported by the same ring, as a provisional entry: the retried write at a full ring.
    package var provisional: Int64 = 0
    /// The VMM's own log reports a page that was already reported.
    package var vmm: Int64 = 0

    /// Nothing counted.
    package init() {}

    /// Adds the counts of two iterations.
    package static func += (left: inout Self, right: Self) {
        left.entries += right.entries
        left.distinct += right.distinct
        left.crossRing += right.crossRing
        left.sameRing += right.sameRing
        left.provisional += right.provisional
        left.vmm += right.vmm
    }
}

/// Sorts every entry beyond the first of its page in an iteration into exactly one class.
///
/// The classes are decided in this order: an entry of the VMM's log is `vmm`; one whose ring has not reported the page
/// in this iteration is `crossRing`; one whose ring last reported it as a provisional entry is `provisional`; any other
/// is `sameRing`. Bitmaps count as one ring, as do all entries without a vCPU of one source.
@frozen package struct DuplicateClassifier: Sendable {
    /// What one entry turned out to be.
    @frozen package enum Class: Sendable { case distinct, crossRing, sameRing, provisional, vmm }

    @usableFromInline @frozen struct PageState: Sendable {
        @usableFromInline var iteration: Int64 = 0
        @usableFromInline var ring: Int32 = 0
        @usableFromInline var provisional = false

        @inlinable init(iteration: Int64 = 0, ring: Int32 = 0, provisional: Bool = false) {
            (self.iteration, self.ring, self.provisional) = (iteration, ring, provisional)
        }
    }
    @usableFromInline struct PageRing: Hashable, Sendable {
        var page: UInt32
        var ring: Int32
    }

    @usableFromInline var pages: [PageState] = []
    /// Rings beyond the first that reported a page in this iteration, and whether their last entry was provisional.
    @usableFromInline var furtherRings: [PageRing: Bool] = [:]
    @usableFromInline var iteration: Int64 = 0

    @usableFromInline var tally = DuplicateCounts()

    /// Counts of the iteration in progress.
    @inlinable package var counts: DuplicateCounts { tally }

    /// A classifier before the first iteration.
    package init() {}

    /// Identifies what reports pages: a ring by its vCPU, a source without vCPUs as one.
    package static func ring(of harvest: Harvest) -> Int32 {
        if let vcpu = harvest.vcpu { return Int32(truncatingIfNeeded: vcpu) }
        return harvest.source == .vmm ? -2 : -1
    }

    /// Begins another iteration.
    package mutating func begin(iteration: Int64) {
        self.iteration = iteration
        tally = DuplicateCounts()
        furtherRings.removeAll(keepingCapacity: true)
    }

    /// Classifies an entry of page number `page` (from a ``PageIndex``) reported by `ring`.
    @inlinable @inline(__always)
    package mutating func classify(page: Int, ring: Int32, provisional: Bool) -> Class {
        tally.entries += 1
        while pages.count <= page { pages.append(PageState()) }
        if pages[page].iteration != iteration {
            pages[page] = PageState(iteration: iteration, ring: ring, provisional: provisional)
            tally.distinct += 1
            return .distinct
        }
        return classifyAgain(page: page, ring: ring, provisional: provisional)
    }

    @usableFromInline @inline(never)
    mutating func classifyAgain(page: Int, ring: Int32, provisional: Bool) -> Class {
        let wasProvisional: Bool?
        if pages[page].ring == ring {
            wasProvisional = pages[page].provisional
            pages[page].provisional = provisional
        } else {
            wasProvisional = furtherRings.updateValue(
                provisional, forKey: PageRing(page: UInt32(truncatingIfNeeded: page), ring: ring))
        }
        if ring == -2 {
            tally.vmm += 1
            return .vmm
        }
        switch wasProvisional {
        case nil:
            tally.crossRing += 1
            return .crossRing
        case true?:
            tally.provisional += 1
            return .provisional
        case false?:
            tally.sameRing += 1
            return .sameRing
        }
    }
}
