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

    /// Adds one to a class; ``entries`` is the caller's.
    package mutating func add(_ found: DuplicateClassifier.Class) {
        switch found {
        case .distinct: distinct += 1
        case .crossRing: crossRing += 1
        case .redirtied: redirtied += 1
        case .sameRing: sameRing += 1
        case .provisional: provisional += 1
        case .vmm: vmm += 1
        }
    }

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
        /// Who reported the page in it.
        @usableFromInline var reports = PageReports()

        @inlinable init(iteration: UInt32 = 0, reports: PageReports = PageReports()) {
            (self.iteration, self.reports) = (iteration, reports)
        }
    }

    @usableFromInline var pages: [PageState] = []
    @usableFromInline var repeats = PageRepeats()
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
        repeats.beginIteration()
        if repeats.sharers.areMany {
            repeats.sharers.removeAll()
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
            pages[page] = PageState(iteration: iteration, reports: PageReports(rings: alone, epoch: epoch))
            if provisional { repeats.keepProvisional(page: page, ring: number) }
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
        (self.ring, self.number, alone) = (ring, number, repeats.sharers.only(number))
    }

    @usableFromInline @inline(never)
    mutating func classifyAgain(page: Int, isVMM: Bool, isProvisional: Bool, epoch: UInt16) -> Class {
        let found = repeats.classify(
            page: page, ring: number, epoch: epoch, isVMM: isVMM, isProvisional: isProvisional,
            in: &pages[page].reports)
        tally.add(found)
        return found
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

    /// What reports these pages.
    package var ring: Int32 { Self.ring(of: vcpu, source) }

    /// A ring by its vCPU's number, the VMM's log, or a source without vCPUs, which is one.
    package static func ring(of vcpu: Int?, _ source: Source) -> Int32 {
        if let vcpu { return Int32(truncatingIfNeeded: vcpu) }
        return source == .vmm ? vmmLog : -1
    }

    /// Whether what it took was re-protected before its ring was harvested again within the iteration.
    ///
    /// A `periodic` pass ends its iteration, or is the first half of one (`live+final`), re-protected after the second: so all
    /// others are, and GET without manual protection, which re-protects by itself, and what a trace shows of a VMM, where a
    /// harvest is a re-protection.
    var isReprotected: Bool { cause != .periodic || source == .dirtyLog || source == .tracefs }
}
