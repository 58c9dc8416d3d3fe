import Foundation
import Guests
import KVM
import Model
import Platform
import Synchronization

/// What a recording is doing now, for a live line.
package struct RecorderStatus: Sendable {
    /// The iteration in progress.
    package var iteration: Int64 = 0
    /// Entries committed or on their way.
    package var entries: Int64 = 0
    /// Exits because of a full ring.
    package var ringFull: Int64 = 0
    /// Entries that wait to be written.
    package var queueDepth = 0
}

/// How a recording ended.
package struct RecorderOutcome: Sendable {
    /// Why.
    package var reason: EndReason
    /// When.
    package var endNs: Int64
    /// Everything that may have been lost, also in earlier iterations.
    package var losses: [Loss]
    /// The sums of all verdicts.
    package var verdicts: [OracleVerdict]
    /// Exits because of a full ring.
    package var ringFull: Int64
    /// Why nothing more could be stored, if so.
    package var storeFailure: (any Error)?
}

/// Runs a guest under KVM and hands every dirty page to a ``BatchSink``, iteration by iteration.
///
/// One thread a vCPU, one harvester that alone harvests and resets (with every signal blocked), and one writer.
package final class Recorder: Sendable {
    private let plan: RecordPlan
    private let guest: any Guest
    private let machine: Machine
    private let crew: VCPUCrew
    private let events: EventLog
    private let queue: BatchQueue
    private let status = Mutex(RecorderStatus())

    /// Provenance as far as it is known before the start; `startNs` is set by ``run(into:)``.
    package let info: RecordingInfo
    /// Memory slots at the start.
    package let slots: [MemorySlot]

    /// Makes the virtual machine; nothing runs yet.
    ///
    /// - Throws: ``RecordError`` or ``KVMError`` when plan or host do not allow it.
    package init(plan: RecordPlan, guest: any Guest) throws {
        try plan.validate()
        let machine = try Machine(plan: plan, guest: guest)
        self.plan = machine.plan
        self.guest = guest
        self.machine = machine
        let events = EventLog()
        self.events = events
        queue = BatchQueue(capacity: plan.queueEntries)
        let map = machine.map
        crew = VCPUCrew(vcpus: machine.vcpus) { vcpu, exit in
            if case .mmioWrite(let address, let data) = exit, let slot = map.watched(address) {
                let rip = (try? vcpu.instructionPointer()) ?? 0
                events.watch(data, at: address, vcpu: vcpu.index, rip: rip) {
                    let place = slot.offset + Int(address - slot.region.guestAddress)
                    let count = min(data.count, slot.memory.size - place)
                    defer { slot.memory.write(Array(data.prefix(count)), at: place) }
                    return slot.memory.read(count, at: place)
                }
                return .resume
            }
            switch guest.handle(exit, of: vcpu) {
            case .resume: return .resume
            case .done: return .done
            case .waitForIteration: return .waitForIteration
            case .mark(let texts):
                for text in texts { events.mark(text, vcpu: vcpu.index) }
                return .resume
            case .end(let how):
                events.mark("The guest \(how).", vcpu: vcpu.index)
                return .guestEnded
            case .wrote(let pages):
                events.wrote(pages)
                return .resume
            case .unexpected: return .died("unexpected exit \(exit) (\(vcpu.registerDump()))")
            }
        }
        info = machine.info
        slots = map.slots.map { $0.row() }
    }

    /// What it is doing now.
    package var currentStatus: RecorderStatus {
        var now = status.withLock { $0 }
        now.queueDepth = queue.depth
        return now
    }

    /// Ends the recording soon; everything harvested is kept.
    package func stop() { crew.interrupt() }

    /// Records until the plan, the guest or ``stop()`` ends it, and returns when everything is in the sink.
    ///
    /// - Parameter makeSink: called with the final provenance just before the vCPUs start.
    /// - Throws: what `makeSink` throws, and ``KVMError`` before the first entry. Later failures are in the outcome.
    package func run(into makeSink: (RecordingInfo, [MemorySlot]) throws -> any BatchSink) throws -> RecorderOutcome {
        crew.start()
        var info = info
        info.startNs = monotonicNow()
        info.wallOffsetNs = wallClockOffset()
        let startNs = info.startNs
        let sink: any BatchSink
        do {
            sink = try makeSink(
                info,
                slots.map { slot in
                    var slot = slot
                    slot.createdNs = startNs
                    return slot
                })
        } catch {
            crew.quit(timeout: plan.stopTimeoutNs)
            throw error
        }
        let writerDone = Monitor(false)
        startThread("writer") {
            while let batch = self.queue.pop() {
                do { try sink.commit(batch) } catch {
                    self.queue.fail(error)
                    break
                }
            }
            writerDone.change { $0 = true }
        }
        let outcome = Monitor<RecorderOutcome?>(nil)
        startThread("harvester") {
            let result = self.harvestUntilEnd()
            outcome.change { $0 = result }
        }
        let result = outcome.wait(for: { $0 != nil }, then: { $0 })
        queue.close()
        _ = writerDone.wait(for: { $0 }, then: { _ in })
        guard var result = result ?? nil else { preconditionFailure("the harvester always has an outcome") }
        result.storeFailure = result.storeFailure ?? queue.failure
        return result
    }

    /// Threads of ours take no signal: the reset must not be interrupted, and Ctrl-C belongs to the main thread.
    private func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            SignalMask.blockAll()
            body()
        }
        thread.name = name
        thread.start()
    }

    // MARK: The harvester thread

    private func harvestUntilEnd() -> RecorderOutcome {
        let startNs = monotonicNow()
        var outcome = RecorderOutcome(reason: .error, endNs: startNs, losses: [], verdicts: [], ringFull: 0)
        var round = Round(id: 1, startNs: startNs)
        do {
            let collector = machine.makeCollector(startNs: startNs)
            var map = machine.map
            map.begin(at: startNs)
            var changer = SlotChanger(vm: machine.vm, guest: guest, map: map)
            var slotEvents = plan.slotEvents.sorted { $0.atNs < $1.atNs }[...]
            var oracles = try Oracles(plan: plan, guest: guest)
            var statistics = try StatisticsRecorder(vm: machine.vm, vcpus: machine.vcpus, system: machine.system)
            let endNs = plan.durationNs.map { startNs + $0 }
            var deadline = guest.isStepped ? Int64.max : startNs + plan.intervalNs
            crew.resume()
            round.publish(to: events)
            recording: while true {
                let slotEventNs = slotEvents.first.map { startNs + $0.atNs } ?? .max
                switch crew.waitForWork(until: min(deadline, slotEventNs, endNs ?? .max)) {
                case .ringFull(let waiting):
                    let harvested = round.batch.harvests.count
                    collector.collect(waiting.map(\.vcpu), cause: .ringFull, waiting: waiting, into: &round.batch)
                    let resetNs = try collector.reprotect(into: &round.batch)
                    // The one call serves all of them; its cost is shown once.
                    if harvested < round.batch.harvests.count {
                        round.batch.harvests[harvested].harvest.resetNs = resetNs
                    }
                    outcome.ringFull += Int64(waiting.count)
                    crew.serve(waiting)
                    round.entries += round.batch.harvests[harvested...].reduce(0) { $0 + $1.gfns.count }
                    if round.entries >= plan.queueEntries / 4 {
                        oracles.observe(round.batch, changer.map)
                        oracles.batchHandedOver()
                        try handOver(&round)
                    }
                case .tick:
                    if let endNs, monotonicNow() >= endNs {
                        outcome.reason = .duration
                        break recording
                    }
                    if let event = slotEvents.first, monotonicNow() >= slotEventNs {
                        slotEvents.removeFirst()
                        guard try change(event.action, &changer, &round, collector, &oracles) else { break recording }
                        continue
                    }
                    guard try harvestPeriodic(&round, collector, &oracles, changer.map) else { break recording }
                    try finish(&round, &statistics, &outcome)
                    oracles.batchHandedOver()
                    if let iterations = plan.iterations, round.batch.iteration.id > iterations {
                        outcome.reason = .iterations
                        break recording
                    }
                    // A late iteration is not made up for: the next one keeps to the grid.
                    while deadline <= monotonicNow() { deadline += plan.intervalNs }
                case .finished:
                    outcome.reason = .guestExit
                    break recording
                case .interrupted:
                    outcome.reason = .signal
                    break recording
                case .died: break recording
                }
            }
            _ = stopAll(&round)
            for death in crew.deaths {
                outcome.reason = .error
                round.lose(.vcpuDeath, vcpu: death.vcpu, "vCPU \(death.vcpu) ended: \(death.why)")
            }
            if round.batch.losses.contains(where: { $0.kind == .vcpuStuck }) { outcome.reason = .error }
            try collect(.final, waiting: crew.waiting, into: &round, collector)
            _ = try collector.reprotect(into: &round.batch)
            oracles.observe(round.batch, changer.map)
            oracles.judge(&round.batch)
            crew.quit(timeout: plan.stopTimeoutNs)
            try finish(&round, &statistics, &outcome)
        } catch {
            outcome.reason = .error
            crew.quit(timeout: plan.stopTimeoutNs)
            round.lose(.aborted, "The harvester gave up: \(error)")
            // The iteration in progress is kept as far as it went.
            do {
                round.batch.iteration.endNs = monotonicNow()
                outcome.losses += round.batch.losses
                try queue.push(round.batch)
            } catch { outcome.storeFailure = error }
        }
        outcome.endNs = monotonicNow()
        return outcome
    }

    /// One iteration at its time. - Returns: false when a vCPU is stuck and the recording must end.
    private func harvestPeriodic(
        _ round: inout Round, _ collector: any Collector, _ oracles: inout Oracles, _ map: MemoryMap
    ) throws -> Bool {
        switch plan.mode {
        case .live:
            let waiting = crew.waiting
            try collect(.periodic, waiting: waiting, into: &round, collector)
            _ = try collector.reprotect(into: &round.batch)
            crew.serve(waiting)
            crew.releaseSteps()
            oracles.observe(round.batch, map)
        case .paused, .liveFinal:
            if plan.mode == .liveFinal { try collect(.periodic, waiting: crew.waiting, into: &round, collector) }
            let asked = monotonicNow()
            guard stopAll(&round) else { return false }
            try collect(.paused, waiting: crew.waiting, into: &round, collector)
            _ = try collector.reprotect(into: &round.batch)
            let judging = monotonicNow()
            oracles.observe(round.batch, map)
            oracles.judge(&round.batch)
            let judgeNs = monotonicNow() - judging
            let resuming = monotonicNow()
            round.batch.iteration.guestProgress = progress
            // The number is published before a vCPU runs, so that nothing it does is attributed to the old iteration.
            events.publish(iteration: round.batch.iteration.id + 1)
            crew.resume()
            round.batch.iteration.resumeNs = monotonicNow() - resuming
            round.batch.iteration.pauseNs = monotonicNow() - asked - judgeNs
        }
        return true
    }

    /// Drains everything while all vCPUs stand still, then changes the slots. - Returns: false when a vCPU is stuck.
    private func change(
        _ action: SlotEvent.Action, _ changer: inout SlotChanger, _ round: inout Round, _ collector: any Collector,
        _ oracles: inout Oracles
    ) throws -> Bool {
        guard stopAll(&round) else { return false }
        try collect(.paused, waiting: crew.waiting, into: &round, collector)
        _ = try collector.reprotect(into: &round.batch)
        oracles.observe(round.batch, changer.map)
        try changer.apply(action, into: &round.batch)
        collector.slotsChanged(to: changer.map.logged)
        crew.resume(steps: false)
        return true
    }

    /// - Returns: whether every vCPU answered.
    private func stopAll(_ round: inout Round) -> Bool {
        let asked = monotonicNow()
        let result = crew.stop(timeout: plan.stopTimeoutNs)
        round.batch.iteration.kickNs = monotonicNow() - asked
        for (vcpu, ns) in result.latencies {
            round.batch.stops.append(StopLatency(iteration: round.batch.iteration.id, vcpu: vcpu, latencyNs: ns))
        }
        for vcpu in result.stuck {
            round.lose(
                .vcpuStuck, vcpu: vcpu,
                "vCPU \(vcpu) did not leave the guest within \(Units.duration(plan.stopTimeoutNs)); it is stuck outside KVM_RUN"
                    + " or in a slow fault, and what it writes from here on is not recorded.")
        }
        return result.stuck.isEmpty
    }

    private func collect(
        _ cause: HarvestCause, waiting: [VCPUCrew.Waiting], into round: inout Round, _ collector: any Collector
    ) throws {
        try collector.collectAll(cause: cause, waiting: waiting, into: &round.batch)
        events.collect(cause: cause, into: &round.batch)
        round.batch.iteration.endNs = monotonicNow()
    }

    private var progress: Int64? {
        let all = (0..<guest.vcpus).compactMap { guest.completedOperations(of: $0) }
        return all.isEmpty ? nil : Int64(all.reduce(0, +))
    }

    /// Hands over what a long iteration has brought so far: neither our memory nor the queue hold it as a whole.
    private func handOver(_ round: inout Round) throws {
        var part = IterationBatch(iteration: round.batch.iteration)
        part.isPart = true
        swap(&part.harvests, &round.batch.harvests)
        let entries = round.entries
        round.entries = 0
        try queue.push(part)
        status.withLock { $0.entries += Int64(entries) }
    }

    /// Hands the iteration over and begins the next one.
    private func finish(
        _ round: inout Round, _ statistics: inout StatisticsRecorder, _ outcome: inout RecorderOutcome
    ) throws {
        let id = round.batch.iteration.id
        round.batch.iteration.guestProgress = round.batch.iteration.guestProgress ?? progress
        round.batch.statistics = try statistics.rises(iteration: id)
        outcome.losses += round.batch.losses
        outcome.verdicts += round.batch.verdicts
        let entries = Int64(round.batch.entryCount)
        let ringFull = outcome.ringFull
        let finished = round.batch
        round = Round(id: id + 1, startNs: finished.iteration.endNs)
        events.publish(iteration: id + 1)
        try queue.push(finished)
        status.withLock {
            $0.iteration = id + 1
            $0.entries += entries
            $0.ringFull = ringFull
        }
    }
}

/// The iteration in progress.
private struct Round {
    var batch: IterationBatch
    /// Entries in `batch` from rings that were full.
    var entries = 0

    init(id: Int64, startNs: Int64) {
        batch = IterationBatch(iteration: Iteration(id: id, startNs: startNs, endNs: startNs))
    }

    func publish(to events: EventLog) { events.publish(iteration: batch.iteration.id) }

    mutating func lose(_ kind: LossKind, vcpu: Int? = nil, _ detail: String) {
        batch.losses.append(
            Loss(iteration: batch.iteration.id, tsNs: monotonicNow(), kind: kind, vcpu: vcpu, detail: detail))
    }
}
