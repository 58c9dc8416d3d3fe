import Guests
import KVM
import Model
import Platform

struct ReportedPages {
    /// By KVM or the VMM.
    var dirty: Set<GFN> = []
    /// By the VMM's own log.
    var vmm: Set<GFN> = []
    /// Written by KVM itself, because it was made to: nothing else explains them.
    var kvm: [GFN: KVMWrite] = [:]
    /// Never written, but set in a first bitmap that began as all ones.
    var initial: Set<GFN> = []

    mutating func add(_ harvest: Harvest, _ gfns: [GFN]) {
        if harvest.cause == .initial {
            initial.formUnion(gfns)
        } else {
            dirty.formUnion(gfns)
            if harvest.source == .vmm { vmm.formUnion(gfns) }
        }
    }
}

/// The known answer of a built-in workload: which pages must, and which may, be dirty between two stops.
///
/// A vCPU stopped after operation k may already have logged or written the page of operation k + 1, but posts it
/// later. So between the stops after operations a and b the pages of a + 1 … b must be dirty, except that of a + 1 if the
/// previous iteration reported it; and the page of b + 1 may be.
struct KnownAnswer {
    /// What is known of one page between two stops.
    private struct Expectation: OptionSet {
        let rawValue: UInt8
        /// Written for certain.
        static let must = Expectation(rawValue: 1)
        /// Perhaps written, by an operation in flight at one of the stops.
        static let may = Expectation(rawValue: 2)
        /// Read: a first read is logged like a write.
        static let read = Expectation(rawValue: 4)
    }

    private let guest: BuiltinGuest
    private var models: [WorkloadModel]
    /// The page of the operation in flight at the last stop, if that was reported: it need not be reported again.
    private var reportedInFlight: [GFN?]

    init(guest: BuiltinGuest) {
        self.guest = guest
        models = (0..<guest.vcpus).map { guest.model(of: $0) }
        reportedInFlight = models.map { _ in nil }
    }

    /// Operations that each vCPU says it has completed.
    var progress: [UInt64] { models.indices.map(guest.progress) }

    /// Judges what was reported since the last stop, while all vCPUs stand still again, after `progress` operations of each.
    mutating func judge(_ reported: ReportedPages, iteration: Int64, progress: [UInt64]) -> OracleVerdict {
        let base = guest.dataGFN
        // One byte a page, not a set: the guest may have done a hundred million operations.
        var expected = [Expectation](repeating: [], count: guest.data.size / pageBytes)
        for vcpu in models.indices {
            var skip = reportedInFlight[vcpu]
            while models[vcpu].operations < progress[vcpu] {
                models[vcpu].step { gfn, writes in
                    expected[Int(gfn - base)].insert(!writes ? .read : gfn == skip ? .may : .must)
                }
                skip = nil
            }
            // A vCPU that did not run at all is still within the same operation.
            reportedInFlight[vcpu] = skip
            // A vCPU that waits at the end of a step has nothing in flight.
            if guest.isStepped { continue }
            var next = models[vcpu]
            next.step { gfn, writes in
                expected[Int(gfn - base)].insert(writes ? .may : .read)
                if writes, reported.dirty.contains(gfn) { reportedInFlight[vcpu] = gfn }
            }
        }
        var verdict = OracleVerdict(iteration: iteration, oracle: "known-answer")
        verdict.initiallySet = Int64(reported.initial.count)
        for (page, expectation) in expected.enumerated() where expectation.contains(.must) {
            verdict.expected += 1
            if !reported.dirty.contains(base + UInt64(page)) { verdict.missing += 1 }
        }
        for gfn in reported.dirty where !reported.vmm.contains(gfn) && reported.kvm[gfn] == nil {
            let expectation = gfn >= base && gfn - base < expected.count ? expected[Int(gfn - base)] : []
            if expectation.contains(.must) { continue }
            if expectation.contains(.may) {
                verdict.provisional += 1
            } else if expectation.contains(.read) {
                verdict.firstRead += 1
            } else {
                verdict.unexplained += 1
            }
        }
        return verdict
    }
}

