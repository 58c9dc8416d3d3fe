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
        var generation: Int
        var baseGFN: GFN
        var pages: UInt64
        /// The last GET; rounded up to 64-bit words.
        var current: [UInt64] = []
        /// With manual protection: what this iteration has reported but not yet cleared.
        var reported: [UInt64] = []
        /// Its first bitmap, of all ones, is still to come.
        var initial: InitialContent?

        init(_ slot: LiveSlot, initiallySet: Bool) throws(KVMError) {
            id = slot.region.slot
            generation = slot.generation
            baseGFN = slot.baseGFN
            pages = slot.pages
            initial = initiallySet ? try InitialContent(of: slot) : nil
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
    /// Whether the bitmap of a slot begins as all ones, whenever the slot comes.
    private let initiallySet: Bool

    init(
        vm: VirtualMachine, manual: Bool, clearChunk: UInt64, slots: [LiveSlot], startNs: Int64, initiallySet: Bool
    ) throws(KVMError) {
        self.vm = vm
        self.source = manual ? .clearLog : .dirtyLog
        self.clearChunk = clearChunk
        self.slots = []
        self.initiallySet = initiallySet
        previousPass = startNs
        try slotsChanged(to: slots)
    }

    func slotsChanged(to slots: [LiveSlot]) throws(KVMError) {
        let known = self.slots
        self.slots = []
        for slot in slots {
            if let same = known.first(where: { $0.id == slot.region.slot && $0.generation == slot.generation }) {
                self.slots.append(same)
            } else {
                self.slots.append(try Slot(slot, initiallySet: initiallySet))
            }
        }
    }

    /// Bitmaps are never full.
    func collect(
        _ vcpus: [Int], cause: HarvestCause, waiting: [VCPUCrew.Waiting], into batch: inout IterationBatch
    ) {}

    /// Reads the bitmaps.
    func collectAll(
        cause: HarvestCause, waiting: [VCPUCrew.Waiting], heldNs: Int64, into batch: inout IterationBatch
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
        previousPass = min(start, heldNs)
        batch.harvests.append((harvest, gfns))
    }

    /// Splits what first bitmaps of all ones reported: pages not written since their slot came become harvests with cause
    /// `initial`. Only after the CLEAR: until then a page may be written without another report.
    private func splitInitial(in batch: inout IterationBatch) {
        let initial = slots.filter { $0.initial != nil }
        guard !initial.isEmpty else { return }
        func isWritten(_ gfn: GFN) -> Bool {
            let slot = initial.first { gfn >= $0.baseGFN && gfn - $0.baseGFN < $0.pages }
            return slot.map { $0.initial?.differs(page: gfn - $0.baseGFN) ?? true } ?? true
        }
        for index in batch.harvests.indices where batch.harvests[index].harvest.source == source {
            var (harvest, gfns) = batch.harvests[index]
            guard harvest.cause != .initial else { continue }
            let isOurs = gfns.map(isWritten)
            batch.harvests[index].gfns = zip(gfns, isOurs).filter(\.1).map(\.0)
            batch.harvests[index].harvest.entryCount = batch.harvests[index].gfns.count
            gfns = zip(gfns, isOurs).filter { !$0.1 }.map(\.0)
            harvest.cause = .initial
            harvest.entryCount = gfns.count
            harvest.scanNs = 0
            if !gfns.isEmpty { batch.harvests.append((harvest, gfns)) }
        }
        for index in slots.indices { slots[index].initial = nil }
    }

    /// Clears what this iteration reported, chunk by chunk; GET alone has done that already.
    func reprotect(into batch: inout IterationBatch) throws(KVMError) -> Reprotection {
        guard source == .clearLog else { return Reprotection() }
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
        splitInitial(in: &batch)
        return Reprotection(ns: taken)
    }
}

/// A slot's memory as it was when the slot came. A page that differs has been written since.
///
/// Pages that hold zeroes take no memory here. A write that leaves a page as it was goes unseen, as it does for every
/// comparison of contents.
private struct InitialContent {
    private let slot: LiveSlot
    private let copy: GuestMemory

    /// Remembers the slot's memory; the vCPUs must stand still.
    init(of slot: LiveSlot) throws(KVMError) {
        self.slot = slot
        copy = try slot.memory.copy(from: slot.offset, bytes: Int(slot.region.size))
    }

    func differs(page: UInt64) -> Bool {
        let place = Int(page) * Int(pageBytes)
        return !slot.memory.hasSamePage(at: slot.offset + place, as: copy, at: place)
    }
}
