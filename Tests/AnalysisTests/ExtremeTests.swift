import Model
import Testing

@testable import Analysis

/// Values that a file may hold, at their ends: nothing traps. The reader refuses times and amounts beyond 2^60.
@Suite struct ExtremeTests {
    @Test func `extremes of times, sizes and counts trap nothing`() throws {
        let most: Int64 = 1 << 60
        var options = AnalysisOptions()
        options.convergence.bandwidths = [1, .max]
        options.convergence.downtimesNs = [0, 1, .max]
        options.convergence.policies = MigrationPolicy.allCases
        options.convergence.qemu = QEMUStreamOptions()
        options.convergence.maxRounds = 10
        options.tausNs = [1, .max]
        for iterations in [0, 1, 2, 5] {
            for (start, length) in [(0, 0), (0, most), (most, 0), (0, 1)] as [(Int64, Int64)] {
                var recording = MemoryRecording()
                (
                    recording.info.vcpuCount, recording.info.memoryBytes, recording.info.ringEntries,
                    recording.info.intervalNs
                ) = (
                    0, 0, 0, most
                )
                (recording.info.pml, recording.info.kernel) = (true, iterations == 5 ? "6." : "99999999999999999999.1")
                for id in 1..<Int64(iterations + 1) {
                    // Only the last iteration takes its time: sums of durations stay below 2^60.
                    let end = id == Int64(iterations) ? max(start, length) : start
                    var batch = IterationBatch(iteration: Iteration(id: id, startNs: start, endNs: end))
                    for vcpu in [nil, 0, Int.max] as [Int?] {
                        let gfns = [largestGFN, 0, largestGFN - 1, 0]
                        batch.harvests.append(
                            (
                                Harvest(
                                    iteration: id, source: vcpu == nil ? .dirtyLog : .dirtyRing, vcpu: vcpu,
                                    cause: .ringFull, sinceNs: end, tsNs: start, entryCount: 4, provisionalCount: 4),
                                gfns
                            ))
                    }
                    recording.batches.append(batch)
                }
                recording.slots = [
                    MemorySlot(slot: 0, baseGFN: 0, pages: 0, logged: true),
                    MemorySlot(slot: 1, baseGFN: largestGFN, pages: largestGFN, logged: true, deletedNs: 0),
                ]
                for extend in ConvergenceOptions.Extension.allCases {
                    options.convergence.extend = extend
                    options.convergence.start = iterations == 2 ? .all : .first
                    let analysis = try Analyzer.analyze(recording, options: options)
                    #expect(analysis.counts.iterations == Int64(iterations))
                    #expect(!analysis.figures.isEmpty)
                }
                _ = try DirtyMap(recording)
            }
        }
    }
}
