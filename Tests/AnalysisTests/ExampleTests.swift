import Model
import TestSupport
import Testing

@testable import Analysis

/// The worked examples of `docs/analysis.md`, and edge cases.
@Suite struct ExampleTests {
    private static let (a, b, c) = (GFN(1), GFN(2), GFN(3))
    private let example = Recordings.plain([[a, b], [a], [c], [], [a, b]], memoryPages: 10)

    @Test func `writable working set of two iterations`() throws {
        let window = try #require(try Analyzer.analyze(example).workingSet.first { $0.iterations == 2 })
        #expect(window.high.min == 1 && window.high.p50 == 2 && window.high.max == 2 && window.windows == 4)
    }

    @Test func `footprint`() throws {
        let points = try Analyzer.analyze(example).footprint
        #expect(points[0] == FootprintPoint(iterations: 1, sum: 6, windows: 5))
        #expect(points[1] == FootprintPoint(iterations: 2, sum: 7, windows: 4))
        #expect(points[4] == FootprintPoint(iterations: 5, sum: 3, windows: 1))
    }

    @Test func `re-dirty intervals`() throws {
        let redirty = try Analyzer.analyze(example).redirty
        #expect(redirty.buckets.map(\.iterations) == [1, 3, 4] && redirty.neverRedirtied == 1)
    }

    @Test func `amplification`() throws {
        let units = try Analyzer.analyze(Recordings.plain([[0, 1, 16]])).granularity
        #expect(units[1].bytes == 65536 && units[1].units == 2 && units[1].amplification == 32.0 / 3)
    }

    @Test func `rates`() throws {
        let analysis = try Analyzer.analyze(example)
        #expect(analysis.duplicates.entries == 6 && analysis.duplicates.distinct == 6)
        #expect(analysis.rate.entriesPerSecond == 1.2 && analysis.rate.pagesPerSecond == 1.2)
    }

    @Test func `convergence`() throws {
        var options = ConvergenceOptions()
        options.bandwidths = [5 * 4096]
        options.downtimesNs = [2_000_000_000]
        let report = try Convergence.grid(example, options: options)
        #expect(report.leastBandwidth.first?.average == Bracket(low: 3584, high: 3584))
        let cell = try #require(report.grid.first)
        #expect(cell.outcome.rounds.first?.durationNs == Bracket(low: 2_000_000_000, high: 2_000_000_000))
        #expect(cell.outcome.rounds.first?.dirtyPages == Bracket(low: 2, high: 2))
        #expect(cell.lambda.lambda == 0.24)
        #expect(report.postCopy.first?.pendingPages == Bracket(low: 10, high: 10))
        #expect(report.postCopy.first?.writtenPages == Bracket(low: 2, high: 2))
    }

    @Test func `longer intervals`() throws {
        #expect(try Analyzer.analyze(example).harvestWhatIf.map(\.entries) == [6, 5, 5])
    }

    @Test func `least downtime on average`() throws {
        var options = ConvergenceOptions()
        // 1.2 pages an iteration, 7/4 in two: at 1 page/s one iteration's are not sent in 1 s, two iterations' are in 1.75 s.
        options.bandwidths = [4096]
        let least = try #require(try Convergence.grid(example, options: options).leastDowntime.first)
        #expect(least.averageNs == Bracket(low: 1_200_000_000, high: 1_750_000_000))
    }

    @Test func `checkpoints`() throws {
        #expect(try Analyzer.analyze(example).checkpoints.first { $0.iterations == 2 }?.pages == Int64(5))
    }

    @Test func `a hot set that moves begins a phase at the right iteration`() throws {
        let iterations = (0..<90).map { iteration in (0..<GFN(20)).map { $0 + GFN(iteration / 30) * 100 } }
        let phases = try Analyzer.analyze(Recordings.plain(iterations)).phases.phases
        #expect(phases.map(\.firstIteration) == [1, 31, 61])
        #expect(phases.map(\.lastIteration) == [30, 60, 90])
    }

    @Test func `a guest that dirties at random has no phases`() throws {
        var random = Seeded(7)
        let iterations = (0..<90).map { _ in (0..<20).map { _ in GFN.random(in: 0..<60, using: &random) } }
        #expect(try Analyzer.analyze(Recordings.plain(iterations)).phases.phases.count == Int(1))
    }

    // MARK: Edges

    @Test func `one iteration of one page`() throws {
        let analysis = try Analyzer.analyze(Recordings.plain([[7]]))
        #expect(analysis.workingSet.count == 1 && analysis.workingSet[0].high.max == 1)
        #expect(analysis.phases.phases.count == 1)
    }

    @Test func `all pages always`() throws {
        let analysis = try Analyzer.analyze(Recordings.plain((0..<10).map { _ in Array(GFN(0)..<8) }, memoryPages: 8))
        #expect(analysis.footprint.filter { $0.pages != 8 }.isEmpty)
        #expect(analysis.redirty.buckets == [Redirty.Bucket(iterations: 1, lastIterations: 1, count: 72)])
    }

    @Test func `provisional entries only`() throws {
        var recording = Recordings.plain([[4, 4]])
        recording.batches[0].harvests[0].harvest.provisionalCount = 2
        let counts = try Analyzer.analyze(recording).duplicates
        #expect(counts.distinct == 1 && counts.provisional == 1)
    }

    @Test func `256 vCPUs that all share a page`() throws {
        var recording = MemoryRecording()
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 10))
        for vcpu in 0..<256 {
            batch.harvests.append(
                (
                    Harvest(
                        iteration: 1, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: 0, tsNs: 10,
                        entryCount: 1),
                    [largestGFN]
                ))
        }
        recording.batches = [batch]
        let analysis = try Analyzer.analyze(recording)
        #expect(analysis.counts.vcpus == 256)
        #expect(analysis.duplicates.crossRing == 255)
        #expect(analysis.sharing.pairs.count == 256 * 255 / 2)
    }

    @Test func `an iteration that was cut off before its end still counts`() throws {
        struct Cut: Recording {
            var inner: MemoryRecording
            var info: RecordingInfo { inner.info }
            var slots: [MemorySlot] { [] }
            var losses: [Loss] { [] }
            var markers: [Marker] { [] }
            var stops: [StopLatency] { [] }
            var verdicts: [OracleVerdict] { [] }
            func replay(into visitor: inout some RecordingVisitor) throws {
                for (harvest, gfns) in inner.batches[0].harvests { try visitor.visit(harvest, gfns: gfns) }
            }
        }
        let analysis = try Analyzer.analyze(Cut(inner: Recordings.plain([[1, 2]])))
        #expect(analysis.counts.iterations == 1 && analysis.counts.distinctGFNs == 2)
        #expect(analysis.counts.durationNs == 1_000_000_000)
    }

    @Test func `percentiles of a long stream come from evenly kept values`() {
        var sample = Sample()
        for value in 0..<Int64(100_000) { sample.add(value) }
        let summary = sample.summary
        #expect(summary.count == 100_000 && summary.min == 0 && summary.max == 99_999 && summary.keptOneIn == 4)
        #expect(abs(summary.p50 - 50_000) <= 4)
    }
}
