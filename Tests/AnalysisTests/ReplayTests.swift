import Model
import TestSupport
import Testing

@testable import Analysis

@Suite struct ReplayTests {
    /// Pre-copy as it would really go: every record becomes one to three writes at known times, and each round takes
    /// the pages with a write in its window.
    private struct Truth {
        var writes: [(time: Double, page: GFN)] = []
        var end: Double
        var memoryPages: Int

        /// Pages and total time in nanoseconds when the guest is paused; nil when a window leaves the recording.
        func run(_ scenario: Scenario, start: Double) -> (pause: Int, total: Double, rounds: Int)? {
            let perPage = 4096e9 / Double(scenario.bandwidth)
            var dirty = memoryPages
            var now = start
            for round in 0..<200 {
                let stops: Bool
                switch scenario.policy {
                case .qemu: stops = Double(dirty) * perPage < Double(scenario.downtimeNs)
                case .cloudHypervisor: stops = Double(dirty) * perPage <= Double(scenario.downtimeNs)
                case .xen: stops = dirty < 50 || round >= 5
                }
                if stops { return (dirty, now - start + Double(dirty) * perPage, round) }
                let next = now + Double(dirty) * perPage + Double(scenario.syncNs)
                if next > end { return nil }
                let from = now
                dirty = Set(writes.filter { $0.time > from && $0.time <= next }.map(\.page)).count
                now = next
            }
            return nil
        }
    }

