import Guests
import KVM
import TraceModel

/// Pages reported since the last verdict.
struct ReportedPages {
    /// By KVM or the VMM.
    var dirty: Set<GFN> = []
    /// By the VMM's own log.
    var vmm: Set<GFN> = []
    /// Never written, but set in a first bitmap that began as all ones.
    var initial: Set<GFN> = []

    /// Adds the entries of a harvest.
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
    private let guest: BuiltinGuest
    private var models: [WorkloadModel]
    /// Operation in flight at the last stop: it may have been reported already.
    private var inFlight: [GFN?]
    private var previouslyDirty: Set<GFN> = []

    init(guest: BuiltinGuest) {
        self.guest = guest
        models = (0..<guest.vcpus).map { guest.model(of: $0) }
        inFlight = models.map { _ in nil }
    }

    /// Judges what was reported since the last stop, while all vCPUs stand still again.
    mutating func judge(_ reported: ReportedPages, iteration: Int64) -> OracleVerdict {
        var verdict = OracleVerdict(iteration: iteration, oracle: "known-answer")
        let dirty = reported.dirty
        var must: Set<GFN> = []
        var may: Set<GFN> = []
        var read: Set<GFN> = []
        for vcpu in models.indices {
            var first = true
            while models[vcpu].operations < guest.progress(of: vcpu) {
                models[vcpu].step { gfn, writes in
                    if !writes {
                        read.insert(gfn)
                    } else if first, gfn == inFlight[vcpu], previouslyDirty.contains(gfn) {
                        may.insert(gfn)
                    } else {
                        must.insert(gfn)
                    }
                }
                first = false
            }
            var next = models[vcpu]
            inFlight[vcpu] = nil
            next.step { gfn, writes in
                if writes { inFlight[vcpu] = gfn } else { read.insert(gfn) }
            }
        }
        let ahead = Set(inFlight.compactMap { $0 })
        verdict.expected = Int64(must.count)
        verdict.missing = Int64(must.subtracting(dirty).count)
        verdict.initiallySet = Int64(reported.initial.count)
        for gfn in dirty where !must.contains(gfn) && !reported.vmm.contains(gfn) {
            if may.contains(gfn) || ahead.contains(gfn) {
                verdict.provisional += 1
            } else if read.contains(gfn) {
                verdict.firstRead += 1
            } else {
                verdict.unexplained += 1
            }
        }
        previouslyDirty = dirty
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
            for offset in stride(from: 0, to: slot.memory.size, by: 4096) {
                _ = slot.memory.updatePage(of: copy, at: offset)
            }
            copies.append((slot.baseGFN, slot.memory, copy))
        }
        self.slots = copies
    }

    /// Judges what was reported since the last stop, while all vCPUs stand still again.
    func judge(_ reported: ReportedPages, iteration: Int64) -> OracleVerdict {
        var verdict = OracleVerdict(iteration: iteration, oracle: "shadow")
        let dirty = reported.dirty
        verdict.initiallySet = Int64(reported.initial.count)
        var silent = Int64(dirty.count)
        for slot in slots {
            for offset in stride(from: 0, to: slot.memory.size, by: 4096)
            where slot.memory.updatePage(of: slot.copy, at: offset) {
                verdict.expected += 1
                if dirty.contains(slot.baseGFN + UInt64(offset / 4096)) { silent -= 1 } else { verdict.missing += 1 }
            }
        }
        verdict.silent = silent
        return verdict
    }
}
