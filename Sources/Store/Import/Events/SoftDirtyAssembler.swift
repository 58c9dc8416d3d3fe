import Model

/// Makes iterations out of a VM's write faults and of the soft-dirty bits of its VMM's memory.
///
/// Clearing the bits protects every page, and KVM drops its mappings before it does: from that moment, which is the first
/// ``RingEvent/Kind/unmap``, until clearing is over it maps no page anew. So a page whose write fault came before that moment belongs to the
/// iteration that ends there, with whatever is written through its mapping until that is gone, and the first write to a page afterwards is a
/// fault of the next one. As long as the VMM logs nothing is cleared, and the iteration goes on. What has its bit set without a fault was written by the VMM, by KVM itself, or by somebody else on the host.
package final class SoftDirtyAssembler: EventAssembler {
    /// What faults and bits say of each other.
    package struct Check: Sendable, Equatable {
        /// Write faults of the guest's memory.
        package var faults: Int64 = 0
        /// Of them, those that told nothing new.
        package var repeats: Int64 = 0
        /// Write faults outside of the guest's memory: devices.
        package var elsewhere: Int64 = 0
        /// Pages with a fault whose bit was not set when it was read, although the fault was over: the VMM has given them back to the host since.
        package var unmarked: Int64 = 0
        /// Pages that only a fault has, as it came, or was not over, while bits were read and cleared.
        package var between: Int64 = 0
        /// Entries that only bits have.
        package var vmm: Int64 = 0
        /// Time in which the VMM's writes are not seen.
        package var blindNs: Int64 = 0
        /// Page faults, reads too, that followed from clearing; nil where KVM does not tell.
        package var pageFaults: Int64?
        /// Times of reading and of clearing bits, all together, and how often it was done.
        package var readNs: Int64 = 0
        package var clearNs: Int64 = 0
        package var clears: Int64 = 0
    }

    private struct Slot {
        var base: GFN
        var pages: UInt64
    }
    private struct Fault {
        var gfn: GFN
        var ns: Int64
        var vcpu: Int
        /// Whether the page had no fault before.
        var isFirst: Bool
    }

    private let startNs: Int64
    private var slots: [UInt32: Slot] = [:]
    private var last: Slot?
    private var map: SlotMap
    private var batch: IterationBatch
    private var faults: [Fault] = []
    private var owners = PageOwners()
    /// Whether every page has been protected once.
    private var hasBegun = false
    private var look: SoftDirtyLook?
    private var previousPageFaults: Int64?
    private var isDamaged = false

    package private(set) var vcpuCount: Int
    package private(set) var entries: Int64 = 0
    package private(set) var check = Check()
    private var logging: Set<UInt32> = []
    package var fullExits: Int64 { 0 }
    package var hasUnknownSlots: Bool { false }

    /// `KVM_MEM_LOG_DIRTY_PAGES` and `KVM_MEM_READONLY`.
    private static let (logged, readOnly): (UInt32, UInt32) = (1, 2)
    /// Write faults that may wait for the end of their iteration.
    private static let mostWaiting = 1 << 22
    /// After so long it is no longer waited for a sign that bits were cleared.
    private static let patienceNs: Int64 = 1_000_000_000

    /// - Parameters:
    ///   - startNs: When KVM dropped its mappings for the first time: the first ``RingEvent/Kind/unmap``.
    ///   - clearedNs: When the bits had been cleared for the first time.
    ///   - pageFaults: What KVM had counted before.
    package init(vcpuCount: Int, startNs: Int64, clearedNs: Int64, pageFaults: Int64? = nil) {
        (self.vcpuCount, self.startNs, previousPageFaults) = (vcpuCount, startNs, pageFaults)
        check.blindNs = max(0, clearedNs - startNs)
        map = SlotMap(startNs: startNs)
        batch = IterationBatch(iteration: Iteration(id: 1, startNs: startNs, endNs: startNs))
    }

    /// When the iteration in progress began.
    package var iterationNs: Int64 { batch.iteration.startNs }
    /// A slot whose pages the VMM logs: clearing bits would put pages that are only read into its log.
    package var loggedSlot: UInt32? { logging.min() }
    /// Whether so much waits that the iteration should end.
    package var isFull: Bool { faults.count >= Self.mostWaiting }
    /// Whether bits were cleared, and the iteration has not ended yet.
    package var isPending: Bool { look?.clear != nil }

    /// The bits were read: the iteration in progress ends when they were cleared, or with the recording.
    package func expect(_ look: SoftDirtyLook) { self.look = look }

    package func add(_ event: RingEvent) throws -> IterationBatch? {
        guard (0...ImportLimits.largestTime).contains(event.ns) else {
            throw EventContradiction(problem: "an event's time lies beyond 2^60 ns")
        }
        switch event.kind {
        case .enter: try learn(vcpu: event.ring)
        case .slot(let id, let flags, let address, let size, _):
            try set(id, flags, base: address >> 12, pages: size >> 12, at: event.ns)
        case .unmap(let id, let flags, let base, let pages, _):
            guard event.ns >= startNs else { return nil }
            try set(id, flags, base: base, pages: pages, at: event.ns)
            hasBegun = true
            guard let clear = look?.clear, event.ns >= clear.beganNs else { return nil }
            return close(at: event.ns)
        case .fault(let address, let isWrite):
            guard isWrite, hasBegun else { return nil }
            try learn(vcpu: event.ring)
            fault(at: address >> 12, event)
        case .push, .reset, .full, .mark, .mask, .ioctl, .sync: break
        }
        return nil
    }

    package func advance(to ns: Int64) -> IterationBatch? {
        guard let clear = look?.clear, ns - clear.endedNs > Self.patienceNs else { return nil }
        return close(at: clear.beganNs)
    }

    package func finish(at ns: Int64) -> IterationBatch {
        if look == nil { check.blindNs += max(0, ns - batch.iteration.startNs) }
        batch.iteration.endNs = ns
        return close(at: ns, cause: .final)
    }

    package func note(_ kind: LossKind, vcpu: Int?, entries: Int64?, at ns: Int64, _ detail: String) {
        guard batch.losses.count < ImportLimits.items * 16 else { return }
        batch.losses.append(
            Loss(iteration: batch.iteration.id, tsNs: ns, kind: kind, vcpu: vcpu, entries: entries, detail: detail))
    }

    package func mark(_ text: String, at ns: Int64) {
        batch.markers.append(Marker(tsNs: ns, iteration: batch.iteration.id, text: text))
    }

    package func compare(_ rate: ForeignRate) { batch.foreignRates.append(rate) }

    package func forget(at ns: Int64) { isDamaged = true }

    // MARK: Inside

    private func learn(vcpu: Int) throws {
        guard (0..<ImportLimits.items).contains(vcpu) else {
            throw EventContradiction(problem: "vCPU \(vcpu) does not exist")
        }
        vcpuCount = max(vcpuCount, vcpu + 1)
    }

    private func set(_ id: UInt32, _ flags: UInt32, base: GFN, pages: UInt64, at ns: Int64) throws {
        guard id < 1 << 17, base <= largestGFN, pages <= largestGFN - base else {
            throw EventContradiction(problem: "slot \(id) with \(pages) pages from \(base) on does not exist")
        }
        let wasLogging = !logging.isEmpty
        if pages > 0, flags & Self.logged != 0 { logging.insert(id) } else { logging.remove(id) }
        if wasLogging == logging.isEmpty {
            mark(wasLogging ? "the VMM's dirty log ended" : "the VMM's dirty log began", at: ns)
        }
        let isFollowed = pages > 0 && flags & Self.readOnly == 0
        slots[id] = isFollowed ? Slot(base: base, pages: pages) : nil
        last = nil
        map.set(id, address: base << 12, size: pages << 12, logged: isFollowed, ns: ns)
    }

    private func fault(at gfn: GFN, _ event: RingEvent) {
        func has(_ slot: Slot) -> Bool { gfn >= slot.base && gfn - slot.base < slot.pages }
        if last.map(has) != true { last = slots.values.first(where: has) }
        guard last != nil else {
            check.elsewhere += 1
            return
        }
        check.faults += 1
        add(gfn, ns: event.ns, vcpu: event.ring)
    }

    private func add(_ gfn: GFN, ns: Int64, vcpu: Int) {
        let former = owners.own(gfn, vcpu)
        if former == vcpu {
            check.repeats += 1
        } else {
            faults.append(Fault(gfn: gfn, ns: ns, vcpu: vcpu, isFirst: former == nil))
        }
    }

    /// Ends the iteration with what was written up to `cut`.
    private func close(at cut: Int64, cause: HarvestCause = .periodic) -> IterationBatch {
        let look = self.look ?? SoftDirtyLook(beganNs: cut, readNs: cut)
        let later = faults.filter { $0.ns > cut }
        if !later.isEmpty {
            let mine = faults.filter { $0.ns <= cut }
            (faults, owners) = ([], PageOwners())
            for fault in mine { add(fault.gfn, ns: fault.ns, vcpu: fault.vcpu) }
        }
        let large = LargePages(look.largePages, faults.lazy.filter(\.isFirst).map(\.gfn))
        compare(with: look)
        addFaults(large, at: cut, cause)
        addRest(of: look, large, at: cut, cause)
        account(for: look, at: cut)
        batch.slots = map.takeNews()
        (faults, owners, self.look, isDamaged) = ([], PageOwners(), nil, false)
        for fault in later { add(fault.gfn, ns: fault.ns, vcpu: fault.vcpu) }
        return batch.handOver()
    }

    /// What a fault says must stand in the bits, unless it came too late for them.
    private func compare(with look: SoftDirtyLook) {
        // A vCPU's last fault before may not have been over: KVM tells of it first, and sets the bit then.
        var latest: [Int: GFN] = [:]
        for fault in faults where fault.ns < look.beganNs { latest[fault.vcpu] = fault.gfn }
        var region: SoftDirtyLook.Region?
        for fault in faults where fault.isFirst {
            if region?.isMarked(fault.gfn) == nil { region = look.regions.first { $0.isMarked(fault.gfn) != nil } }
            guard region?.isMarked(fault.gfn) == false else { continue }
            if fault.ns < look.beganNs, latest[fault.vcpu] != fault.gfn {
                check.unmarked += 1
            } else {
                check.between += 1
            }
        }
    }

    private func addFaults(_ large: LargePages, at cut: Int64, _ cause: HarvestCause) {
        var parts: [Int: (pages: [Fault], large: [Fault])] = [:]
        for fault in faults {
            if large.hidesOthers(of: fault.gfn) {
                parts[fault.vcpu, default: ([], [])].large.append(fault)
            } else {
                parts[fault.vcpu, default: ([], [])].pages.append(fault)
            }
        }
        for (vcpu, part) in parts.sorted(by: { $0.key < $1.key }) {
            for (faults, pages) in [(part.pages, 1), (part.large, SoftDirtyLook.LargePage.pages)] where !faults.isEmpty
            {
                batch.exactTimes[batch.harvests.count] = faults.map(\.ns)
                add(
                    faults.map(\.gfn), .tracefs, vcpu: vcpu, pages: pages, since: faults[0].ns - 1,
                    until: max(cut, faults[faults.count - 1].ns), cause)
            }
        }
    }

    /// What has a bit and no fault.
    private func addRest(of look: SoftDirtyLook, _ large: LargePages, at cut: Int64, _ cause: HarvestCause) {
        var pages: [GFN] = []
        for region in look.regions {
            for (number, word) in region.bits.enumerated() where word != 0 {
                var rest = word
                while rest != 0 {
                    let gfn = region.baseGFN + UInt64(number) << 6 + UInt64(rest.trailingZeroBitCount)
                    rest &= rest - 1
                    if !owners.isOwned(gfn), !large.contains(gfn) { pages.append(gfn) }
                }
            }
        }
        let groups = large.untouched
        let count = Int64(pages.count + groups.count)
        check.vmm += isDamaged ? 0 : count
        // Faults that were dropped leave their bits.
        let source = isDamaged ? Source.tracefs : .vmm
        for (gfns, size) in [(pages, 1), (groups, SoftDirtyLook.LargePage.pages)] where !gfns.isEmpty {
            add(gfns, source, vcpu: nil, pages: size, since: cut, until: isDamaged ? cut : min(cut, look.readNs), cause)
        }
        if isDamaged, count > 0 {
            note(
                .traceOverrun, vcpu: nil, entries: count, at: cut,
                "Events were dropped: \(count) pages were written, but by which vCPU or by the VMM, and when, is not known."
            )
        }
    }

    private func add(
        _ gfns: [GFN], _ source: Source, vcpu: Int?, pages: Int, since: Int64, until: Int64, _ cause: HarvestCause
    ) {
        let end = max(until, batch.iteration.startNs)
        var harvest = Harvest(
            iteration: batch.iteration.id, source: source, vcpu: vcpu, cause: cause,
            sinceNs: max(0, min(batch.iteration.startNs, since)), tsNs: end, entryCount: gfns.count)
        harvest.entryPages = Int64(pages)
        batch.harvests.append((harvest, gfns))
        batch.iteration.endNs = max(batch.iteration.endNs, end)
        entries += Int64(gfns.count)
    }

    private func account(for look: SoftDirtyLook, at cut: Int64) {
        batch.iteration.endNs = max(batch.iteration.endNs, cut)
        batch.iteration.getNs = look.readNs - look.beganNs
        check.readNs += batch.iteration.getNs
        if let clear = look.clear {
            batch.iteration.clearNs = clear.endedNs - clear.beganNs
            check.clearNs += batch.iteration.clearNs
            check.blindNs += clear.endedNs - look.beganNs
            check.clears += 1
        }
        if let now = look.pageFaults {
            if let before = previousPageFaults, now >= before {
                batch.statistics.append(
                    KVMStatistic(iteration: batch.iteration.id, vcpu: nil, name: "pf_taken", value: now - before))
                check.pageFaults = (check.pageFaults ?? 0) + now - before
            }
            previousPageFaults = now
        }
    }
}
