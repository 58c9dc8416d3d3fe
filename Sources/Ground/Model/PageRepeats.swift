/// Who has reported a page in the iteration in progress. 6 bytes.
@frozen package struct PageReports: Sendable {
    /// The rings: a set of ``PageRepeats/sharers``.
    package var rings: UInt32
    /// The epoch (``ProtectionEpochs``) of the latest entry of the first of them.
    package var epoch: UInt16

    @inlinable package init(rings: UInt32 = 0, epoch: UInt16 = 0) { (self.rings, self.epoch) = (rings, epoch) }
}

/// Decides what an entry adds whose page was already reported in the iteration in progress, and remembers for that what is not the
/// page's own: who shares pages, and what rings beyond its first have said of one.
package struct PageRepeats: Sendable {
    private struct PageRing: Hashable {
        var page: Int
        var ring: UInt16
    }

    /// Sets of rings that reported the same page.
    package var sharers = SharerSets()
    /// Pages whose latest entry from that ring was provisional; a few.
    private var provisional: Set<PageRing> = []
    /// Rings beyond the first that reported a page: the epoch of their latest entry, where not 0.
    private var furtherEpochs: [PageRing: UInt16] = [:]

    package init() {}

    /// Begins another iteration; ``sharers`` stay.
    package mutating func beginIteration() {
        provisional.removeAll(keepingCapacity: true)
        furtherEpochs.removeAll(keepingCapacity: true)
    }

    /// The latest entry of this page from `ring` is provisional.
    package mutating func keepProvisional(page: Int, ring: UInt16) {
        provisional.insert(PageRing(page: page, ring: ring))
    }

    /// Classifies an entry of a page that rings have reported in this iteration, this one perhaps too, and adds it to `reports`.
    package mutating func classify(
        page: Int, ring: UInt16, epoch: UInt16, isVMM: Bool, isProvisional: Bool, in reports: inout PageReports
    ) -> DuplicateClassifier.Class {
        let rings = sharers.adding(ring, to: reports.rings)
        let isSameRing = rings == reports.rings
        let isRedirtied = changeEpoch(of: page, ring, to: epoch, in: &reports)
        reports.rings = rings
        // Looked up only where there is any: a harvest has one provisional entry at most, unless a file lies.
        let wasProvisional =
            isSameRing && !provisional.isEmpty && provisional.remove(PageRing(page: page, ring: ring)) != nil
        if isProvisional { keepProvisional(page: page, ring: ring) }
        if isVMM { return .vmm }
        if !isSameRing { return .crossRing }
        if wasProvisional { return .provisional }
        return isRedirtied ? .redirtied : .sameRing
    }

    /// - Returns: whether the ring's entry before was of another epoch; without one, whether this one's is not 0.
    private mutating func changeEpoch(
        of page: Int, _ ring: UInt16, to epoch: UInt16, in reports: inout PageReports
    ) -> Bool {
        // Most recordings know no other epoch than 0.
        if epoch == 0, reports.epoch == 0, furtherEpochs.isEmpty { return false }
        if sharers.first(of: reports.rings) == ring {
            defer { reports.epoch = epoch }
            return reports.epoch != epoch
        }
        let key = PageRing(page: page, ring: ring)
        let before = furtherEpochs[key] ?? 0
        if epoch != before { furtherEpochs[key] = epoch }
        return before != epoch
    }
}
