import KVM
import Model
import Platform

/// Collects the dirty bitmap of every logged slot by GET, or by GET and CLEAR.
///
/// Without manual protection GET clears and re-protects everything at once. With it GET is cumulative until CLEAR, so
/// that a second collection in an iteration repeats the first: the first is kept, and only what is new is reported.
final class BitmapCollector: Collector {
    /// A logged slot.
    private struct Slot {
        var id: UInt32
        var baseGFN: GFN
        var pages: UInt64
        /// The last GET; rounded up to 64-bit words.
        var current: [UInt64] = []
        /// With manual protection: what this iteration has reported but not yet cleared.
        var reported: [UInt64] = []

        init(_ slot: LiveSlot) {
            id = slot.region.slot
            baseGFN = slot.baseGFN
            pages = slot.pages
            current = [UInt64](repeating: 0, count: Int((pages + 63) / 64))
            reported = current
        }
    }

    private let vm: VirtualMachine
    private let source: Source
    /// Pages in one CLEAR, a multiple of 64.
    private let clearChunk: UInt64
    private var slots: [Slot]
    private var previousPass: Int64
    /// The first bitmap that begins as all ones is still to come: pages that `isWritten` denies were never written.
    private var isWritten: ((GFN) -> Bool)?

    init(
        vm: VirtualMachine, manual: Bool, clearChunk: UInt64, slots: [LiveSlot], startNs: Int64,
        initiallySet isWritten: ((GFN) -> Bool)?
    ) {
        self.vm = vm
        self.source = manual ? .clearLog : .dirtyLog
        self.clearChunk = clearChunk
        self.slots = slots.map(Slot.init)
        self.isWritten = isWritten
        previousPass = startNs
    }

    func slotsChanged(to slots: [LiveSlot]) { self.slots = slots.map(Slot.init) }

    /// Bitmaps are never full.
    func collect(
        _ vcpus: [Int], cause: HarvestCause, waiting: [VCPUCrew.Waiting], into batch: inout IterationBatch
    ) {}

    /// Reads the bitmaps.
    func collectAll(
        cause: HarvestCause, waiting: [VCPUCrew.Waiting], into batch: inout IterationBatch
    ) throws(KVMError) {
        let start = monotonicNow()
        for index in slots.indices {
            try vm.getDirtyLog(slot: slots[index].id, into: &slots[index].current)
        }
        let end = monotonicNow()
        batch.iteration.getNs += end - start
        var gfns: [GFN] = []
        for index in slots.indices {
            for word in slots[index].current.indices {
                var new = slots[index].current[word]
                if source == .clearLog {
                    new &= ~slots[index].reported[word]
                    slots[index].reported[word] |= new
                }
                while new != 0 {
                    let page = UInt64(word * 64 + new.trailingZeroBitCount)
                    new &= new - 1
                    guard page < slots[index].pages else { break }
                    gfns.append(slots[index].baseGFN + page)
                }
            }
        }
        let harvest = Harvest(
            iteration: batch.iteration.id, source: source, vcpu: nil, cause: cause, sinceNs: previousPass, tsNs: end,
            entryCount: gfns.count, scanNs: end - start)
        previousPass = start
        batch.harvests.append((harvest, gfns))
    }

    /// Splits what a first bitmap of all ones reported: pages never written become harvests with cause `initial`. Only
    /// after the CLEAR: until then a page may be written without another report.
    private func splitInitial(_ isWritten: (GFN) -> Bool, in batch: inout IterationBatch) {
        for index in batch.harvests.indices where batch.harvests[index].harvest.source == source {
            var (harvest, gfns) = batch.harvests[index]
            batch.harvests[index].gfns = gfns.filter(isWritten)
            batch.harvests[index].harvest.entryCount = batch.harvests[index].gfns.count
            gfns.removeAll(where: isWritten)
            harvest.cause = .initial
            harvest.entryCount = gfns.count
            harvest.scanNs = 0
            batch.harvests.append((harvest, gfns))
        }
    }

    /// Clears what this iteration reported, chunk by chunk; GET alone has done that already.
    func reprotect(into batch: inout IterationBatch) throws(KVMError) -> Int64 {
        guard source == .clearLog else { return 0 }
        let start = monotonicNow()
        for index in slots.indices {
            var first: UInt64 = 0
            while first < slots[index].pages {
                let count = min(clearChunk, slots[index].pages - first)
                try vm.clearDirtyLog(
                    slot: slots[index].id, bitmap: &slots[index].reported, firstPage: first, pages: UInt32(count))
                first += count
            }
            for word in slots[index].reported.indices { slots[index].reported[word] = 0 }
        }
        let taken = monotonicNow() - start
        batch.iteration.clearNs += taken
        if let isWritten { splitInitial(isWritten, in: &batch) }
        isWritten = nil
        return taken
    }
}
