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
}

/// Sorts every entry beyond the first of its page in an iteration into exactly one class.
///
/// The classes are decided in this order: an entry of the VMM's log is `vmm`; one whose ring has not reported the page
/// in this iteration is `crossRing`; one whose ring last reported it as a provisional entry is `provisional`; one whose
/// page was re-protected since its ring last reported it is `redirtied`; any other is `sameRing`. Bitmaps count as one ring, as do all entries without a vCPU of one source.
@frozen package struct DuplicateClassifier: Sendable {
    /// What one entry turned out to be.
    @frozen package enum Class: Sendable { case distinct, crossRing, redirtied, sameRing, provisional, vmm }

    @usableFromInline @frozen struct PageState: Sendable {
        @usableFromInline var iteration: Int64 = 0
        @usableFromInline var ring: Int32 = 0
        @usableFromInline var report = Report()

        @inlinable init(iteration: Int64 = 0, ring: Int32 = 0, report: Report = Report()) {
            (self.iteration, self.ring, self.report) = (iteration, ring, report)
        }
    }
    /// What a ring's latest entry of a page was.
    @usableFromInline @frozen struct Report: Sendable {
        @usableFromInline var provisional = false
        @usableFromInline var epoch: UInt16 = 0

        @inlinable init(provisional: Bool = false, epoch: UInt16 = 0) {
            (self.provisional, self.epoch) = (provisional, epoch)
        }
    }
    @usableFromInline struct PageRing: Hashable, Sendable {
        var page: UInt32
        var ring: Int32
    }

    @usableFromInline var pages: [PageState] = []
    /// Rings beyond the first that reported a page in this iteration, with their latest entry.
    @usableFromInline var furtherRings: [PageRing: Report] = [:]
    @usableFromInline var iteration: Int64 = 0

    @usableFromInline var tally = DuplicateCounts()

    /// Counts of the iteration in progress.
    @inlinable package var counts: DuplicateCounts { tally }

    package init() {}

    /// Begins another iteration.
    package mutating func begin(iteration: Int64) {
        self.iteration = iteration
        tally = DuplicateCounts()
        furtherRings.removeAll(keepingCapacity: true)
    }

    /// Classifies an entry of page number `page` (from a ``PageIndex``) reported by `ring`, in the ring's ``ProtectionEpochs``.
    @inlinable @inline(__always)
    package mutating func classify(page: Int, ring: Int32, provisional: Bool, epoch: UInt16) -> Class {
        tally.entries += 1
        while pages.count <= page { pages.append(PageState()) }
        let report = Report(provisional: provisional, epoch: epoch)
        if pages[page].iteration != iteration {
            pages[page] = PageState(iteration: iteration, ring: ring, report: report)
            tally.distinct += 1
            return .distinct
        }
        return classifyAgain(page: page, ring: ring, report: report)
    }

    @usableFromInline @inline(never)
    mutating func classifyAgain(page: Int, ring: Int32, report: Report) -> Class {
        let before: Report?
        if pages[page].ring == ring {
            before = pages[page].report
            pages[page].report = report
        } else {
            before = furtherRings.updateValue(
                report, forKey: PageRing(page: UInt32(truncatingIfNeeded: page), ring: ring))
        }
        if ring == Harvest.vmmLog {
            tally.vmm += 1
            return .vmm
        }
        guard let before else {
            tally.crossRing += 1
            return .crossRing
        }
        if before.provisional {
            tally.provisional += 1
            return .provisional
        }
        if before.epoch != report.epoch {
            tally.redirtied += 1
            return .redirtied
        }
        tally.sameRing += 1
        return .sameRing
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
