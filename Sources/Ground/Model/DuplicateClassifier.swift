/// Entries of an iteration by what they add. `entries` is the sum of the other six.
@frozen package struct DuplicateCounts: Sendable, Equatable {
    package var entries: Int64 = 0
    /// First entries of their page in the iteration: the unique pages.
    package var distinct: Int64 = 0
    /// The page was already reported by another source or ring.
    package var crossRing: Int64 = 0
    /// The page was already reported by the same ring or bitmap, and re-protected since: it was written again.
    package var redirtied: Int64 = 0
    /// The page was already reported by the same ring or bitmap and not re-protected since, as far as is known: KVM logs a write
    /// that it emulates each time.
    package var sameRing: Int64 = 0
    /// The page was already reported by the same ring, as a provisional entry: the retried write at a full ring.
    package var provisional: Int64 = 0
    /// The VMM's own log reports a page that was already reported.
    package var vmm: Int64 = 0

    package init() {}

    package static func += (left: inout Self, right: Self) {
        left.entries += right.entries
        left.distinct += right.distinct
        left.crossRing += right.crossRing
        left.redirtied += right.redirtied
        left.sameRing += right.sameRing
        left.provisional += right.provisional
        left.vmm += right.vmm
    }

    package static func - (left: Self, right: Self) -> Self {
        var difference = left
        difference.entries -= right.entries
        difference.distinct -= right.distinct
        difference.crossRing -= right.crossRing
        difference.redirtied -= right.redirtied
        difference.sameRing -= right.sameRing
        difference.provisional -= right.provisional
        difference.vmm -= right.vmm
        return difference
    }
}

/// Sorts every entry beyond the first of its page in an iteration into exactly one class.
///
/// The classes are decided in this order: an entry of the VMM's log is `vmm`; one whose ring has not reported the page
/// in this iteration is `crossRing`; one whose ring last reported it as a provisional entry is `provisional`; one whose
/// page was re-protected since its ring last reported it is `redirtied`; any other is `sameRing`. Bitmaps count as one ring, as do all entries without a vCPU of one source.
@frozen package struct DuplicateClassifier: Sendable {
    /// What one entry turned out to be.
    @frozen package enum Class: Sendable { case distinct, crossRing, redirtied, sameRing, provisional, vmm }

    /// 12 bytes.
    @usableFromInline @frozen struct PageState: Sendable {
        /// The iteration of the latest entry, counted from 1.
        @usableFromInline var iteration: UInt32 = 0
        /// The rings that reported the page in it: a set of ``SharerSets``.
        @usableFromInline var rings: UInt32 = 0
        /// The epoch of the latest entry of the first of them.
        @usableFromInline var epoch: UInt16 = 0

        @inlinable init(iteration: UInt32 = 0, rings: UInt32 = 0, epoch: UInt16 = 0) {
            (self.iteration, self.rings, self.epoch) = (iteration, rings, epoch)
        }
    }
    @usableFromInline struct PageRing: Hashable, Sendable {
        var page: Int
        var ring: UInt16
    }

    @usableFromInline var pages: [PageState] = []
    /// Pages of the iteration in progress whose latest entry from that ring was provisional; a few.
    @usableFromInline var provisional: Set<PageRing> = []
    /// Rings beyond the first that reported a page in this iteration: the epoch of their latest entry, where not 0.
    @usableFromInline var furtherEpochs: [PageRing: UInt16] = [:]
    @usableFromInline var sharers = SharerSets()
    /// Numbers of rings, in 16 bits; what no host has is taken for the last one.
    @usableFromInline var numbers: [Int32: UInt16] = [:]
    /// The ring of the latest entry, its number and the set of it alone.
    @usableFromInline var ring: Int32?
    @usableFromInline var number: UInt16 = 0
    @usableFromInline var alone: UInt32 = 0
    /// The iteration in progress, counted from 1.
    @usableFromInline var iteration: UInt32 = 1

    @usableFromInline var tally = DuplicateCounts()

    /// Counts of the iteration in progress.
    @inlinable package var counts: DuplicateCounts { tally }

    package init() {}

    /// Begins another iteration.
    package mutating func beginIteration() {
        iteration += 1
        tally = DuplicateCounts()
        provisional.removeAll(keepingCapacity: true)
        furtherEpochs.removeAll(keepingCapacity: true)
        if sharers.areMany {
            sharers.removeAll()
            ring = nil
        }
    }

    /// Classifies an entry of page number `page` (from a ``PageIndex``) reported by `ring`, in the ring's ``ProtectionEpochs``.
    @inlinable @inline(__always)
    package mutating func classify(page: Int, ring: Int32, provisional: Bool, epoch: UInt16) -> Class {
        tally.entries += 1
        if page >= pages.count { makeRoom(for: page) }
        if ring != self.ring { begin(ring) }
        if pages[page].iteration != iteration {
            pages[page] = PageState(iteration: iteration, rings: alone, epoch: epoch)
            if provisional { keepProvisional(page) }
            tally.distinct += 1
            return .distinct
        }
        return classifyAgain(page: page, isVMM: ring == Harvest.vmmLog, isProvisional: provisional, epoch: epoch)
    }

    @usableFromInline @inline(never)
    mutating func makeRoom(for page: Int) {
        pages.append(contentsOf: repeatElement(PageState(), count: page + 1 - pages.count))
    }

    @usableFromInline @inline(never)
    mutating func begin(_ ring: Int32) {
        let number = numbers[ring] ?? UInt16(clamping: numbers.count)
        numbers[ring] = number
        (self.ring, self.number, alone) = (ring, number, sharers.only(number))
    }

    @usableFromInline @inline(never)
    mutating func keepProvisional(_ page: Int) { provisional.insert(PageRing(page: page, ring: number)) }

    @usableFromInline @inline(never)
    mutating func classifyAgain(page: Int, isVMM: Bool, isProvisional: Bool, epoch: UInt16) -> Class {
        let before = pages[page].rings
        let after = sharers.adding(number, to: before)
        let isSameRing = after == before
        pages[page].rings = after
        let isRedirtied = changeEpoch(of: page, to: epoch, rings: before)
        // Looked up only where there is any: a harvest has one provisional entry at most, unless a file lies.
        let wasProvisional =
            isSameRing && !provisional.isEmpty && provisional.remove(PageRing(page: page, ring: number)) != nil
        if isProvisional { keepProvisional(page) }
        if isVMM {
            tally.vmm += 1
            return .vmm
        }
        if !isSameRing {
            tally.crossRing += 1
            return .crossRing
        }
        if wasProvisional {
            tally.provisional += 1
            return .provisional
        }
        if isRedirtied {
            tally.redirtied += 1
            return .redirtied
        }
        tally.sameRing += 1
        return .sameRing
    }

    /// Remembers the epoch of the ring's entry of a page that `rings` have reported in this iteration, this one perhaps too.
    ///
    /// - Returns: whether the ring's entry before was of another epoch; without one, whether this one's is not 0.
    private mutating func changeEpoch(of page: Int, to epoch: UInt16, rings: UInt32) -> Bool {
        // Most recordings know no other epoch than 0.
        if epoch == 0, pages[page].epoch == 0, furtherEpochs.isEmpty { return false }
        if sharers.first(of: rings) == number {
            defer { pages[page].epoch = epoch }
            return pages[page].epoch != epoch
        }
        let key = PageRing(page: page, ring: number)
        let before = furtherEpochs[key] ?? 0
        if epoch != before { furtherEpochs[key] = epoch }
        return before != epoch
    }
}

