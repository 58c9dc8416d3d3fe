import Model

/// Makes harvests and iterations out of a VM's ring events, each entry with its exact time.
///
/// A harvest is what one re-protection by the VMM takes out of one ring. KVM re-protects all rings in one round, so an
/// iteration ends with the first round after the asked interval: every page is protected at its begin. A round that the
/// trace does not show (its events were lost, or not traced) is inferred from the next push, which carries the ring's
/// reset index. The push's own number shows without gaps how many entries of a ring are missing.
package struct Assembler: EventAssembler {
    /// Why events cannot be true.
    package typealias Contradiction = EventContradiction

    private struct Entry {
        var gfn: GFN
        var ns: Int64
        var number: UInt32
    }
    private struct Ring {
        /// Entries that wait for their re-protection, from ``first`` on.
        private var entries: [Entry] = []
        private var first = 0
        var waiting: ArraySlice<Entry> { entries[first...] }
        var count: Int { entries.count - first }
        /// Number of the last entry seen.
        var pushed: UInt32?
        /// Number of the last entry known to be re-protected.
        var reset: UInt32?
        var fullNs: Int64?
        var passNs: Int64

        init(pushed: UInt32? = nil, passNs: Int64) { (self.pushed, self.passNs) = (pushed, passNs) }

        mutating func append(_ entry: Entry) { entries.append(entry) }

        /// Takes entries out. The array moves up only when most of it is taken: an entry is moved once on average.
        mutating func removeFirst(_ count: Int) {
            first += count
            guard first > entries.count / 2 else { return }
            entries.removeFirst(first)
            first = 0
        }
    }

    private let interval: Int64
    private let mayGrow: Bool
    private var rings: [Ring]
    private var slots: SlotMap
    private var batch: IterationBatch
    /// The round of re-protections that may go on: its first one's time, and its last one's ring and time.
    private var round: (beginNs: Int64, ring: Int, ns: Int64)?
    private var waiting = 0
    /// Entries of the iteration in progress that are harvested.
    private var harvested = 0
    /// Nanoseconds of all stand-stills. Times that go back can make them longer than the trace.
    private var stalled: Int64 = 0

    /// Entries since the start.
    package private(set) var entries: Int64 = 0
    /// Entries that are known to be missing.
    package private(set) var missing: Int64 = 0
    /// Exits because a ring was full.
    package private(set) var fullExits: Int64 = 0

    /// A round's events come within microseconds; after this, no more belong to it.
    private static let roundNs: Int64 = 20_000_000
    /// KVM's largest ring.
    private static let largestRing = 1 << 16
    private static let largestBatch = 1 << 20
    private static let mostWaiting = 1 << 24

    /// An assembler of `vcpuCount` rings.
    ///
    /// - Parameter mayGrow: whether vCPUs may be plugged in; their rings begin empty.
    package init(vcpuCount: Int, mayGrow: Bool = false, intervalNs: Int64, startNs: Int64) {
        interval = intervalNs
        self.mayGrow = mayGrow
        rings = Array(repeating: Ring(passNs: startNs), count: vcpuCount)
        slots = SlotMap(startNs: startNs)
        batch = IterationBatch(iteration: Iteration(id: 1, startNs: startNs, endNs: startNs))
    }

    package var vcpuCount: Int { rings.count }

    package var iteration: Int64 { batch.iteration.id }

    /// Whether pages lie in windows of their own because a slot's guest address is not known.
    package var hasUnknownSlots: Bool { slots.hasWindows }

    package mutating func note(_ kind: LossKind, vcpu: Int?, entries: Int64?, at ns: Int64, _ detail: String) {
        guard batch.losses.count < ImportLimits.items * 16 else { return }
        batch.losses.append(
            Loss(iteration: iteration, tsNs: ns, kind: kind, vcpu: vcpu, entries: entries, detail: detail))
    }

    package mutating func mark(_ text: String, at ns: Int64) {
        batch.markers.append(Marker(tsNs: ns, iteration: iteration, text: text))
    }

    package mutating func compare(_ rate: ForeignRate) { batch.foreignRates.append(rate) }

    /// Takes the next event in the order of time.
    ///
    /// - Returns: the iteration that ended before it, if one did.
    /// - Throws: ``Contradiction``.
    package mutating func add(_ event: RingEvent) throws -> IterationBatch? {
        if case .slot(let id, let flags, let address, let size, _) = event.kind {
            slots.set(id, address: address, size: size, logged: flags & 1 != 0, ns: event.ns)
            return nil
        }
        if mayGrow, event.ring >= rings.count, event.ring < ImportLimits.items {
            // A new ring counts from 0: pushes that were missed before it was followed are a gap like any other.
            let new = Ring(pushed: 0, passNs: max(0, event.ns))
            rings += repeatElement(new, count: event.ring + 1 - rings.count)
        }
        guard rings.indices.contains(event.ring) else {
            throw Contradiction(problem: "an event names ring \(event.ring), but the VM has \(rings.count)")
        }
        guard (0...ImportLimits.largestTime).contains(event.ns) else {
            throw Contradiction(problem: "an event's time lies beyond 2^60 ns")
        }
        switch event.kind {
        case .push(let slot, let offset, let dirty, let reset):
            var done: IterationBatch?
            noteMissing(before: dirty, of: event.ring, at: event.ns)
            if let known = rings[event.ring].reset, known != reset { done = harvest(event, upTo: reset) }
            rings[event.ring].reset = reset
            try push(event, slot: slot, offset: offset, number: dirty)
            return done
        case .reset(let reset):
            let done = harvest(event, upTo: reset)
            rings[event.ring].reset = reset
            return done
        case .full:
            fullExits += rings[event.ring].fullNs == nil ? 1 : 0
            rings[event.ring].fullNs = rings[event.ring].fullNs ?? event.ns
            return nil
        case .slot, .mark, .mask, .ioctl, .sync, .enter, .fault, .unmap: return nil
        }
    }

    /// Time has got to `ns` without another event: ends an iteration whose last round is over.
    package mutating func advance(to ns: Int64) -> IterationBatch? {
        guard let round, ns - round.ns > Self.roundNs else { return nil }
        return closeIfDue()
    }

    /// Pushes are numbered: what is missing shows by itself.
    package mutating func forget(at ns: Int64) {}

    /// Ends the recording: what the VMM has not harvested yet is the final harvest.
    package mutating func finish(at ns: Int64) -> IterationBatch {
        for ring in rings.indices where rings[ring].count > 0 {
            take(rings[ring].count, of: ring, at: ns, cause: .final)
        }
        batch.iteration.endNs = max(batch.iteration.endNs, ns)
        return close()
    }

    // MARK: Inside

    private mutating func push(_ event: RingEvent, slot: UInt32, offset: UInt64, number: UInt32) throws {
        let index = event.ring
        guard let gfn = slots.gfn(slot: slot, offset: offset), slot < 1 << 17 else {
            throw Contradiction(problem: "page \(offset) of slot \(slot) does not exist")
        }
        waiting += 1
        guard rings[index].count < Self.largestRing, waiting < Self.mostWaiting else {
            throw Contradiction(problem: "ring \(index) holds more entries than KVM's largest ring")
        }
        // A step back is an event that came late.
        if Int32(bitPattern: number &- (rings[index].pushed ?? number)) >= 0 { rings[index].pushed = number }
        rings[index].append(Entry(gfn: gfn, ns: max(event.ns, rings[index].waiting.last?.ns ?? 0), number: number))
        entries += 1
    }

    /// Pushes come one by one: what lies between the last one and `number` is missing, and taken as seen. A number behind it
    /// came late.
    private mutating func noteMissing(before number: UInt32, of index: Int, at ns: Int64) {
        guard let last = rings[index].pushed else { return }
        let gap = Int64(Int32(bitPattern: number &- last &- 1))
        guard gap > 0 else { return }
        missing += gap
        rings[index].pushed = number &- 1
        note(
            .traceOverrun, vcpu: index, entries: gap, at: ns,
            "\(gap) entries of ring \(index) are missing between the numbers \(last) and \(number).")
    }

    /// A re-protection of one ring: takes out what it covers, after closing the iteration if another round begins.
    private mutating func harvest(_ event: RingEvent, upTo reset: UInt32) -> IterationBatch? {
        var done: IterationBatch?
        // Entries that were re-protected, but whose pushes the trace does not show.
        noteMissing(before: reset &+ 1, of: event.ring, at: event.ns)
        let count = rings[event.ring].waiting.prefix { Int32(bitPattern: $0.number &- reset) <= 0 }.count
        let oldest = count > 0 ? rings[event.ring].waiting.first?.ns : nil
        if let round, isFull || !goesOn(round, with: event, oldest: oldest) {
            done = closeIfDue()
        }
        round = (round?.beginNs ?? event.ns, event.ring, event.ns)
        if count > 0 {
            take(count, of: event.ring, at: event.ns, cause: rings[event.ring].fullNs == nil ? .periodic : .ringFull)
        }
        rings[event.ring].fullNs = nil
        rings[event.ring].passNs = max(rings[event.ring].passNs, event.ns)
        batch.iteration.endNs = max(batch.iteration.endNs, event.ns)
        return done
    }

    /// Whether a re-protection belongs to `round`: it goes from ring to ring, and may take a ring in several steps, each of
    /// entries that had been pushed before the round began.
    private func goesOn(
        _ round: (beginNs: Int64, ring: Int, ns: Int64), with event: RingEvent, oldest: Int64?
    ) -> Bool {
        guard event.ns - round.ns <= Self.roundNs else { return false }
        let isStep = (0...Self.roundNs).contains(event.ns - round.beginNs) && (oldest ?? 0) < round.beginNs
        return event.ring > round.ring || isStep
    }

    private mutating func take(_ count: Int, of index: Int, at ns: Int64, cause: HarvestCause) {
        let taken = rings[index].waiting.prefix(count)
        guard let first = taken.first, let last = taken.last else { return }
        let ts = max(ns, last.ns)
        var harvest = Harvest(
            iteration: iteration, source: .tracefs, vcpu: index, cause: cause,
            sinceNs: max(0, min(rings[index].passNs, first.ns - 1)), tsNs: ts, entryCount: count)
        if cause == .ringFull, let full = rings[index].fullNs {
            harvest.stallNs = min(max(0, ns - full), ImportLimits.largestSum - stalled)
            stalled += harvest.stallNs
            // The write that filled the ring has not happened yet; the vCPU repeats it.
            harvest.provisionalCount = last.ns <= full ? 1 : 0
        }
        batch.exactTimes[batch.harvests.count] = taken.map(\.ns)
        batch.harvests.append((harvest, taken.map(\.gfn)))
        batch.iteration.endNs = max(batch.iteration.endNs, ts)
        rings[index].removeFirst(count)
        rings[index].passNs = max(rings[index].passNs, ts)
        waiting -= count
        harvested += count
    }

    private mutating func closeIfDue() -> IterationBatch? {
        round = nil
        let isDue = batch.iteration.endNs - batch.iteration.startNs >= interval
        return isDue || isFull ? close() : nil
    }

    /// Whether the iteration in progress is as large as one may get.
    private var isFull: Bool { harvested >= Self.largestBatch || batch.harvests.count >= 1 << 15 }

    private mutating func close() -> IterationBatch {
        batch.slots = slots.takeNews()
        harvested = 0
        return batch.handOver()
    }
}
