import Model
import Testing

@testable import Analysis

/// What became of a migration, by hand.
@Suite struct `Migrations that others saw` {
    /// Pages of 4096 bytes: `sent` of them went as a whole, without headers, and `left` are left.
    private func poll(
        _ pass: Int64, _ seconds: Int64, sent: Int64, left: Int64,
        _ change: (inout MigrationObservation) -> Void = { _ in }
    ) -> MigrationObservation {
        var seen = MigrationObservation(tool: .qemu, line: seconds + 1)
        (seen.pass, seen.elapsedNs, seen.state) = (pass, seconds * 1_000_000_000, "active")
        (seen.transferredBytes, seen.remainingBytes) = (sent * 4096, left * 4096)
        (seen.zeroPages, seen.normalPages, seen.pageBytes) = (0, sent, 4096)
        change(&seen)
        return seen
    }

    /// 1000 pages at 100 a second; 200 are dirty when pass 2 begins at 10 s, and 250 when pass 3 does at 12 s.
    private var polls: [MigrationObservation] {
        [
            poll(1, 4, sent: 400, left: 600), poll(1, 9, sent: 900, left: 100), poll(2, 11, sent: 1100, left: 100),
            poll(3, 13, sent: 1300, left: 150) { $0.throttlePercent = 20 },
            poll(3, 14, sent: 1400, left: 50) {
                ($0.state, $0.downtimeNs, $0.elapsedNs) = ("completed", 40_000_000, 14_500_000_000)
            },
        ]
    }

    @Test func `are bracketed pass by pass`() throws {
        let report = try #require(MigrationReport(polls))
        #expect(report.passes.map(\.pass) == [1, 2, 3])
        #expect(report.passes.map(\.observations) == [2, 1, 2])
        func pages(_ low: Int64, _ high: Int64) -> Bracket { Bracket(low: low * 4096, high: high * 4096) }
        // Pass 1 has sent at least 900 pages when it is seen last, of which 100 are left: pass 2 begins at the 1000th at the latest.
        #expect(report.passes[0].bytes == Bracket(low: 500 * 4096, high: 1000 * 4096 + 1600))
        // 100 are left of those that were dirty when pass 2 began, and 100 to 200 were sent by then.
        #expect(report.passes[0].dirtiedBytes == pages(200, 300))
        #expect(report.passes[1].dirtiedBytes == pages(250, 350))
        #expect(report.passes.map(\.isStalled) == [false, true, false])
        #expect(report.passes[0].durationNs == Bracket(low: 5_000_000_000, high: 11_000_000_000))
        #expect(report.passes[1].durationNs == Bracket(low: 0, high: 4_000_000_000))
        let lambda = try #require(report.passes[0].lambda)
        #expect(lambda.contains(0.2))
        #expect(lambda.lowerBound > 0.19 && lambda.upperBound == 0.6)
        #expect(report.passes[0].bytesPerSecond == 409_600)
    }

    @Test func `are told at a glance`() throws {
        let attempt = try #require(MigrationReport(polls)?.last)
        #expect(attempt.outcome == .completed)
        #expect((attempt.passes, attempt.stalledPasses, attempt.throttlePercent) == (3, 1, 20))
        #expect((attempt.totalNs, attempt.downtimeNs) == (14_500_000_000, 40_000_000))
        #expect(attempt.bytesPerSecond == Double(1400 * 4096) / 14.5)
    }

    @Test(arguments: [
        (["active", "cancelling", "cancelled"], MigrationReport.Attempt.Outcome.cancelled, false),
        (["active", "failed"], .failed, false), (["active", "postcopy-active", "completed"], .completed, true),
        (["active", "something-new"], .running, false),
    ])
    func `end as their last state says`(states: [String], outcome: MigrationReport.Attempt.Outcome, isPostCopy: Bool)
        throws
    {
        let seen = states.enumerated().map { place, state in
            poll(1, Int64(place), sent: 1, left: 1) { $0.state = state }
        }
        let attempt = try #require(MigrationReport(seen)?.last)
        #expect((attempt.outcome, attempt.isPostCopy) == (outcome, isPostCopy))
    }

    @Test func `whose tool counts whole passes need no bracket`() throws {
        let sent: [Int64] = [1000, 400, 500]
        let seen = sent.enumerated().map { place, bytes in
            var seen = MigrationObservation(tool: .cloudHypervisor, line: Int64(place) + 1)
            (seen.pass, seen.passBytes, seen.passNs) = (Int64(place) + 1, bytes, bytes * 10_000_000)
            return seen
        }
        let passes = try #require(MigrationReport(seen)).passes
        #expect(passes.map { $0.bytes } == sent.map { Bracket(low: $0, high: $0) })
        #expect(passes.map { $0.lambda } == [0.4...0.4, 1.25...1.25, nil])
        #expect(passes.map(\.isStalled) == [false, true, false])
    }

    @Test func `are foretold by a recording of the same guest`() throws {
        // 100 pages; 10 of them are dirtied every second.
        var recording = MemoryRecording()
        recording.slots = [MemorySlot(slot: 0, baseGFN: 0, pages: 100, logged: true)]
        recording.batches = (1...20).map { (second: Int64) in
            var batch = IterationBatch(
                iteration: Iteration(id: second, startNs: (second - 1) * 1_000_000_000, endNs: second * 1_000_000_000))
            batch.harvests = [
                (
                    Harvest(
                        iteration: second, source: .dirtyRing, vcpu: 0, cause: .periodic,
                        sinceNs: (second - 1) * 1_000_000_000, tsNs: second * 1_000_000_000, entryCount: 10),
                    Array(0..<10)
                )
            ]
            return batch
        }
        #expect(try Analyzer.analyze(recording).migration == nil)
        recording.migrations = polls
        recording.migrations[0].bandwidthLimit = 409_600
        recording.migrations[0].downtimeLimitNs = 200_000_000
        let rows = try #require(try Analyzer.analyze(recording).migration).predictions
        #expect(rows.map(\.source) == [.seen, .rounds, .stream])
        #expect(rows.allSatisfy { $0.bandwidth == 409_600 && $0.downtimeLimitNs == 200_000_000 && !$0.assumesLimit })
        #expect(rows.map(\.outcome) == ["completed", "converges", "converges"])
        // A round of 100 pages takes a second and leaves 10, which take 100 ms.
        #expect(rows[1].totalNs == Bracket(low: 1_100_000_000, high: 1_100_000_000))
        #expect(rows[1].passes == 1)
    }
}