    @Test func `the truth lies within every bracket`() throws {
        var verdicts: [ConvergenceVerdict: Int] = [:]
        for seed in UInt64(0)..<600 {
            var random = Seeded(seed)
            let pages = Int.random(in: 1...12, using: &random)
            let hot = Int.random(in: 1...pages, using: &random)
            let iterations = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                Array(
                    Set(
                        (0..<Int.random(in: 0...8, using: &random)).map { _ in
                            GFN.random(in: 0..<GFN(hot), using: &random)
                        }))
            }
            // Iterations of 1 s; a page takes a tenth of an iteration to three iterations.
            let recording = Recordings.plain(iterations, memoryPages: Int64(pages))
            let scenario = Scenario(
                bandwidth: Int64.random(in: 1300...40_000, using: &random),
                downtimeNs: Int64.random(in: 0...3_000_000_000, using: &random),
                policy: MigrationPolicy.allCases.randomElement(using: &random) ?? .qemu,
                syncNs: Bool.random(using: &random) ? 0 : 100_000_000)
            let gathered = try Gathered(recording)
            let clock = ReplayClock(
                gathered.pass, table: gathered.windows, extend: .none, memoryPages: Int64(pages))
            let start = Int64.random(in: 0...3_000_000_000, using: &random)
            let outcome = Replayer(clock: clock, pageSize: 4096).run(scenario, start: start)
            verdicts[outcome.verdict, default: 0] += 1
            for _ in 0..<4 {
                var truth = Truth(end: Double(iterations.count) * 1e9, memoryPages: pages)
                for (place, gfns) in iterations.enumerated() {
                    for gfn in gfns {
                        for _ in 0..<Int.random(in: 1...3, using: &random) {
                            truth.writes.append(
                                (Double.random(in: Double(place).nextUp...Double(place + 1), using: &random) * 1e9, gfn)
                            )
                        }
                    }
                }
                let result = truth.run(scenario, start: Double(start))
                let context = "seed \(seed), \(scenario), start \(start), \(outcome.verdict)"
                switch outcome.verdict {
                case .converges, .exceedsDowntime, .mayConverge:
                    if let result {
                        if let total = outcome.totalNs {
                            #expect(result.total >= Double(total.low) - 100, "\(context)")
                            if let high = total.high { #expect(result.total <= Double(high) + 100, "\(context)") }
                        }
                        let pause = Double(result.pause) * 4096e9 / Double(scenario.bandwidth)
                        if let downtime = outcome.downtimeNs {
                            #expect(pause >= Double(downtime.low) - 100, "\(context)")
                            if let high = downtime.high { #expect(pause <= Double(high) + 100, "\(context)") }
                        }
                        if outcome.verdict == .exceedsDowntime {
                            #expect(pause > Double(scenario.downtimeNs), "\(context)")
                        }
                        if outcome.verdict == .converges {
                            #expect(pause <= Double(scenario.downtimeNs) + 100, "\(context)")
                        }
                    } else {
                        #expect(outcome.verdict == .mayConverge, "\(context)")
                    }
                case .doesNotConverge: #expect(result == nil, "\(context)")
                case .recordingTooShort: break
                }
            }
        }
        // The generator reaches every verdict.
        for verdict in ConvergenceVerdict.allCases { #expect(verdicts[verdict] ?? 0 > 5, "\(verdicts)") }
    }

    private func replayer(_ recording: MemoryRecording, extend: ConvergenceOptions.Extension = .none) throws -> Replayer
    {
        let gathered = try Gathered(recording)
        let clock = ReplayClock(
            gathered.pass, table: gathered.windows, extend: extend, memoryPages: recording.info.memoryBytes / 4096)
        return Replayer(clock: clock, pageSize: 4096)
    }

    @Test func `all-new pages at a constant rate give the closed form V·λⁱ to the page`() throws {
        // 256 pages, one new page an iteration, two pages sent an iteration: λ = 1/2.
        let recording = Recordings.plain((0..<600).map { [GFN($0)] }, memoryPages: 256)
        let scenario = Scenario(bandwidth: 8192, downtimeNs: 1, policy: .qemu)
        let outcome = try replayer(recording).run(scenario, start: 0)
        let pages = outcome.rounds.map(\.pages)
        #expect(pages.prefix(8).map(\.low) == [256, 128, 64, 32, 16, 8, 4, 2])
        #expect(pages.prefix(8).filter { !$0.isExact }.isEmpty)
        // Until a round of one page ends between two iterations: then nobody knows whether a page was dirtied in it.
        #expect(outcome.rounds[8].pages == Bracket(low: 1, high: 1))
        #expect(outcome.rounds[8].dirtyPages == Bracket(low: 0, high: 1))
        let model = LambdaModel(memoryBytes: 256 * 4096, dirtyBytesPerSecond: 4096, bandwidth: 8192, downtimeNs: 1)
        #expect(model.lambda == 0.5)
        #expect(model.converges)
    }

    @Test func `a small working set converges although the average rate exceeds the bandwidth`() throws {
        // 10 pages dirtied every iteration: 10 pages/s. 5 pages are sent a second: λ = 2. The 10 pages take 2 s to send.
        let recording = Recordings.plain((0..<100).map { _ in Array(GFN(0)..<10) }, memoryPages: 100)
        var options = ConvergenceOptions()
        options.bandwidths = [5 * 4096]
        options.downtimesNs = [2_000_000_001]
        let report = try Convergence.grid(recording, options: options)
        let cell = try #require(report.grid.first)
        #expect(cell.lambda.lambda == 2)
        #expect(!cell.lambda.converges)
        #expect(cell.outcome.verdict == .converges)
        #expect(cell.modelDiffers)
        #expect(cell.outcome.totalNs == Bracket(low: 22_000_000_000, high: 22_000_000_000))
        #expect(cell.outcome.downtimeNs == Bracket(low: 2_000_000_000, high: 2_000_000_000))
        #expect(cell.outcome.bytes == Bracket(low: 110 * 4096, high: 110 * 4096))
        #expect(report.blocking == nil)
        #expect(report.leastDowntime.first?.downtimeNs == Bracket(low: 2_000_000_000, high: 2_000_000_000))
    }

    @Test func `a guest that never converges names its pages and vCPUs`() throws {
        var recording = MemoryRecording()
        recording.info.memoryBytes = 100 * 4096
        for iteration in 1...200 as ClosedRange<Int64> {
            let (start, end) = ((iteration - 1) * 1_000_000_000, iteration * 1_000_000_000)
            var batch = IterationBatch(iteration: Iteration(id: iteration, startNs: start, endNs: end))
            for (vcpu, gfns) in [(0, [GFN(iteration)]), (3, Array(GFN(5000)..<5010) + Array(GFN(6000)..<6004))] {
                batch.harvests.append(
                    (
                        Harvest(
                            iteration: iteration, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: start,
                            tsNs: end,
                            entryCount: gfns.count), gfns
                    ))
            }
            recording.batches.append(batch)
        }
        var options = ConvergenceOptions()
        options.bandwidths = [5 * 4096]
        options.downtimesNs = [1_000_000_000]
        let report = try Convergence.grid(recording, options: options)
        let cell = try #require(report.grid.first)
        #expect(cell.outcome.verdict == .doesNotConverge)
        #expect(cell.outcome.reason?.isEmpty == false)
        let blocking = try #require(report.blocking)
        #expect(blocking.pages == 14)
        #expect(blocking.ranges.map(\.firstGFN) == [5000, 6000])
        #expect(blocking.ranges.map(\.pages) == [10, 4])
        #expect(blocking.culprits == [Blocking.Culprit(vcpu: 3, pages: 14)])
        // One second of 15 pages may hold 5: vCPU 3 must be slowed down, vCPU 0 keeps its page.
        #expect(cell.throttle?.limitedVCPUs == [3])
        #expect(cell.throttle?.dirtyLimit == Int64(16_384))
    }

    @Test func `a window that rounds may miss is no proof`() throws {
        // Every iteration of 1 s dirties the page, but a round of 1.2 s may begin within an iteration and hold no whole one.
        let recording = Recordings.plain((0..<50).map { _ in [7] }, memoryPages: 1000)
        let scenario = Scenario(bandwidth: 4096 * 10 / 12, downtimeNs: 1_000_000_000, policy: .qemu)
        let replayer = try replayer(recording)
        #expect(replayer.run(scenario, start: 0).verdict == .recordingTooShort)
        // Sent in 2 s, it always holds one.
        let slow = Scenario(bandwidth: 2048, downtimeNs: 1_000_000_000, policy: .qemu)
        #expect(replayer.run(slow, start: 0).verdict == .doesNotConverge)
    }

    @Test func `throttling stretches the guest's time`() throws {
        // 4 new pages an iteration, 2 sent an iteration: λ = 2, and λ < 1 beyond 50 %. The limit of 80 pages makes the brackets small.
        let recording = Recordings.plain(
            (0..<600).map { iteration in (0..<4).map { GFN(iteration * 4 + $0) } }, memoryPages: 160)
        let scenario = Scenario(bandwidth: 8192, downtimeNs: 40_000_000_000, policy: .qemu)
        let replayer = try replayer(recording)
        #expect(replayer.run(scenario, start: 0).verdict == .doesNotConverge)
        let throttle = Throttle(replayer, scenario, start: 0)
        let percent = try #require(throttle.percent)
        #expect(percent > 50 && percent < 75)
        #expect(throttle.qemuStep == (percent <= 60 ? 60 : 70))
        var lighter = scenario
        lighter.throttlePercent = Int64(percent - 1)
        #expect(replayer.run(lighter, start: 0).verdict != .converges)
    }

    @Test func `a looped recording repeats, its seam included`() throws {
        for seed in UInt64(0)..<100 {
            var random = Seeded(seed)
            let iterations = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                (0..<Int.random(in: 0...4, using: &random)).map { _ in GFN.random(in: 0..<8, using: &random) }
            }
            let clock = try replayer(Recordings.plain(iterations), extend: .loop).clock
            let looped = iterations + iterations + iterations
            for last in 0...looped.count {
                for first in 0...last {
                    let expected = Int64(Set(looped[first..<last].joined()).count)
                    #expect(clock.pages(after: first, through: last) == (expected, expected), "seed \(seed)")
                }
                #expect(clock.time(of: last) == Int64(last) * 1_000_000_000)
                #expect(clock.boundary(atOrBefore: Int64(last) * 1_000_000_000) == last)
                #expect(clock.boundary(atOrAfter: Int64(last) * 1_000_000_000 + 1) == last + 1)
            }
        }
    }

    @Test func `a steady extension takes the extremes of windows as long`() throws {
        let clock = try replayer(Recordings.plain([[1], [1, 2], [], [3]], memoryPages: 9), extend: .steady).clock
        #expect(clock.pages(after: 3, through: 5) == (1, 2))
        #expect(clock.pages(after: 2, through: 7) == (3, 9))
        #expect(clock.pages(after: 1, through: 4) == (3, 3))
    }

    @Test func `extension happens only on request`() throws {
        let recording = Recordings.plain([[0], [0]], memoryPages: 8)
        let scenario = Scenario(bandwidth: 4096, downtimeNs: 2_000_000_000, policy: .qemu)
        let plain = try replayer(recording).run(scenario, start: 0)
        #expect(plain.verdict == .recordingTooShort)
        var options = ConvergenceOptions()
        options.bandwidths = [4096]
        options.downtimesNs = [1]
        let open = try #require(try Convergence.grid(recording, options: options).grid.first)
        #expect(open.outcome.verdict == .recordingTooShort && !open.modelDiffers)
        let looped = try replayer(recording, extend: .loop).run(scenario, start: 0)
        #expect(looped.verdict == .converges)
        #expect(looped.totalNs == Bracket(low: 9_000_000_000, high: 9_000_000_000))
    }

    @Test func `over all starts the best is no worse than the worst, when none converges, too`() throws {
        // Verdicts are open: some ends are bounded below only.
        var options = ConvergenceOptions()
        // Iterations of random recordings take about 100 ns: a page each 20 ns.
        options.bandwidths = [50_000_000 * 4096]
        options.downtimesNs = [1, 20, 60]
        options.start = .all
        var open = 0
        for seed in UInt64(0)..<30 {
            for cell in try Convergence.grid(Recordings.random(seed), options: options).grid {
                let spread = try #require(cell.starts)
                let ends = [spread.best, spread.median, spread.worst].map {
                    ($0.totalNs?.high ?? .max, $0.totalNs?.low ?? .max)
                }
                #expect(ends[0] <= ends[1] && ends[1] <= ends[2], "seed \(seed): \(spread)")
                if spread.converging == 0, spread.best.totalNs != nil { open += 1 }
            }
        }
        #expect(open > 0)
    }

    @Test func `a start beyond the recording is refused`() throws {
        var options = ConvergenceOptions()
        for (start, isRefused) in [(0, false), (1_999_999_999, false), (2_000_000_000, true), (.max, true)]
            as [(Int64, Bool)]
        {
            options.start = .at(start)
            for extend in ConvergenceOptions.Extension.allCases {
                options.extend = extend
                let grid = Result {
                    try Convergence.grid(Recordings.plain([[0], [0]], memoryPages: 8), options: options)
                }
                #expect((try? grid.get()) == nil ? isRefused : !isRefused, "\(start)")
            }
        }
    }

    @Test func `the first round sends the slots that are there when the migration begins`() throws {
        var recording = Recordings.plain((0..<10).map { [GFN($0)] }, memoryPages: 5)
        recording.slots = [
            MemorySlot(slot: 0, baseGFN: 0, pages: 100, logged: true),
            // Added in the fourth second and removed in the seventh; its id used again in the ninth.
            MemorySlot(
                slot: 1, baseGFN: 1000, pages: 50, logged: true, createdNs: 3_500_000_000, deletedNs: 6_500_000_000),
            MemorySlot(slot: 1, generation: 2, baseGFN: 1000, pages: 20, logged: true, createdNs: 8_500_000_000),
        ]
        var options = ConvergenceOptions()
        for (start, pages) in [(0, 100), (3, 100), (4, 150), (6, 150), (7, 100), (9, 120)] as [(Int64, Int64)] {
            options.start = .at(start * 1_000_000_000)
            #expect(try Convergence.grid(recording, options: options).memoryPages == pages, "at \(start) s")
        }
        // Of a guest of others a slot is met when it is first used: it may have been there all the time.
        recording.info.guestKind = "attached"
        recording.slots[2].createdNs = 8_500_000_000
        options.start = .first
        #expect(try Convergence.grid(recording, options: options).memoryPages == 120)
    }

    @Test func `policies stop where they say`() {
        // 10 pages/s for 1 s: ten pages are the limit, which QEMU must stay below.
        let limit = Rational(bandwidth: 10 * 4096, nanoseconds: 1_000_000_000)
        #expect(MigrationPolicy.qemu.largestStoppable(rounds: 0, limitBytes: limit, pageSize: 4096) == 9)
        #expect(MigrationPolicy.cloudHypervisor.largestStoppable(rounds: 0, limitBytes: limit, pageSize: 4096) == 10)
        #expect(MigrationPolicy.xen.largestStoppable(rounds: 4, limitBytes: limit, pageSize: 4096) == 49)
        #expect(MigrationPolicy.xen.largestStoppable(rounds: 5, limitBytes: limit, pageSize: 4096) == .max)
        let part = Rational(bandwidth: 10 * 4096 + 1, nanoseconds: 1_000_000_000)
        #expect(MigrationPolicy.qemu.largestStoppable(rounds: 0, limitBytes: part, pageSize: 4096) == 10)
        let huge = Rational(bandwidth: .max, nanoseconds: .max)
        #expect(MigrationPolicy.qemu.largestStoppable(rounds: 0, limitBytes: huge, pageSize: 4096) > 1 << 52)
    }

    @Test func `least bandwidth is the least that converges`() throws {
        let recording = Recordings.plain((0..<400).map { _ in Array(GFN(0)..<10) }, memoryPages: 100)
        var options = ConvergenceOptions()
        options.bandwidths = []
        options.downtimesNs = [1_000_000_000]
        let report = try Convergence.grid(recording, options: options)
        let least = try #require(report.leastBandwidth.first)
        // 10 pages must take less than 1 s to send.
        let bandwidth = try #require(least.bandwidth)
        #expect(bandwidth > 10 * 4096 && bandwidth <= 10 * 4096 * 1001 / 1000 + 1)
        #expect(least.average == Bracket(low: 10 * 4096, high: 10 * 4096))
    }
}