/// Counts, ring by ring, how often the pages that it had reported were re-protected within the iteration.
package struct ProtectionEpochs: Sendable {
    private struct Pass {
        var iteration: Int64
        var sinceNs: Int64
        var tsNs: Int64
        var isReprotected: Bool
        var epoch: UInt16
    }
    private var latest: [Int32: Pass] = [:]

    /// Before the first harvest.
    package init() {}

    /// The ring's epoch in this harvest, which comes after those given before: two entries of one iteration and ring have
    /// different ones when their page was re-protected in between. Numbers come again after 65,536 re-protections.
    package mutating func epoch(of harvest: Harvest) -> UInt16 {
        let ring = harvest.ring
        var epoch: UInt16 = 0
        if let before = latest[ring], before.iteration == harvest.iteration {
            // A long pass is several harvests of the same times.
            let isSamePass = before.sinceNs == harvest.sinceNs && before.tsNs == harvest.tsNs
            epoch = before.isReprotected && !isSamePass ? before.epoch &+ 1 : before.epoch
        }
        latest[ring] = Pass(
            iteration: harvest.iteration, sinceNs: harvest.sinceNs, tsNs: harvest.tsNs,
            isReprotected: harvest.isReprotected, epoch: epoch)
        return epoch
    }
}

extension Harvest {
    /// The VMM's own log as a ``ring``.
    package static let vmmLog: Int32 = -2

    /// What reports these pages: a ring by its vCPU's number, the VMM's log, or a source without vCPUs, which is one.
    package var ring: Int32 {
        if let vcpu { return Int32(truncatingIfNeeded: vcpu) }
        return source == .vmm ? Self.vmmLog : -1
    }

    /// Whether what it took was re-protected before its ring was harvested again within the iteration.
    ///
    /// A `periodic` pass ends its iteration, or is the first half of one (`live+final`), re-protected after the second: so all
    /// others are, and GET without manual protection, which re-protects by itself, and what a trace shows of a VMM, where a
    /// harvest is a re-protection.
    var isReprotected: Bool { cause != .periodic || source == .dirtyLog || source == .tracefs }
}
