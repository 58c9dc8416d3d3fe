import Foundation
import GRDB
import Model
import Store
import TestSupport

/// Sound recordings, to be damaged.
enum Bases {
    static func make(_ folder: String) throws -> [String] {
        let names = ["rows", "packed", "times", "cut", "loose", "loose-packed"].map { "\(folder)/base-\($0).db" }
        for name in names { try Files.remove(name) }
        try write(names[0], rows: true)
        try write(names[1], rows: false)
        try write(names[2], rows: true, exactTimes: true)
        try cutOff(names[3])
        try write(names[4], rows: true)
        try loosen(names[4])
        try write(names[5], rows: false)
        try loosen(names[5])
        return names
    }

    static func info() -> RecordingInfo {
        var info = RecordingInfo()
        info.id = "0123456789abcdef0123456789abcdef"
        info.tool = "fuzz"
        info.guestKind = "synthetic"
        info.vcpuCount = 2
        info.memoryBytes = 64 << 20
        info.startNs = 1000
        info.capabilities = ["KVM_CAP_NR_VCPUS": 2]
        info.labels = ["purpose": "fuzz"]
        return info
    }

    static let slots = [
        MemorySlot(slot: 0, baseGFN: 0, pages: 256, logged: false, name: "low", createdNs: 1),
        MemorySlot(slot: 1, baseGFN: 256, pages: 1 << 14, logged: true, name: "data", createdNs: 1),
    ]

    /// A migration in three passes that was seen twice in each.
    static let migrations = (0..<6 as Range<Int64>).map { place in
        var seen = MigrationObservation(tool: .qemu, line: place + 1)
        (seen.tsNs, seen.elapsedNs, seen.state) = (place * 500_000, place * 400_000, place < 5 ? "active" : "completed")
        (seen.pass, seen.transferredBytes, seen.remainingBytes) = (place / 2 + 1, place * 9000, 60_000 - place * 9000)
        (seen.pageBytes, seen.zeroPages, seen.normalPages, seen.throttlePercent) = (4096, 3, place * 2, place * 10)
        (seen.totalBytes, seen.downtimeLimitNs, seen.other) = (1 << 26, 300_000_000, #"{"ram.multifd-bytes":0}"#)
        return seen
    }

    /// Iterations with everything that a batch can hold.
    static func batch(_ id: Int64, entries: Int = 60, exactTimes: Bool = false) -> IterationBatch {
        var random = Seeded(UInt64(id))
        let start = 1000 + (id - 1) * 1_000_000
        var iteration = Iteration(id: id, startNs: start, endNs: start + 1_000_000)
        (iteration.scanNs, iteration.resetNs, iteration.pauseNs, iteration.guestProgress) = (10, 5, 50, id * 100)
        var batch = IterationBatch(iteration: iteration)
        for ring in 0..<3 {
            let gfns = (0..<entries).map { _ in 256 + GFN.random(in: 0..<500, using: &random) }
            if exactTimes { batch.exactTimes[ring] = gfns.indices.map { start + Int64($0) + 1 } }
            batch.harvests.append(
                (
                    Harvest(
                        iteration: id, source: ring < 2 ? .dirtyRing : .vmm, vcpu: ring < 2 ? ring : nil,
                        cause: ring == 1 ? .ringFull : .periodic, sinceNs: start, tsNs: start + 500_000,
                        entryCount: gfns.count, provisionalCount: ring == 1 ? 1 : 0, scanNs: 7, resetNs: 3, stallNs: 9),
                    gfns
                ))
        }
        if id % 2 == 0 { batch.harvests[2].harvest.entryPages = 512 }
        batch.losses = [Loss(iteration: id, tsNs: start, kind: .overrun, vcpu: 1, entries: nil, detail: "wrapped")]
        batch.stops = [StopLatency(iteration: id, vcpu: 0, latencyNs: 12)]
        batch.statistics = [KVMStatistic(iteration: id, vcpu: nil, name: "pf_fixed", value: 3)]
        batch.watchEvents = [
            WatchEvent(iteration: id, tsNs: start, vcpu: 0, gpa: 4096, oldValue: [1], newValue: [3], rip: .max)
        ]
        batch.markers = [Marker(tsNs: start, iteration: id, text: "phase \(id)")]
        batch.verdicts = [OracleVerdict(iteration: id, oracle: "known-answer")]
        batch.contents = Set(batch.harvests.flatMap(\.gfns)).sorted().prefix(20).map { gfn in
            let change =
                gfn % 5 == 0 ? nil : PageContent.Change(words: Int64(gfn % 7), xbzrleBytes: Int64(gfn % 7 * 12))
            return PageContent(
                iteration: id, gfn: gfn,
                digest: PageContent.Digest(isZero: gfn % 3 == 0, change: change, zstdBytes: 900, hash: gfn % 11))
        }
        return batch
    }

    static func write(
        _ path: String, iterations: Int64 = 6, entries: Int = 60, rows: Bool, exactTimes: Bool = false
    ) throws {
        let writer = try RecordingWriter(path: path, info: info(), slots: slots, migrations: migrations)
        for id in 1...iterations { try writer.commit(batch(id, entries: entries, exactTimes: exactTimes)) }
        try writer.finish(reason: .duration, endNs: 1000 + iterations * 1_000_000, rows: rows)
    }

    /// Leaves a file with its log, as a kill would.
    private static func cutOff(_ path: String) throws {
        let live = path + ".live"
        try Files.remove(live)
        let writer = try RecordingWriter(path: live, info: info(), slots: slots)
        for id in 1...6 as ClosedRange<Int64> { try writer.commit(batch(id)) }
        try Files.copy(live, path)
        try writer.finish(reason: .duration, endNs: 9_000_000)
        try Files.remove(live)
    }

    /// Lets every column hold every type.
    static func loosen(_ path: String) throws {
        try execute(
            path,
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(replace(replace(sql, ' NOT NULL', ''), ') STRICT, ', ') '), ') STRICT', ')')
                WHERE type = 'table';
            """)
    }

    /// Runs SQL on a file as somebody else's program would.
    static func execute(_ path: String, _ sql: String) throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        try DatabaseQueue(path: path, configuration: configuration).inDatabase { try $0.execute(sql: sql) }
    }
}
