import Foundation
import Model
import Store

/// Measures every named query. By default on 10 M entries of 4 vCPUs in 600 iterations of 100 ms over 1 M pages, a tenth of which
/// takes half of the writes.
enum QueryBench {
    static func run(_ path: String, entries: Int) throws {
        if !FileManager.default.fileExists(atPath: path) { try generate(path, entries: entries) }
        let session = try QuerySession(path: path)
        let counts = try RecordingFile(path: path).counts
        print("\(counts.entries) entries, \(counts.rows) rows, \(counts.iterations) iterations")
        let stopwatch = ContinuousClock()
        for query in NamedQuery.all {
            let settings = query.name == "pages/history" ? ["gfn": "70000"] : [:]
            var rows = 0
            let cpuBefore = Foundation.clock()
            // The worst of three: a first run reads the file, later ones find it in memory.
            let times = try (0..<3).map { _ in
                rows = 0
                return try stopwatch.measure {
                    try session.run(
                        query.sql, parameters: query.values(settings), columns: { _ in }, row: { _ in rows += 1 })
                }
            }
            let seconds = times.map { Double($0.components.attoseconds) / 1e18 + Double($0.components.seconds) }
            // Other programs on the machine lengthen the clock's time, not the processor's.
            let cpu = Double(Foundation.clock() - cpuBefore) / Double(CLOCKS_PER_SEC) / 3
            print(
                query.name, String(format: "%.3f s", seconds.max() ?? 0), String(format: "%.3f s CPU", cpu),
                "\(rows) rows",
                separator: "\t")
        }

    }

    private static func generate(_ path: String, entries: Int) throws {
        let (vcpus, iterations, pages) = (4, 600, UInt64(1 << 20))
        var info = RecordingInfo()
        info.id = String(repeating: "0", count: 32)
        info.guestKind = "synthetic"
        info.vcpuCount = vcpus
        info.memoryBytes = Int64(pages) * 4096
        info.startNs = 1_000_000_000
        let slots = [MemorySlot(slot: 0, baseGFN: 0, pages: pages, logged: true, name: "data", createdNs: 1)]
        let writer = try RecordingWriter(path: path, info: info, slots: slots)
        var state: UInt64 = 1
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        for number in 1...Int64(iterations) {
            let start = info.startNs + (number - 1) * 100_000_000
            var iteration = Iteration(id: number, startNs: start, endNs: start + 100_000_000)
            iteration.scanNs = Int64(random(1_000_000))
            iteration.resetNs = Int64(random(1_000_000))
            var batch = IterationBatch(iteration: iteration)
            for vcpu in 0..<vcpus {
                let count = entries / iterations / vcpus
                let gfns = (0..<count).map { _ in random(2) == 0 ? random(pages / 10) : random(pages) }
                batch.harvests.append(
                    (
                        Harvest(
                            iteration: number, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: start,
                            tsNs: iteration.endNs, entryCount: count, scanNs: 1000), gfns
                    ))
            }
            try writer.commit(batch)
        }
        try writer.finish(reason: .duration, endNs: info.startNs + Int64(iterations) * 100_000_000)
    }
}
