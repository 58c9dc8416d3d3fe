import Guests
import KVM
import Recorder
import Synchronization
import Testing
import TraceModel

/// Keeps batches in memory.
final class ListSink: BatchSink {
    private let list = Mutex<[IterationBatch]>([])
    var batches: [IterationBatch] { list.withLock { $0 } }
    func commit(_ batch: IterationBatch) { list.withLock { $0.append(batch) } }
}

@Suite(.serialized, .enabled(if: KVMSystem.isAvailable, "needs read-write access to /dev/kvm"))
struct `A recording under KVM` {
    private func record(
        _ workload: String, vcpus: Int = 1, plan change: (inout RecordPlan) -> Void
    ) throws -> (RecorderOutcome, [IterationBatch]) {
        let guest = try BuiltinGuest(workload: Workload(parsing: workload), vcpus: vcpus, memory: nil)
        var plan = RecordPlan()
        plan.verify = true
        plan.intervalNs = 20_000_000
        change(&plan)
        let sink = ListSink()
        let outcome = try Recorder(plan: plan, guest: guest).run { _, _ in sink }
        return (outcome, sink.batches)
    }

    @Test(arguments: [Source.dirtyRing, .dirtyLog, .clearLog], [HarvestMode.live, .paused, .liveFinal])
    func `misses nothing`(source: Source, mode: HarvestMode) throws {
        for workload in [
            "sequential:size=4MiB,rate=200k/s", "random:size=4MiB,rate=200k/s,writes=0.9",
            "zipf:size=4MiB,region=shared,rate=200k/s", "idle", "dma:size=1MiB,rate=1k/s",
        ] {
            for vcpus in [1, 2] {
                let (outcome, batches) = try record(workload, vcpus: vcpus) {
                    $0.source = source
                    $0.mode = mode
                    $0.iterations = 8
                    if source == .dirtyRing { $0.ringEntries = 1024 }
                }
                #expect(outcome.reason == .iterations)
                #expect(outcome.losses == [])
                #expect(
                    outcome.verdicts.allSatisfy { $0.missing == 0 && $0.unexplained == 0 },
                    "\(workload) \(outcome.verdicts)")
                #expect(!outcome.verdicts.isEmpty)
                let entries = batches.reduce(0) { $0 + $1.entryCount }
                #expect((entries > 0) == (workload != "idle"), "\(workload)")
                print(
                    source, mode, workload, vcpus, batches.count, entries, outcome.ringFull,
                    outcome.verdicts.filter { $0.oracle == "known-answer" }.reduce(0) { $0 + $1.expected },
                    outcome.verdicts.reduce(0) { $0 + $1.provisional }, outcome.verdicts.reduce(0) { $0 + $1.silent },
                    batches.flatMap(\.stops).map(\.latencyNs).max() ?? 0)
            }
        }
    }
}
