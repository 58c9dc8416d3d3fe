import Dispatch
import KVM
import Model
import Platform
import Synchronization

/// Turns (slot, offset) of ring entries into GFNs.
struct SlotTable: Sendable {
    private var baseOf: [UInt32: (base: GFN, pages: UInt64)] = [:]

    init(_ slots: [LiveSlot]) {
        for slot in slots { baseOf[slot.region.slot] = (slot.baseGFN, slot.pages) }
    }

    /// The GFN of a ring entry, or nil when no such page is known.
    @inline(__always)
    func gfn(of page: DirtyPage) -> GFN? {
        guard let slot = baseOf[page.slot], page.offset < slot.pages else { return nil }
        return slot.base + page.offset
    }
}

/// Harvests dirty rings and resets them; accounts for every entry.
///
/// Only the harvester thread, which has every signal blocked, may use it.
final class RingCollector: Collector {
    private let vm: VirtualMachine
    private let vcpus: [VCPU]
    private let ringEntries: Int
    private var slots: SlotTable
    /// Entries of each ring marked for reset since the last reset: their sum is what the kernel must answer.
    private var marked: [Int]
    /// When the previous scan of each ring began; its entries were pushed later.
    private var previousScan: [Int64]

    init(vm: VirtualMachine, vcpus: [VCPU], ringEntries: Int, slots: [LiveSlot], startNs: Int64) {
        self.vm = vm
        self.vcpus = vcpus
        self.ringEntries = ringEntries
        self.slots = SlotTable(slots)
        marked = vcpus.map { _ in 0 }
        previousScan = vcpus.map { _ in startNs }
    }

    private struct Scan: Sendable {
        var gfns: [GFN] = []
        var strangers = 0
        var startNs: Int64 = 0
        var endNs: Int64 = 0
    }

    func slotsChanged(to slots: [LiveSlot]) { self.slots = SlotTable(slots) }

    func collectAll(cause: HarvestCause, waiting: [VCPUCrew.Waiting], into batch: inout IterationBatch) {
        collect(Array(vcpus.indices), cause: cause, waiting: waiting, into: &batch)
    }

    /// Harvests the rings of `targets`. A ring whose vCPU stands still for it (`waiting`) ends with a provisional entry.
    func collect(
        _ targets: [Int], cause: HarvestCause, waiting: [VCPUCrew.Waiting], into batch: inout IterationBatch
    ) {
        let scans = scan(targets)
        for (vcpu, scan) in zip(targets, scans) {
            let count = scan.gfns.count + scan.strangers
            let stoodStill = waiting.first { $0.vcpu == vcpu }
            let wasMarked = marked[vcpu] > 0
            marked[vcpu] += count
            batch.iteration.scanNs += scan.endNs - scan.startNs
            let harvest = Harvest(
                iteration: batch.iteration.id, source: .dirtyRing, vcpu: vcpu, cause: cause,
                sinceNs: previousScan[vcpu], tsNs: scan.endNs, entryCount: scan.gfns.count,
                provisionalCount: stoodStill != nil && !scan.gfns.isEmpty ? 1 : 0,
                scanNs: scan.endNs - scan.startNs, stallNs: stoodStill.map { scan.endNs - $0.since } ?? 0)
            previousScan[vcpu] = scan.startNs
            batch.harvests.append((harvest, scan.gfns))
            if scan.strangers > 0 {
                batch.losses.append(
                    Loss(
                        iteration: batch.iteration.id, tsNs: scan.endNs, kind: .aborted, vcpu: vcpu,
                        entries: Int64(scan.strangers),
                        detail:
                            "\(scan.strangers) entries named a memory slot that does not exist; drain before deleting.")
                )
            }
            if count == ringEntries {
                batch.losses.append(
                    Loss(
                        iteration: batch.iteration.id, tsNs: scan.endNs, kind: .overrun, vcpu: vcpu,
                        detail: "The ring of vCPU \(vcpu) wrapped: all \(ringEntries) entries were dirty, older ones"
                            + " were overwritten; use a larger --ring-size."))
            } else if count == 0, stoodStill != nil, !wasMarked {
                resynchronise(vcpu, into: &batch)
            }
        }
    }

    /// Makes the account wrong on purpose, to see that it is noticed.
    func pretendToHaveMarked(_ count: Int, vcpu: Int) { marked[vcpu] += count }

    /// A vCPU says that its ring is full, but we see nothing: after an overrun the kernel's index is ahead of ours.
    private func resynchronise(_ vcpu: Int, into batch: inout IterationBatch) {
        let stale = vcpus[vcpu].resynchroniseRing()
        guard stale > 0 else { return }
        marked[vcpu] += stale
        batch.losses.append(
            Loss(
                iteration: batch.iteration.id, tsNs: monotonicNow(), kind: .desynchronised, vcpu: vcpu,
                entries: Int64(stale),
                detail: "The kernel's index of vCPU \(vcpu)'s ring was \(stale) entries ahead of ours; resynchronised,"
                    + " what those entries held is lost."))
    }

    private func scan(_ targets: [Int]) -> [Scan] {
        // A few rings are read faster than threads are woken.
        let (vcpus, slots) = (vcpus, slots)
        guard targets.count > 8 else { return targets.map { Self.scan(vcpus[$0], slots) } }
        let results = Mutex([Scan](repeating: Scan(), count: targets.count))
        DispatchQueue.concurrentPerform(iterations: targets.count) { index in
            let scan = Self.scan(vcpus[targets[index]], slots)
            results.withLock { $0[index] = scan }
        }
        return results.withLock { $0 }
    }

    private static func scan(_ vcpu: VCPU, _ slots: SlotTable) -> Scan {
        var scan = Scan()
        scan.startNs = monotonicNow()
        _ = vcpu.harvest { page in
            if let gfn = slots.gfn(of: page) { scan.gfns.append(gfn) } else { scan.strangers += 1 }
        }
        scan.endNs = monotonicNow()
        return scan
    }

    /// Resets everything harvested and checks the kernel's answer.
    ///
    /// - Returns: nanoseconds taken.
    func reprotect(into batch: inout IterationBatch) throws(KVMError) -> Int64 {
        let marked = self.marked.reduce(0, +)
        guard marked > 0 else { return 0 }
        let start = monotonicNow()
        var answered = try vm.resetDirtyRings()
        let short = marked - answered
        // A short reset leaves the rest marked: reset it now. At most 64 pages of the interrupted batch stay unprotected.
        while answered < marked {
            let more = try vm.resetDirtyRings()
            if more == 0 { break }
            answered += more
        }
        let end = monotonicNow()
        if short != 0 {
            batch.losses.append(
                Loss(
                    iteration: batch.iteration.id, tsNs: end,
                    kind: SignalMask.allBlocked ? .shortReset : .resetInterrupted, entries: Int64(abs(short)),
                    detail: "KVM_RESET_DIRTY_RINGS reset \(marked - short) entries of \(marked) at the first call and"
                        + " \(answered) in all; pages of the missing ones may have gone unprotected."))
        }
        for vcpu in vcpus.indices { self.marked[vcpu] = 0 }
        batch.iteration.resetNs += end - start
        return end - start
    }
}