/// A copy of all logged memory, compared at every stop: a page that changed must have been reported. Works for any guest.
final class ShadowMemory {
    private let slots: [(baseGFN: GFN, memory: GuestMemory, copy: GuestMemory)]

    /// Copies the memory as it is now; the vCPUs must stand still.
    init(slots: [(baseGFN: GFN, memory: GuestMemory)]) throws(KVMError) {
        var copies: [(baseGFN: GFN, memory: GuestMemory, copy: GuestMemory)] = []
        for slot in slots {
            let copy = try GuestMemory(size: slot.memory.size)
            for offset in stride(from: 0, to: slot.memory.size, by: pageBytes) {
                _ = slot.memory.updatePage(of: copy, at: offset)
            }
            copies.append((slot.baseGFN, slot.memory, copy))
        }
        self.slots = copies
    }

    /// Judges what was reported since the last stop, while all vCPUs stand still again. Pages that KVM wrote itself and did not
    /// report are not missing, but added to `unlogged`.
    func judge(_ reported: ReportedPages, iteration: Int64, unlogged: inout [GFN]) -> OracleVerdict {
        var verdict = OracleVerdict(iteration: iteration, oracle: "shadow")
        let dirty = reported.dirty
        verdict.initiallySet = Int64(reported.initial.count)
        var silent = Int64(dirty.count)
        for slot in slots {
            for offset in stride(from: 0, to: slot.memory.size, by: pageBytes)
            where slot.memory.updatePage(of: slot.copy, at: offset) {
                let gfn = slot.baseGFN + UInt64(offset / pageBytes)
                guard dirty.contains(gfn) || reported.kvm[gfn] == nil else {
                    unlogged.append(gfn)
                    continue
                }
                verdict.expected += 1
                if dirty.contains(gfn) { silent -= 1 } else { verdict.missing += 1 }
            }
        }
        verdict.silent = silent
        return verdict
    }
}

/// The oracles that a recording asked for.
struct Oracles {
    private var knownAnswer: KnownAnswer?
    private var reported = ReportedPages()
    /// Harvests of the batch in progress that are in `reported`.
    private var observed = 0
    private let shadow: ShadowMemory?

    init(plan: RecordPlan, guest: any Guest) throws(KVMError) {
        guard plan.verify else {
            shadow = nil
            return
        }
        if let builtin = guest as? BuiltinGuest { knownAnswer = KnownAnswer(guest: builtin) }
        shadow = try ShadowMemory(slots: guest.regions.filter(\.isLogged).map { ($0.baseGFN, $0.memory) })
    }

    /// Remembers what was reported since the last call; call it before the map changes, and for every iteration.
    mutating func observe(_ batch: IterationBatch, _ map: MemoryMap) {
        guard shadow != nil else { return }
        for (harvest, gfns) in batch.harvests.dropFirst(observed) {
            reported.add(harvest, gfns.map { map.layoutGFN($0) })
        }
        observed = batch.harvests.count
    }

    /// KVM was made to write this page of the guest's own layout.
    mutating func kvmWrote(_ gfn: GFN, _ write: KVMWrite) { reported.kvm[gfn] = write }

    /// From here on the batch has no harvests again.
    mutating func batchHandedOver() { observed = 0 }

    /// Adds the verdicts on what was reported since the last ones, while all vCPUs stand still.
    mutating func judge(_ batch: inout IterationBatch) {
        guard let shadow else { return }
        let id = batch.iteration.id
        if let progress = knownAnswer?.progress,
            let verdict = knownAnswer?.judge(reported, iteration: id, progress: progress)
        {
            batch.verdicts.append(verdict)
        }
        var unlogged: [GFN] = []
        batch.verdicts.append(shadow.judge(reported, iteration: id, unlogged: &unlogged))
        for gfn in unlogged {
            let how = reported.kvm[gfn].map { ": \($0.kind.summary)" } ?? ""
            batch.losses.append(
                Loss(
                    iteration: id, tsNs: monotonicNow(), kind: .kvmUnlogged, entries: 1,
                    detail: "KVM wrote page 0x\(String(gfn, radix: 16)) outside KVM_RUN and did not log it\(how)."))
        }
        reported = ReportedPages()
    }
}
