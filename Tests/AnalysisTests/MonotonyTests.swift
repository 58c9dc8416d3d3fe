import Model
import TestSupport
import Testing

@testable import Analysis

/// More bandwidth, or a longer downtime limit, is never worse for a guest that repeats itself.
@Suite struct MonotonyTests {
    private func rank(_ verdict: ConvergenceVerdict) -> Int {
        verdict == .converges ? 2 : verdict == .mayConverge ? 1 : 0
    }

    /// A guest that does the same in every iteration: a hot set, written once over by one to three vCPUs.
    private func steady(_ seed: UInt64) -> MemoryRecording {
        var random = Seeded(seed)
        let memory = Int64.random(in: 50...1500, using: &random)
        let hot = Int64.random(in: 1...memory, using: &random)
        let ms = Int64.random(in: 5...200, using: &random)
        let vcpus = Int.random(in: 1...3, using: &random)
        let pages = (0..<hot).map { _ in GFN.random(in: 0..<GFN(memory), using: &random) }
        let late = Int64.random(in: 0...20_000, using: &random)
        var recording = MemoryRecording()
        recording.info.memoryBytes = memory * 4096
        recording.info.endReason = .duration
        for iteration in 1...Int64.random(in: 4...20, using: &random) {
            let (start, end) = ((iteration - 1) * ms * 1_000_000, iteration * ms * 1_000_000)
            var batch = IterationBatch(iteration: Iteration(id: iteration, startNs: start, endNs: end))
            for vcpu in 0..<vcpus {
                let gfns = stride(from: vcpu, to: pages.count, by: vcpus).map { pages[$0] }
                // Harvests begin a little before the iteration before has ended.
                batch.harvests.append(
                    (
                        Harvest(
                            iteration: iteration, source: .dirtyRing, vcpu: vcpu, cause: .periodic,
                            sinceNs: max(0, start - late), tsNs: end, entryCount: gfns.count), gfns
                    ))
            }
            recording.batches.append(batch)
        }
        return recording
    }

    private func checkRanks(_ ranks: [Int], limits: Int, _ context: String) {
        for place in ranks.indices {
            if place >= limits { #expect(ranks[place] >= ranks[place - limits], "\(context): more bandwidth") }
            if place % limits > 0 { #expect(ranks[place] >= ranks[place - 1], "\(context): a longer limit") }
        }
    }

    @Test func `more is never worse, and the two replays contradict each other only with a reason`() throws {
        for seed in UInt64(0)..<12 {
            let recording = steady(seed)
            var options = ConvergenceOptions()
            options.bandwidths = (0..<6).map { Int64(2_000_000) << (2 * $0) }
            options.downtimesNs = [10_000_000, 50_000_000, 100_000_000, 300_000_000]
            options.extend = .loop
            let gathered = try Gathered(recording)
            let memory = try LoggedMemory(recording, dirtyPages: 0)
            let clock = ReplayClock(
                gathered.pass, table: gathered.windows, extend: .loop, memoryPages: memory.pages(at: 0).pages)
            let replayer = Replayer(clock: clock, pageSize: 4096)
            let streams = try QEMUStreamReplay.run(
                recording, gathered, memory: memory, options: options, assuming: QEMUStreamOptions())
            checkRanks(streams.map { rank($0.verdict) }, limits: 4, "seed \(seed), stream")
            for policy in MigrationPolicy.allCases {
                let outcomes = options.bandwidths.flatMap { bandwidth in
                    options.downtimesNs.map {
                        replayer.run(
                            Scenario(bandwidth: bandwidth, downtimeNs: $0, policy: policy, maxRounds: 100), start: 0)
                    }
                }
                checkRanks(outcomes.map { rank($0.verdict) }, limits: 4, "seed \(seed), \(policy)")
                guard policy == .qemu else { continue }
                for (outcome, stream) in zip(outcomes, streams) {
                    let cell = ConvergenceCell(
                        bandwidth: stream.bandwidth, downtimeNs: stream.downtimeNs, policy: .qemu, outcome: outcome,
                        lambda: LambdaModel(memoryBytes: 1, dirtyBytesPerSecond: 1, bandwidth: 1, downtimeNs: 1))
                    let pair = (outcome.verdict, stream.verdict)
                    if pair == (.converges, .doesNotConverge) || pair == (.doesNotConverge, .converges) {
                        #expect(stream.explained(against: cell).reason != nil, "seed \(seed), \(stream)")
                    }
                }
            }
        }
    }

    @Test func `what a fast link sends within QEMU's first window is paused at once`() throws {
        // The demo's guest: 64 MiB take 54 ms at 10 Gbit/s. QEMU knows no bandwidth before 100 ms are over.
        let recording = Recordings.plain(
            Array(repeating: Array(GFN(0)..<3000), count: 50), iterationNs: 100_000_000, memoryPages: 16_384)
        var options = ConvergenceOptions()
        options.bandwidths = [1_250_000_000, 12_500_000_000]
        options.downtimesNs = [300_000_000]
        options.qemu = QEMUStreamOptions()
        options.namesBlockingPages = false
        for extend in [ConvergenceOptions.Extension.none, .loop] {
            options.extend = extend
            let streams = try Convergence.grid(recording, options: options).streams
            #expect(streams.map(\.verdict) == [.converges, .converges])
            #expect(streams.map(\.isPausedAtOnce) == [true, true])
            // What the guest wrote in these 54 ms is left for the pause.
            #expect(streams[0].dirtyPages.last.map { (1500...1700).contains($0) } == true, "\(streams[0])")
            #expect(streams[0].downtimeNsActual.map { (4_000_000...7_000_000).contains($0) } == true, "\(streams[0])")
        }
    }
}
