import Analysis
import Foundation
import Model
import Store

@testable import Report

/// Recordings made up for pages, and the pages made of them.
enum PageSample {
    /// What a guest may call itself to break out of a page.
    static let hostile = "</script></style><img src=x onerror=\"document.title='broken'\"><!-- '\"&\u{202e}\u{2028}"

    /// Two vCPUs dirty pages, some much more often than others, in two phases; everything that a page shows is there.
    static func batches(_ count: Int, entries: Int, name: String) -> [IterationBatch] {
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        return (1...count).map { number in
            let id = Int64(number)
            let start = 1000 + (id - 1) * 100_000_000
            var iteration = Iteration(id: id, startNs: start, endNs: start + 100_000_000)
            iteration.scanNs = 40_000 + Int64(random(9000))
            iteration.resetNs = 90_000
            iteration.pauseNs = 1_000_000
            var batch = IterationBatch(iteration: iteration)
            for vcpu in 0..<2 {
                let base = number * 2 > count ? 9000 : 256
                let gfns = (0..<entries).map { _ in
                    GFN(base + random(random(8) == 0 ? 40 + entries * 4 : 40 + entries / 4) + vcpu * 30)
                }
                let isFull = vcpu == 1 && number.isMultiple(of: 3)
                let harvest = Harvest(
                    iteration: id, source: .dirtyRing, vcpu: vcpu, cause: isFull ? .ringFull : .periodic,
                    sinceNs: start, tsNs: start + 90_000_000 + Int64(vcpu), entryCount: gfns.count,
                    provisionalCount: isFull ? 1 : 0, scanNs: 7, resetNs: 3, stallNs: isFull ? 2_000_000 : 0)
                batch.harvests.append((harvest, gfns))
                // The write that a full ring had stopped is tried again.
                if isFull, let last = gfns.last {
                    let again = Harvest(
                        iteration: id, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: start + 90_000_001,
                        tsNs: start + 99_000_000, entryCount: 1)
                    batch.harvests.append((again, [last]))
                }
            }
            let own = Harvest(
                iteration: id, source: .vmm, vcpu: nil, cause: .periodic, sinceNs: start, tsNs: start + 99_500_000,
                entryCount: 2)
            batch.harvests.append((own, [300, 99_999]))
            if number == 2 {
                batch.losses = [Loss(iteration: id, tsNs: start, kind: .overrun, vcpu: 1, entries: 5, detail: name)]
            }
            batch.statistics = [KVMStatistic(iteration: id, vcpu: nil, name: name, value: 3)]
            if number == count / 2 + 1 { batch.markers = [Marker(tsNs: start, iteration: id, text: name)] }
            batch.verdicts = [OracleVerdict(iteration: id, oracle: "known-answer")]
            return batch
        }
    }

    /// Writes a recording; `isWhole` ends it, else it stays as if it had been cut off.
    static func record(
        _ path: String, _ count: Int, entries: Int = 60, name: String = "zipf:size=64MiB", isWhole: Bool = true
    ) throws {
        var info = RecordingInfo()
        info.id = "0123456789abcdef0123456789abcdef"
        info.tool = "dirtyrec test"
        info.commandLine = "dirtyrec record -o \(name)"
        info.guest = name
        info.host = name
        info.kernel = "6.12"
        info.cpu = name
        info.pml = false
        info.vcpuCount = 2
        info.memoryBytes = 1 << 30
        info.ringEntries = 4096
        info.ringSoftLimit = 4032
        info.intervalNs = 100_000_000
        info.startNs = 1000
        info.labels = [name: name]
        let slots = [
            MemorySlot(slot: 0, baseGFN: 0, pages: 256, logged: false, name: "low", createdNs: 1),
            MemorySlot(slot: 1, baseGFN: 256, pages: 131_072, logged: true, name: name, createdNs: 1),
        ]
        let writer = try RecordingWriter(path: path, info: info, slots: slots)
        for batch in batches(count, entries: entries, name: name) { try writer.commit(batch) }
        if isWhole { try writer.finish(reason: .duration, endNs: Int64(count) * 100_000_000 + 1000, rows: true) }
    }

    static func report(_ path: String, vega: String? = nil, top: Int = 20, name: String = "page.db") throws
        -> HTMLReport
    {
        let file = try RecordingFile(path: path)
        var options = AnalysisOptions()
        options.topPages = top
        options.convergence = HTMLReport.convergenceOptions
        // Long recordings are not there for their replays.
        if try file.counts.iterations > 100 {
            options.convergence.bandwidths = [1_250_000_000]
            options.convergence.downtimesNs = [300_000_000]
        }
        options.convergence.namesBlockingPages = false
        return try HTMLReport(file, options: options, fileName: name, vega: vega)
    }

    /// The page of a comparison, with a gate that passes and one that fails.
    static func diff(_ old: String, _ new: String) throws -> String {
        let (before, after) = (try report(old, name: "before.db"), try report(new, name: "after.db"))
        let comparison = Comparison(before: [before.analysis], after: [after.analysis])
        let gates = try [Gate("fidelity.losses>+100"), Gate("entries>1")].map { gate in
            try DiffReport.Judged(gate, in: comparison)
        }
        return try DiffPage(comparison, gates: gates, before: before, after: after, repetitions: 0).render()
    }

    static func rows(_ path: String, _ sql: String) throws -> (columns: [String], rows: [[SQLValue]]) {
        var names: [String] = []
        var rows: [[SQLValue]] = []
        try QuerySession(path: path).run(sql) {
            names = $0
        } row: {
            rows.append($0)
        }
        return (names, rows)
    }

    static func page(_ path: String, vega: String? = nil) throws -> String {
        try report(path, vega: vega).render { try rows(path, $0).rows }
    }
}

/// A folder that goes away with the test.
final class PageFolder {
    let path: String
    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-page-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func file(_ name: String) -> String { path + "/" + name }
}
