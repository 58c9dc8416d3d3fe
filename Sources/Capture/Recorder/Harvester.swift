import Guests
import KVM
import Model
import Platform
import Synchronization

/// Harvests and re-protects until the recording ends, iteration by iteration. One thread, which takes no signal.
struct Harvester {
    private enum Step {
        /// Rings are full; their vCPUs stand still.
        case serve([VCPUCrew.Waiting])
        /// An iteration is due.
        case iterate
        /// Memory slots change.
        case change(SlotEvent.Action)
        /// KVM is made to write guest memory.
        case provoke(KVMWrite)
        case end(EndReason)
    }

    private let plan: RecordPlan
    private let guest: any Guest
    private let machine: Machine
    private let crew: VCPUCrew
    private let events: EventLog
    private let queue: BoundedQueue<IterationBatch>
    private let status: StatusBoard
    /// What vCPU threads know of the slots.
    private let map: CurrentMap

    private let startNs: Int64
    /// When the next iteration is due.
    private var deadline: Int64
    private var slotEvents: ArraySlice<SlotEvent>
    private var kvmWrites: ArraySlice<KVMWrite>
    private let collector: any Collector
    private var changer: SlotChanger
    private var oracles: Oracles
    private var contents: PageContents
    private var statistics: StatisticsRecorder
    /// The iteration in progress.
    private var batch: IterationBatch
    /// Entries in `batch` from rings that were full.
    private var ringFullEntries = 0
    /// vCPUs that did not answer a stop.
    private var stuck: Set<Int> = []
    private var isStuck: Bool { !stuck.isEmpty }
    private var outcome: RecorderOutcome

    /// A harvester of vCPUs that stand still.
    ///
    /// - Throws: ``KVMError`` when the host has no room for what oracles keep, or no statistics.
    init(
        _ machine: Machine, guest: any Guest, crew: VCPUCrew, events: EventLog, queue: BoundedQueue<IterationBatch>,
        status: StatusBoard,
        map current: CurrentMap
    ) throws(KVMError) {
        plan = machine.plan
        self.guest = guest
        self.machine = machine
        self.crew = crew
        self.events = events
        self.queue = queue
        self.status = status
        self.map = current
        oracles = try Oracles(plan: plan, guest: guest)
        statistics = try StatisticsRecorder(vm: machine.vm, vcpus: machine.vcpus, system: machine.system)
        startNs = monotonicNow()
        collector = try machine.makeCollector(startNs: startNs)
        var map = machine.map
        map.begin(at: startNs)
        changer = SlotChanger(guest: guest, map: map)
        contents = PageContents(plan: plan, map: map)
        slotEvents = plan.slotEvents.sorted { $0.atNs < $1.atNs }[...]
        kvmWrites = plan.kvmWrites.sorted { $0.atNs < $1.atNs }[...]
        deadline = guest.isStepped ? .max : startNs + plan.intervalNs
        batch = IterationBatch(iteration: Iteration(id: 1, startNs: startNs, endNs: startNs))
        outcome = RecorderOutcome(reason: .error, endNs: startNs, losses: [], verdicts: [], ringFull: 0)
    }

    /// Lets the vCPUs run until the plan, the guest, a failure or somebody else ends it; then every vCPU's thread has ended.
    mutating func run() -> RecorderOutcome {
        do {
            events.publish(iteration: 1)
            crew.resume()
            recording: while true {
                switch nextStep() {
                case .serve(let waiting): try serve(waiting)
                case .iterate: try iterate()
                case .change(let action): try change(action)
                case .provoke(let write): try provoke(write)
                case .end(let reason):
                    try end(reason)
                    break recording
                }
            }
        } catch {
            giveUp(error)
        }
        outcome.endNs = monotonicNow()
        // Only now: what was harvested must not depend on how threads end.
        machine.missingPage?.release()
        crew.quit(timeout: plan.stopTimeoutNs)
        return outcome
    }

    // MARK: Steps

    private mutating func nextStep() -> Step {
        let changeNs = slotEvents.first.map { startNs + $0.atNs } ?? .max
        let writeNs = kvmWrites.first.map { startNs + $0.atNs } ?? .max
        let endNs = plan.durationNs.map { startNs + $0 } ?? .max
        if isStuck { return .end(.error) }
        if let iterations = plan.iterations, batch.iteration.id > iterations { return .end(.iterations) }
        switch crew.waitForWork(until: min(deadline, changeNs, writeNs, endNs)) {
        case .ringFull(let waiting): return .serve(waiting)
        case .finished: return .end(.guestExit)
        case .interrupted: return .end(.signal)
        case .died: return .end(.error)
        case .due:
            let now = monotonicNow()
            if now >= endNs { return .end(.duration) }
            if now >= changeNs, let event = slotEvents.popFirst() { return .change(event.action) }
            if now >= writeNs, let write = kvmWrites.popFirst() { return .provoke(write) }
            return .iterate
        }
    }

