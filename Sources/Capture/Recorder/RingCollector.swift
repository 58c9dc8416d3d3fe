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

/// Pages of logged slots, a bit each.
private struct PageSet {
    private var slots: [(base: GFN, bits: [UInt64])]

    init(_ slots: [LiveSlot]) {
        self.slots = slots.map { ($0.baseGFN, [UInt64](repeating: 0, count: Int(($0.pages + 63) / 64))) }
    }

    private func place(of gfn: GFN) -> (slot: Int, word: Int, bit: UInt64)? {
        for (slot, (base, bits)) in slots.enumerated() where gfn >= base && (gfn - base) / 64 < bits.count {
            return (slot, Int((gfn - base) / 64), 1 << ((gfn - base) % 64))
        }
        return nil
    }

    func contains(_ gfn: GFN) -> Bool { place(of: gfn).map { slots[$0.slot].bits[$0.word] & $0.bit != 0 } ?? false }

    mutating func insert(_ gfns: [GFN]) {
        for gfn in gfns {
            if let place = place(of: gfn) { slots[place.slot].bits[place.word] |= place.bit }
        }
    }
}

/// Harvests dirty rings and resets them; accounts for every entry.
///
/// Only the harvester thread, which has every signal blocked, may use it.
final class RingCollector: Collector {
    private let vm: VirtualMachine
    private let vcpus: [VCPU]
    private let ringEntries: Int
    /// Whether this kernel's reset ends early when its thread has work to do.
    private let resetsEndEarly: Bool
    private var slots: SlotTable
    /// Entries of each ring marked for reset since the last reset: their sum is what the kernel must answer.
    private var marked: [Int]
    /// Entries that were marked before that reset, and for which it did not answer.
    private var unanswered = 0
    /// Since when each ring's next entries have been written.
    private var previousScan: [Int64]
    /// With PML: the pages that have been reported.
    private var reported: PageSet?

    init(
        vm: VirtualMachine, vcpus: [VCPU], ringEntries: Int, resetsEndEarly: Bool, hasPML: Bool, slots: [LiveSlot],
        startNs: Int64
    ) {
        self.vm = vm
        self.vcpus = vcpus
        self.ringEntries = ringEntries
        self.resetsEndEarly = resetsEndEarly
        self.slots = SlotTable(slots)
        reported = hasPML ? PageSet(slots) : nil
        marked = vcpus.map { _ in 0 }
        previousScan = vcpus.map { _ in startNs }
    }

    private struct Scan: Sendable {
        var gfns: [GFN] = []
        var strangers = 0
        var startNs: Int64 = 0
        var endNs: Int64 = 0
    }

    func slotsChanged(to slots: [LiveSlot]) {
        self.slots = SlotTable(slots)
        // KVM may have dropped its mappings: every page may fault again.
        if reported != nil { reported = PageSet(slots) }
    }

    func collectAll(
        cause: HarvestCause, waiting: [VCPUCrew.Waiting], heldNs: Int64, into batch: inout IterationBatch
    ) {
        collect(Array(vcpus.indices), cause: cause, waiting: waiting, into: &batch)
        for vcpu in vcpus.indices { previousScan[vcpu] = min(previousScan[vcpu], heldNs) }
    }

    /// Whether the last entry of a full ring is logged before its write, which is retried and logged again. That is so when a
    /// page fault logs it: every entry without PML, and a page's first with PML, whose CPU logs what it has written.
    private func isRetried(_ gfns: [GFN]) -> Bool {
        guard let last = gfns.last else { return false }
        return reported.map { !$0.contains(last) } ?? true
    }

    /// Harvests the rings of `targets`. A ring whose vCPU stands still for it (`waiting`) may end with a provisional entry.
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
                provisionalCount: stoodStill != nil && isRetried(scan.gfns) ? 1 : 0,
                scanNs: scan.endNs - scan.startNs, stallNs: stoodStill.map { scan.endNs - $0.since } ?? 0)
            previousScan[vcpu] = scan.startNs
            reported?.insert(scan.gfns)
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

    /// Resets everything harvested and checks the kernel's answers.
    func reprotect(into batch: inout IterationBatch) throws(KVMError) -> Reprotection {
        let expected = marked.reduce(unanswered, +)
        guard expected > 0 else { return Reprotection() }
        let start = monotonicNow()
        let tally = try ResetTally(of: expected) { () throws(KVMError) in
            let interruptions = Interruptions()
            let entries = try vm.resetDirtyRings()
            return (entries, resetsEndEarly && interruptions.mayHaveCome)
        }
        // What the kernel has not got to is in its ring still: it comes with the next reset, or never.
        unanswered = unanswered == 0 ? tally.unanswered : 0
        for vcpu in vcpus.indices { marked[vcpu] = 0 }
        let taken = monotonicNow() - start
        batch.iteration.resetNs += taken
        return Reprotection(ns: taken, unprotected: tally.unprotected)
    }
}

/// The answers to `KVM_RESET_DIRTY_RINGS` until everything that was harvested is reset.
///
/// From Linux 6.17 on the request returns early when its thread has work to do: a signal that is not blocked, but also SIGSTOP, a
/// tracer, the freezer. It then drops the batch in its hands: up to 64 pages of one ring, counted as reset and left
/// writable, so that no further write to them is logged. A call that answers 0 had nothing in its hands. The last batch can be
/// dropped by a call that answers for everything; such a call is known only by what came in between.
struct ResetTally: Equatable {
    /// Pages that a call which returned early can drop.
    static let batch = 64
    /// A call answers 0 again and again only while something keeps interrupting it.
    private static let mostEmptyCalls = 1000

    /// Entries that the kernel never answered for.
    private(set) var unanswered: Int
    /// The most pages that may be writable although their entry is harvested.
    private(set) var unprotected = 0

    /// Calls `reset` until it has answered for `expected` entries in all.
    ///
    /// - Parameter reset: answers for some entries, and says whether it may have been interrupted.
    init(of expected: Int, by reset: () throws(KVMError) -> (entries: Int, mayBeEarly: Bool)) throws(KVMError) {
        unanswered = expected
        var emptyCalls = 0
        while unanswered > 0, emptyCalls < Self.mostEmptyCalls {
            let (answer, mayBeEarly) = try reset()
            unanswered -= answer
            if answer == 0 { emptyCalls += 1 }
            if answer > 0, unanswered > 0 || mayBeEarly { unprotected += min(Self.batch, answer) }
        }
        unprotected += max(0, unanswered)
    }
}
