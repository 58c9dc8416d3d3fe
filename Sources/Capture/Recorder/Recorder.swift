import Guests
import KVM
import Model
import Platform

/// What a recording is doing now, for a live line.
package struct RecorderStatus: Sendable {
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
    package var reason: EndReason
    package var endNs: Int64
    /// Everything that may have been lost, also in earlier iterations.
    package var losses: [Loss]
    /// One verdict for each oracle and judged iteration.
    package var verdicts: [OracleVerdict]
    /// Exits because of a full ring.
    package var ringFull: Int64
    /// Why nothing more could be stored, if so.
    package var storeFailure: (any Error)?

    /// Whether nothing is known to be lost, and the oracles found every page where it had to be and none beside.
    package var isComplete: Bool {
        losses.isEmpty && verdicts.allSatisfy { $0.missing == 0 && $0.unexplained == 0 }
    }
}

/// Runs a guest under KVM and hands every dirty page to a ``BatchSink``, iteration by iteration.
///
/// One thread a vCPU, one harvester that alone harvests and resets (with every signal blocked), and one writer.
package final class Recorder: Sendable {
    private let guest: any Guest
    private let machine: Machine
    private let crew: VCPUCrew
    private let events: EventLog
    private let queue: BoundedQueue<IterationBatch>
    private let status = StatusBoard()
    private let map: CurrentMap

    /// Provenance as far as it is known before the start; `startNs` is set by ``run(into:)``.
    package let info: RecordingInfo
    package let slots: [MemorySlot]

    /// Makes the virtual machine; nothing runs yet.
    ///
    /// - Throws: ``RecordError`` or ``KVMError`` when plan or host do not allow it.
    package init(plan: RecordPlan, guest: any Guest) throws {
        try plan.validate()
        machine = try Machine(plan: plan, guest: guest)
        try SlotChanger.rehearse(plan.slotEvents, guest: guest, map: machine.map)
        map = CurrentMap(machine.map)
        self.guest = guest
        events = EventLog()
        queue = BoundedQueue(capacity: plan.queueEntries, weigh: \.entryCount)
        let exits = GuestExits(guest: guest, map: map, events: events)
        crew = VCPUCrew(vcpus: machine.vcpus) { vcpu, exit in exits.serve(exit, of: vcpu) }
        info = machine.info
        slots = machine.map.slots.map { $0.row() }
    }

    /// What it is doing now.
    package var currentStatus: RecorderStatus {
        var now = status.current
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
            crew.quit(timeout: machine.plan.stopTimeoutNs)
            throw error
        }
        let writer = Worker("writer") { [queue] in queue.takeAll(by: sink.commit) }
        let ended = Monitor<Result<RecorderOutcome, KVMError>?>(nil)
        let harvester = Worker("harvester") { [machine, guest, crew, events, queue, status, map] in
            let result: Result<RecorderOutcome, KVMError>
            do throws(KVMError) {
                var harvester = try Harvester(
                    machine, guest: guest, crew: crew, events: events, queue: queue, status: status, map: map)
                result = .success(harvester.run())
            } catch {
                crew.quit(timeout: machine.plan.stopTimeoutNs)
                result = .failure(error)
            }
            ended.change { $0 = result }
        }
        harvester.join()
        queue.close()
        writer.join()
        guard let result = ended.read({ $0 }) else { preconditionFailure("the harvester always has an outcome") }
        var outcome = try result.get()
        outcome.storeFailure = outcome.storeFailure ?? queue.failure
        return outcome
    }
}