    /// Empties full rings out of turn.
    private mutating func serve(_ waiting: [VCPUCrew.Waiting]) throws {
        let harvested = batch.harvests.count
        collector.collect(waiting.map(\.vcpu), cause: .ringFull, waiting: waiting, into: &batch)
        let resetNs = try reprotect(isStill: false)
        // The one call serves all of them; its cost is shown once.
        if harvested < batch.harvests.count { batch.harvests[harvested].harvest.resetNs = resetNs }
        outcome.ringFull += Int64(waiting.count)
        crew.serve(waiting)
        ringFullEntries += batch.harvests[harvested...].reduce(0) { $0 + $1.gfns.count }
        if ringFullEntries >= plan.queueEntries / 4 {
            observe()
            try handOverPart()
        }
    }

    /// One iteration at its time.
    private mutating func iterate() throws {
        switch plan.mode {
        case .live:
            batch.iteration.guestProgress = progress
            guard let heldNs = flush() else { return }
            let waiting = crew.waiting
            try collect(.periodic, waiting: waiting, heldNs: heldNs)
            _ = try reprotect(isStill: false)
            crew.serve(waiting)
            crew.releaseSteps()
            observe()
        case .paused, .liveFinal:
            if plan.mode == .liveFinal {
                guard let heldNs = flush() else { return }
                try collect(.periodic, waiting: crew.waiting, heldNs: heldNs)
            }
            let asked = monotonicNow()
            guard stopAll() else { return }
            try collect(.paused, waiting: crew.waiting)
            _ = try reprotect(isStill: true)
            let judging = monotonicNow()
            observe()
            oracles.judge(&batch)
            contents.look(&batch, changer.map)
            let judgeNs = monotonicNow() - judging
            let resuming = monotonicNow()
            batch.iteration.guestProgress = progress
            // The number is published before a vCPU runs, so that nothing it does is attributed to the old iteration.
            events.publish(iteration: batch.iteration.id + 1)
            crew.resume()
            batch.iteration.resumeNs = monotonicNow() - resuming
            batch.iteration.pauseNs = monotonicNow() - asked - judgeNs
        }
        try finishIteration()
        // A late iteration is not made up for: the next one keeps to the grid.
        while deadline <= monotonicNow() { deadline += plan.intervalNs }
    }

    /// Drains everything while all vCPUs stand still, then changes the slots.
    private mutating func change(_ action: SlotEvent.Action) throws {
        guard stopAll() else { return }
        try collect(.paused, waiting: crew.waiting)
        _ = try reprotect(isStill: true)
        observe()
        contents.look(&batch, changer.map)
        try changer.apply(action, to: machine.vm, into: &batch)
        try collector.slotsChanged(to: changer.map.logged)
        map.replace(by: changer.map)
        crew.resume(steps: false)
    }

    /// Makes KVM write a page while all vCPUs stand still, outside `KVM_RUN`; what it logs of that, the next harvest finds.
    private mutating func provoke(_ write: KVMWrite) throws {
        guard stopAll() else { return }
        try write.perform(on: machine)
        oracles.kvmWrote(changer.map.layoutGFN(write.gfn), write)
        let text = "KVM wrote page 0x\(String(write.gfn, radix: 16)): \(write.kind.summary)."
        batch.markers.append(Marker(tsNs: monotonicNow(), iteration: batch.iteration.id, text: text))
        crew.resume(rings: false, steps: false)
    }

    /// The last harvest, with all vCPUs stopped for good.
    private mutating func end(_ reason: EndReason) throws {
        outcome.reason = stopAll() && !isStuck ? reason : .error
        for death in crew.deaths {
            outcome.reason = .error
            lose(.vcpuDeath, vcpu: death.vcpu, "vCPU \(death.vcpu) ended: \(death.why)")
        }
        try collect(.final, waiting: crew.waiting)
        _ = try collector.reprotect(into: &batch)
        observe()
        // Beside a vCPU that still writes nobody can say what must have been reported.
        if !isStuck { oracles.judge(&batch) }
        try finishIteration()
    }

    /// Keeps the iteration in progress as far as it went.
    private mutating func giveUp(_ error: any Error) {
        outcome.reason = .error
        lose(.aborted, "The harvester gave up: \(error)")
        batch.iteration.endNs = monotonicNow()
        outcome.losses += batch.losses
        do { try queue.push(batch) } catch { outcome.storeFailure = error }
    }

    // MARK: Parts of a step

    /// Makes every vCPU leave the guest for a moment, where the CPU keeps entries to itself until then (PML): a harvest
    /// while they run would miss up to 512 writes of each, and the next one would bring them, too late for its `since_ns`.
    ///
    /// - Returns: a time since when they may hold entries back again; nil when a vCPU does not answer.
    private mutating func flush() -> Int64? {
        guard machine.hasPML else { return .max }
        guard stopAll() else { return nil }
        let heldNs = monotonicNow()
        crew.resume(rings: false, steps: false)
        return heldNs
    }

    private mutating func collect(
        _ cause: HarvestCause, waiting: [VCPUCrew.Waiting], heldNs: Int64 = .max
    ) throws(KVMError) {
        try collector.collectAll(cause: cause, waiting: waiting, heldNs: heldNs, into: &batch)
        events.collect(cause: cause, into: &batch)
        batch.iteration.endNs = monotonicNow()
    }

