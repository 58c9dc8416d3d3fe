import Foundation
import Model
import TestSupport

@testable import Store

/// Recordings made up for tests.
enum Sample {
    static func info(vcpus: Int = 2) -> RecordingInfo {
        var info = RecordingInfo()
        info.id = "0123456789abcdef0123456789abcdef"
        info.tool = "dirtyrec test"
        info.commandLine = "dirtyrec record -o sample.db"
        info.guest = "zipf"
        info.seed = UInt64.max
        info.host = "host"
        info.kernel = "6.12"
        info.kvmModule = "kvm_amd"
        info.cpu = "cpu"
        info.pml = false
        info.vcpuCount = vcpus
        info.memoryBytes = 64 << 20
        info.ringEntries = 4096
        info.ringSoftLimit = 4032
        info.startNs = 1000
        info.wallOffsetNs = 5_000_000
        info.capabilities = ["KVM_CAP_DIRTY_LOG_RING": 1 << 20, "KVM_CAP_NR_VCPUS": 2]
        info.labels = ["purpose": "test"]
        return info
    }

    static let slots = [
        MemorySlot(slot: 0, baseGFN: 0, pages: 256, logged: false, name: "low", createdNs: 1),
        MemorySlot(slot: 1, baseGFN: 256, pages: 1 << 20, logged: true, name: "data", createdNs: 1),
    ]

    /// Iterations in which two vCPUs and the VMM dirty pages at random, with everything that a batch can hold.
    static func batches(_ count: Int, entries: Int = 200, seed: UInt64 = 1) -> [IterationBatch] {
        var random = Seeded(seed)
        return (1...max(count, 1)).prefix(count).map { number in
            let id = Int64(number)
            let start = 1000 + (id - 1) * 1000
            var iteration = Iteration(id: id, startNs: start, endNs: start + 1000)
            iteration.scanNs = 10
            iteration.resetNs = 5
            iteration.guestProgress = id * 100
            var batch = IterationBatch(iteration: iteration)
            for vcpu in 0..<2 {
                let gfns = (0..<entries).map { _ in 256 + GFN.random(in: 0..<500, using: &random) }
                let cause = vcpu == 1 ? HarvestCause.ringFull : .periodic
                batch.harvests.append(
                    (
                        Harvest(
                            iteration: id, source: .dirtyRing, vcpu: vcpu, cause: cause, sinceNs: start,
                            tsNs: start + 500 + Int64(vcpu), entryCount: gfns.count, provisionalCount: vcpu,
                            scanNs: 7, resetNs: 3, stallNs: Int64(vcpu) * 20), gfns
                    ))
            }
            let own = Harvest(
                iteration: id, source: .vmm, vcpu: nil, cause: .periodic, sinceNs: start, tsNs: start + 600,
                entryCount: 2)
            batch.harvests.append((own, [300, 9999]))
            batch.losses = [Loss(iteration: id, tsNs: start, kind: .overrun, vcpu: 1, entries: nil, detail: "wrapped")]
            batch.stops = [StopLatency(iteration: id, vcpu: 0, latencyNs: 12)]
            batch.statistics = [KVMStatistic(iteration: id, vcpu: nil, name: "pf_fixed", value: 3)]
            batch.watchEvents = [
                WatchEvent(
                    iteration: id, tsNs: start, vcpu: 0, gpa: 4096, oldValue: [1, 2], newValue: [3, 4], rip: .max)
            ]
            batch.markers = [Marker(tsNs: start, iteration: id, text: "phase \(id)")]
            batch.verdicts = [OracleVerdict(iteration: id, oracle: "known-answer")]
            return batch
        }
    }

    /// Writes a recording and ends it.
    static func write(
        _ path: String, _ batches: [IterationBatch], slots: [MemorySlot] = slots, rows: Bool = true
    ) throws {
        let writer = try RecordingWriter(path: path, info: info(), slots: slots)
        for batch in batches { try writer.commit(batch) }
        try writer.finish(reason: .duration, endNs: 1_000_000, rows: rows)
    }
}

/// Keeps everything that a recording gives.
struct Replayed: RecordingVisitor, Equatable {
    var harvests: [Harvest] = []
    var gfns: [[GFN]] = []
    var iterations: [Iteration] = []
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) {
        harvests.append(harvest)
        self.gfns.append(gfns)
    }
    mutating func visit(_ iteration: Iteration) { iterations.append(iteration) }

    static func of(_ recording: some Recording) throws -> Replayed {
        var collector = Replayed()
        try recording.replay(into: &collector)
        return collector
    }
}

/// Runs a program and returns what it printed.
func shell(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self)
}
