import Model

/// Makes harvests and iterations out of a VM's bitmap events, each entry with its exact time and vCPU.
///
/// A harvest is what one `KVM_GET_DIRTY_LOG` gives of one slot, vCPU by vCPU. A VMM gets all its slots in a round, so an iteration ends
/// when the asked interval is over and a slot is got again. What a GET has is known for certain only when the next one begins, or
/// when nothing has happened for a while: until then its harvest is open.
package final class BitmapAssembler: EventAssembler {
    /// What the events say of themselves: how well marks and masks fit together.
    package struct Check: Sendable, Equatable {
        /// Marks seen, also those on bits that were set already.
        package var marks: Int64 = 0
        /// Masks seen, of up to 64 pages each.
        package var masks: Int64 = 0
        /// GETs seen.
        package var gets: Int64 = 0
        /// Pages that the VMM took although no mark was seen of them.
        package var unmarked: Int64 = 0
        /// Entries that no mask was seen of in two GETs.
        package var unmasked: Int64 = 0
        /// Pages that were dirty when we came; they are no entries.
        package var beforeAttach: Int64 = 0
        /// Pages of first bitmaps that begin as all ones; they are no entries.
        package var initiallySet: Int64 = 0
        /// Slots in which a page was marked that they do not have. Anything but 0 means that the kernel was misunderstood.
        package var misfits: Int64 = 0
    }

    private final class Slot {
        let bitmap: SimulatedBitmap
        /// Whether this is what came late of a slot that does not log any more.
        let isStray: Bool
        /// The GET whose harvest is open.
        var openNs: Int64?
        /// When the last thing belonging to it happened.
        var lastNs: Int64
        /// The end of the harvest before.
        var passNs: Int64
        /// Where it lies; nil as long as no event has said it.
        var place: (base: GFN, pages: UInt64)?
        /// Lowest and highest page marked.
        var range: ClosedRange<GFN>?

        init(_ origin: SimulatedBitmap.Origin, isStray: Bool = false, passNs: Int64, ns: Int64) {
            bitmap = SimulatedBitmap(origin: origin)
            (self.isStray, self.passNs, lastNs) = (isStray, passNs, ns)
        }
    }

    private let interval: Int64
    private let startNs: Int64
    private let hasMarks: Bool
    private var slots: [UInt32: Slot] = [:]
    /// Slots that were seen to stop logging.
    private var stopped: Set<UInt32> = []
    private var map: SlotMap
    private var batch: IterationBatch
    private var vcpus: [Int: Int] = [:]
    /// Slots of which the present round has begun a GET.
    private var round: Set<UInt32> = []
    /// Threads whose last request was a CLEAR.
    private var clearing: Set<Int> = []
    /// The VM's manual protection; nil as long as nobody said it.
    private var protection: UInt64?
    private var sawClear = false
    private var harvested = 0
    private var gone = Check()

    /// vCPUs known so far.
    package private(set) var vcpuCount: Int
    package private(set) var entries: Int64 = 0
    /// How well the events fit together.
    package var check: Check {
        var check = gone
        for slot in slots.values { check.add(slot.bitmap) }
        return check
    }
    /// A bitmap is never full.
    package var fullExits: Int64 { 0 }
    /// Marks say guest addresses.
    package var hasUnknownSlots: Bool { false }

    /// `KVM_DIRTY_LOG_INITIALLY_SET`.
    private static let initiallySet: UInt64 = 2
    /// A harvest without manual protection is over when nothing has belonged to it for so long, and one with it, whose CLEARs come later.
    private static let quietNs: (get: Int64, clear: Int64) = (250_000_000, 1_000_000_000)
    /// Entries that wait in memory, all slots together: what is more becomes a harvest by itself.
    private static let mostWaiting = 1 << 21
    /// Entries of an iteration that are kept until it ends.
    private static let largestPart = 1 << 20

    /// An assembler of one VM's events.
    ///
    /// - Parameter hasMarks: Whether marks are among them; without, entries have no time of their own and no vCPU.
    package init(vcpuCount: Int, hasMarks: Bool, intervalNs: Int64, startNs: Int64) {
        (self.vcpuCount, self.hasMarks, interval, self.startNs) = (vcpuCount, hasMarks, intervalNs, startNs)
        map = SlotMap(startNs: startNs)
        batch = IterationBatch(iteration: Iteration(id: 1, startNs: startNs, endNs: startNs))
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

    package func add(_ event: RingEvent) throws -> IterationBatch? {
        guard (0...ImportLimits.largestTime).contains(event.ns) else {
            throw EventContradiction(problem: "an event's time lies beyond 2^60 ns")
        }
        if let said = event.protection { protection = said }
        switch event.kind {
        // Probes were switched on one by one: a page marked before all were on may have been taken unseen.
        case .slot, .mark, .mask, .sync: if event.ns < startNs { return nil }
        default: break
        }
        switch event.kind {
        case .enter:
            guard (0..<ImportLimits.items).contains(event.ring) else { return nil }
            vcpus[event.pid] = event.ring
            vcpuCount = max(vcpuCount, event.ring + 1)
        case .slot(let id, let flags, let address, let size, _):
            set(id, isLogged: flags & 1 != 0, base: address >> 12, pages: size >> 12, at: event.ns)
        case .mark(let slot, let gfn):
            guard gfn <= largestGFN else { throw EventContradiction(problem: "page \(gfn) does not exist") }
            mark(slot, gfn, event)
            if entries & 0xfff == 0, slots.values.reduce(0, { $0 + $1.bitmap.waitingCount }) >= Self.mostWaiting {
                for slot in slots.keys.sorted() { takeAll(slot, at: event.ns, cause: .periodic) }
                return part()
            }
        case .ioctl(let isClear):
            if isClear { clearing.insert(event.pid) } else { clearing.remove(event.pid) }
        case .sync(let id, let base, let pages, _):
            let slot = try slot(id, base, pages, at: event.ns)
            guard clearing.contains(event.pid) else { return get(id, slot, at: event.ns) }
            sawClear = true
            slot.bitmap.begin(at: event.ns)
            slot.lastNs = event.ns
        case .mask(let id, let base, let pages, let offset, let mask):
            let slot = try slot(id, base, pages, at: event.ns)
            guard offset < pages else {
                throw EventContradiction(problem: "page \(offset) of slot \(id) does not exist")
            }
            gone.masks += 1
            slot.bitmap.take(first: base + offset, mask: mask)
            slot.lastNs = event.ns
        case .push, .reset, .full, .fault, .unmap: return nil
        }
        return nil
    }

    package func advance(to ns: Int64) -> IterationBatch? {
        guard let last = slots.values.lazy.filter({ $0.openNs != nil }).map(\.lastNs).max(),
            ns - last > (isManual ? Self.quietNs.clear : Self.quietNs.get)
        else { return nil }
        endRound()
        return batch.iteration.endNs - batch.iteration.startNs >= interval ? close() : nil
    }

    package func finish(at ns: Int64) -> IterationBatch {
        endRound()
        for slot in slots.keys.sorted() { takeAll(slot, at: ns, cause: .final) }
        batch.iteration.endNs = max(batch.iteration.endNs, ns)
        for (id, slot) in slots.sorted(by: { $0.key < $1.key }) where slot.place == nil {
            guard let range = slot.range else { continue }
            // Never harvested while we looked: its size is at least this.
            map.set(
                id, address: range.lowerBound << 12, size: (range.upperBound - range.lowerBound + 1) << 12,
                logged: true, ns: startNs)
        }
        return close()
    }

    /// Whether a page's entry is harvested while its bit still waits for the VMM's CLEAR: what the guest writes to it has no entry.
    package func isOpen(_ gfn: GFN) -> Bool { slots.values.contains { $0.bitmap.isOpen(gfn) } }

    package func forget(at ns: Int64) { for slot in slots.values { slot.bitmap.forget() } }

    // MARK: Inside

    private var isManual: Bool { (protection ?? 0) != 0 || sawClear }
    private var isInitiallySet: Bool { (protection ?? 0) & Self.initiallySet != 0 }

    private func mark(_ id: UInt32, _ gfn: GFN, _ event: RingEvent) {
        gone.marks += 1
        let slot = slot(id, at: event.ns)
        if let range = slot.range {
            if !range.contains(gfn) { slot.range = min(range.lowerBound, gfn)...max(range.upperBound, gfn) }
        } else {
            slot.range = gfn...gfn
        }
        if slot.bitmap.mark(gfn, ns: event.ns, thread: event.pid) { entries += 1 }
    }

    /// A slot that logs; one that was not seen to begin has done so before.
    private func slot(_ id: UInt32, at ns: Int64) -> Slot {
        if let known = slots[id] { return known }
        let new = Slot(.unknown, isStray: stopped.contains(id), passNs: startNs, ns: ns)
        slots[id] = new
        return new
    }

    private func slot(_ id: UInt32, _ base: GFN, _ pages: UInt64, at ns: Int64) throws -> Slot {
        guard id < 1 << 17, base <= largestGFN, pages > 0, pages <= largestGFN - base else {
            throw EventContradiction(problem: "slot \(id) with \(pages) pages from \(base) on does not exist")
        }
        let slot = slot(id, at: ns)
        if let range = slot.range, range.lowerBound < base || range.upperBound - base >= pages {
            gone.misfits += 1
            slot.range = nil
        }
        if slot.place == nil {
            slot.place = (base, pages)
            map.set(id, address: base << 12, size: pages << 12, logged: true, ns: ns)
        }
        return slot
    }

    /// The VMM sets a slot.
    private func set(_ id: UInt32, isLogged: Bool, base: GFN, pages: UInt64, at ns: Int64) {
        if let slot = slots[id] {
            // Nothing changes, for KVM neither.
            if isLogged, pages > 0, !slot.isStray, slot.place.map({ $0 == (base, pages) }) ?? true { return }
            // Its bitmap goes, and what it held is harvested by nobody.
            if slot.openNs != nil { endGet(id) }
            takeAll(id, at: ns, cause: .periodic)
            gone.add(slot.bitmap)
            slots[id] = nil
            round.remove(id)
        }
        guard id < 1 << 17, pages == 0 || (base <= largestGFN && pages <= largestGFN - base) else { return }
        map.set(id, address: base << 12, size: pages << 12, logged: isLogged, ns: ns)
        guard isLogged, pages > 0 else {
            stopped.insert(id)
            return
        }
        stopped.remove(id)
        let slot = Slot(isInitiallySet ? .set : .clear, passNs: ns, ns: ns)
        slot.place = (base, pages)
        slots[id] = slot
    }

    /// A GET begins: the slot's harvest before is over, and the round if it had this slot already.
    private func get(_ id: UInt32, _ slot: Slot, at ns: Int64) -> IterationBatch? {
        gone.gets += 1
        if slot.openNs != nil { endGet(id) }
        var done: IterationBatch?
        if round.contains(id) {
            if ns - batch.iteration.startNs >= interval {
                endRound()
                done = close()
            }
            round = []
        }
        round.insert(id)
        slot.bitmap.begin(at: ns)
        (slot.openNs, slot.lastNs) = (ns, ns)
        return done ?? (harvested >= Self.largestPart ? part() : nil)
    }

    private func endRound() {
        for slot in slots.keys.sorted() where slots[slot]?.openNs != nil { endGet(slot) }
    }

    private func endGet(_ id: UInt32) {
        guard let slot = slots[id], let begin = slot.openNs else { return }
        let isManual = isManual
        let harvest = slot.bitmap.endGet(begunAt: begin, isManual: isManual)
        // Without marks a CLEAR's first mask of a page is all there is to see: after one whole harvest it is taken at its word, unless bits
        // were set from the beginning.
        if !hasMarks, !isInitiallySet { slot.bitmap.settle() }
        // Without manual protection the last mask came at the GET's end; CLEARs come later.
        add(harvest, of: id, at: isManual ? begin : slot.lastNs, cause: .periodic)
        slot.openNs = nil
    }

    private func takeAll(_ id: UInt32, at ns: Int64, cause: HarvestCause) {
        guard let harvest = slots[id]?.bitmap.takeAll() else { return }
        add(harvest, of: id, at: ns, cause: cause)
    }

    private func add(_ taken: SimulatedBitmap.Harvest, of id: UInt32, at ns: Int64, cause: HarvestCause) {
        let end = max(ns, taken.entries.last?.ns ?? 0)
        let since = slots[id]?.passNs ?? startNs
        var parts: [Int: [SimulatedBitmap.Entry]] = [:]
        for entry in taken.entries { parts[vcpus[entry.thread] ?? -1, default: []].append(entry) }
        for (vcpu, entries) in parts.sorted(by: { $0.key < $1.key }) {
            let harvest = Harvest(
                iteration: batch.iteration.id, source: .tracefs, vcpu: vcpu < 0 ? nil : vcpu, cause: cause,
                sinceNs: max(0, min(since, (entries.first?.ns ?? since) - 1)), tsNs: end, entryCount: entries.count)
            batch.exactTimes[batch.harvests.count] = entries.map(\.ns)
            batch.harvests.append((harvest, entries.map(\.gfn)))
        }
        if !taken.unmarked.isEmpty {
            let count = taken.unmarked.count
            batch.harvests.append(
                (
                    Harvest(
                        iteration: batch.iteration.id, source: .tracefs, vcpu: nil, cause: cause,
                        sinceNs: max(0, min(since, end)), tsNs: end, entryCount: count), taken.unmarked
                ))
            if hasMarks {
                gone.unmarked += Int64(count)
                note(
                    .traceOverrun, vcpu: nil, entries: Int64(count), at: end,
                    "\(count) pages of slot \(id & 0xffff) were harvested, but not seen when they were written: their times and vCPUs are missing."
                )
            }
            entries += Int64(count)
        }
        if taken.unmasked > 0 {
            gone.unmasked += Int64(taken.unmasked)
            note(
                .traceOverrun, vcpu: nil, entries: Int64(taken.unmasked), at: end,
                "\(taken.unmasked) pages of slot \(id & 0xffff) were written, but not seen when they were harvested.")
        }
        harvested += taken.entries.count + taken.unmarked.count
        slots[id]?.passNs = max(since, end)
        batch.iteration.endNs = max(batch.iteration.endNs, end)
    }

    /// The harvests so far, as a part of the iteration.
    private func part() -> IterationBatch? {
        var part = IterationBatch(iteration: batch.iteration)
        part.isPart = true
        swap(&part.harvests, &batch.harvests)
        swap(&part.exactTimes, &batch.exactTimes)
        part.slots = map.takeNews()
        harvested = 0
        return part
    }

    private func close() -> IterationBatch {
        batch.slots = map.takeNews()
        harvested = 0
        return batch.handOver()
    }
}

extension BitmapAssembler.Check {
    fileprivate mutating func add(_ bitmap: SimulatedBitmap) {
        beforeAttach += bitmap.beforeAttach
        initiallySet += bitmap.initiallySet
    }
}
