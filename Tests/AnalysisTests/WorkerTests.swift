import Model
import TestSupport
import Testing

@testable import Analysis

/// However many workers share the entries, and however these are cut into batches, the answers are the same.
@Suite struct WorkerTests {
    /// Answers of one worker that gets all at once, and of others.
    private func compare(_ recording: MemoryRecording, _ name: String) throws {
        var options = AnalysisOptions()
        options.convergence.namesBlockingPages = true
        options.counting.workers = 1
        let alone = try Analyzer.analyze(recording, options: options)
        for (workers, batchEntries) in [(2, 1 << 20), (7, 1 << 20), (1, 1), (7, 30)] {
            options.counting.workers = workers
            options.counting.batchEntries = batchEntries
            let found = try Analyzer.analyze(recording, options: options)
            #expect(found == alone, "\(name): \(workers) workers, batches of \(batchEntries)")
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>) func `random recordings`(seed: UInt64) throws {
        var recording = Recordings.random(seed)
        try compare(recording, "seed \(seed)")
        // A host that reverses its batches, where first touches are told apart.
        recording.info.pml = true
        recording.info.kernel = "6.1.0"
        recording.info.guestKind = "builtin"
        try compare(recording, "seed \(seed), reversed")
    }

    /// More iterations than the table of windows has groups, and pages far apart and side by side.
    @Test(arguments: [10, 51] as [UInt64]) func `long recordings`(bits: UInt64) throws {
        var random = Seeded(bits)
        var recording = MemoryRecording()
        recording.info.memoryBytes = 1 << 30
        recording.info.endReason = .duration
        let pages = (0..<300).map { _ in random.next() >> (64 - bits) }
        for id in 1...4500 as ClosedRange<Int64> {
            var batch = IterationBatch(iteration: Iteration(id: id, startNs: (id - 1) * 100, endNs: id * 100))
            for vcpu in 0..<Int.random(in: 0...2, using: &random) {
                let gfns = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                    pages[Int.random(in: 0..<pages.count, using: &random)]
                }
                let harvest = Harvest(
                    iteration: id, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: (id - 1) * 100,
                    tsNs: id * 100, entryCount: gfns.count)
                batch.harvests.append((harvest, gfns))
            }
            recording.batches.append(batch)
        }
        var counting = Counting()
        counting.workers = 1
        let alone = try Gathered(recording, counting)
        (counting.workers, counting.batchEntries) = (7, 5000)
        let found = try Gathered(recording, counting)
        #expect(found.windows.iterationsPerGroup == 2)
        #expect(found.windows.boundaries == alone.windows.boundaries)
        for _ in 0..<2000 {
            let (one, other) = (random.next() % 2251, random.next() % 2251)
            let (first, last) = (Int(min(one, other)), Int(max(one, other)))
            #expect(
                found.windows.pages(after: first, through: last) == alone.windows.pages(after: first, through: last))
        }
        #expect(found.footprint.ladder == alone.footprint.ladder)
        #expect(found.rings == alone.rings)
        #expect(found.pass.total == alone.pass.total)
        #expect(found.pass.timeline.buckets == alone.pass.timeline.buckets)
        #expect(found.harvestWhatIf == alone.harvestWhatIf)
        #expect(found.pass.pages.top(16) { $0.iterations } == alone.pass.pages.top(16) { $0.iterations })
    }
}