    /// Re-protects what was harvested. Pages that the kernel let slip are protected by switching logging off and on, which
    /// protects everything; vCPUs must stand still for it, or writes in between would go unseen.
    ///
    /// - Parameter isStill: whether they do, as they have since the harvest: then nothing has been lost.
    /// - Returns: nanoseconds that re-protection took.
    private mutating func reprotect(isStill: Bool) throws -> Int64 {
        let done = try collector.reprotect(into: &batch)
        guard done.unprotected > 0 else { return done.ns }
        let sinceNs = monotonicNow() - done.ns
        guard isStill || stopAll() else {
            loseUnprotected(done.unprotected, "from then on")
            return done.ns
        }
        for slot in changer.map.logged {
            var region = slot.region
            region.logged = false
            try machine.vm.setMemory(region, memory: slot.memory, offset: slot.offset)
            try machine.vm.setMemory(slot.region, memory: slot.memory, offset: slot.offset)
        }
        if isStill {
            let text =
                "KVM_RESET_DIRTY_RINGS may have ended early; logging was switched off and on before a vCPU ran: nothing was lost."
            batch.markers.append(Marker(tsNs: monotonicNow(), iteration: batch.iteration.id, text: text))
        } else {
            crew.resume(rings: false, steps: false)
            loseUnprotected(
                done.unprotected,
                "for at most \(Units.duration(monotonicNow() - sinceNs)), until logging was switched off and on")
        }
        return done.ns
    }

    private mutating func loseUnprotected(_ pages: Int, _ howLong: String) {
        lose(
            .shortReset, entries: Int64(pages),
            "KVM_RESET_DIRTY_RINGS may have ended early and left at most \(Units.counted(Int64(pages), "page", "pages")) writable: writes to"
                + " them were not logged \(howLong).")
    }

    /// - Returns: whether every vCPU answered. If not, the recording ends with the step in progress.
    private mutating func stopAll() -> Bool {
        let asked = monotonicNow()
        let result = crew.stop(timeout: plan.stopTimeoutNs)
        batch.iteration.kickNs += monotonicNow() - asked
        for (vcpu, ns) in result.latencies {
            batch.stops.append(StopLatency(iteration: batch.iteration.id, vcpu: vcpu, latencyNs: ns))
        }
        // Once each: the end asks again.
        for vcpu in result.stuck where stuck.insert(vcpu).inserted {
            lose(
                .vcpuStuck, vcpu: vcpu,
                "vCPU \(vcpu) did not leave the guest within \(Units.duration(plan.stopTimeoutNs)); it is stuck outside KVM_RUN"
                    + " or in a slow fault, and what it writes from here on is not recorded.")
        }
        return result.stuck.isEmpty
    }

    private mutating func lose(_ kind: LossKind, vcpu: Int? = nil, entries: Int64? = nil, _ detail: String) {
        batch.losses.append(
            Loss(
                iteration: batch.iteration.id, tsNs: monotonicNow(), kind: kind, vcpu: vcpu, entries: entries,
                detail: detail))
    }

    /// Remembers what was harvested, for whoever looks at memory.
    private mutating func observe() {
        oracles.observe(batch, changer.map)
        contents.observe(batch, changer.map)
    }

    private var progress: Int64? {
        let all = (0..<guest.vcpus).compactMap { guest.completedOperations(of: $0) }
        return all.isEmpty ? nil : Int64(all.reduce(0, +))
    }

    /// Hands over what a long iteration has brought so far: neither our memory nor the queue hold it as a whole.
    private mutating func handOverPart() throws {
        var part = IterationBatch(iteration: batch.iteration)
        part.isPart = true
        swap(&part.harvests, &batch.harvests)
        oracles.batchHandedOver()
        contents.batchHandedOver()
        let entries = Int64(ringFullEntries)
        ringFullEntries = 0
        try queue.push(part)
        status.change { $0.entries += entries }
    }

    /// Hands the iteration over and begins the next one.
    private mutating func finishIteration() throws {
        let id = batch.iteration.id
        contents.look(&batch, changer.map)
        batch.iteration.guestProgress = batch.iteration.guestProgress ?? progress
        batch.statistics = try statistics.rises(iteration: id)
        outcome.losses += batch.losses
        outcome.verdicts += batch.verdicts
        let finished = batch.handOver()
        ringFullEntries = 0
        oracles.batchHandedOver()
        contents.batchHandedOver()
        events.publish(iteration: id + 1)
        let ringFull = outcome.ringFull
        try queue.push(finished)
        status.change {
            $0.iteration = id + 1
            $0.entries += Int64(finished.entryCount)
            $0.ringFull = ringFull
        }
    }
}

/// What the harvester says of itself while it works.
final class StatusBoard: Sendable {
    private let status = Mutex(RecorderStatus())
    var current: RecorderStatus { status.withLock { $0 } }
    func change(_ body: (inout RecorderStatus) -> Void) { status.withLock { body(&$0) } }
}
