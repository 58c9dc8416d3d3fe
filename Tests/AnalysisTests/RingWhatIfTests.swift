import Model
import TestSupport
import Testing

@testable import Analysis

/// Predictions of exits with rings of other sizes, against what rings of those sizes do with the same writes. KnownGuestTests does
/// the same with recordings under KVM.
@Suite struct RingWhatIfTests {
    /// One vCPU that writes `iterations`, in order, into a ring of so many entries that is emptied when it is full and after each iteration.
    private func recording(_ iterations: [[GFN]], ringEntries: Int) -> MemoryRecording {
        let limit = ringEntries - 64
        var recording = MemoryRecording()
        (recording.info.pml, recording.info.ringEntries) = (false, ringEntries)
        for (place, writes) in iterations.enumerated() {
            let id = Int64(place + 1)
            var batch = IterationBatch(iteration: Iteration(id: id, startNs: (id - 1) * 1000, endNs: id * 1000))
            var dirty: Set<GFN> = []
            var entries: [GFN] = []
            func harvest(_ cause: HarvestCause) {
                batch.harvests.append(
                    (
                        Harvest(
                            iteration: id, source: .dirtyRing, vcpu: 0, cause: cause, sinceNs: (id - 1) * 1000,
                            tsNs: id * 1000, entryCount: entries.count), entries
                    ))
                (dirty, entries) = ([], [])
            }
            for gfn in writes {
                if dirty.insert(gfn).inserted { entries.append(gfn) }
                if entries.count == limit { harvest(.ringFull) }
            }
            harvest(.periodic)
            recording.batches.append(batch)
        }
        return recording
    }

    private func exits(_ recording: MemoryRecording) -> Int64 {
        Int64(recording.batches.flatMap(\.harvests).count { $0.harvest.cause == .ringFull })
    }

    @Test func `a bracket holds what rings of that size do, upwards, downwards and at the recorded size`() throws {
        var narrow = 0
        for seed in UInt64(0)..<40 {
            var random = Seeded(seed)
            let pages = GFN.random(in: 100...4000, using: &random)
            let hot = GFN.random(in: 1...pages, using: &random)
            let iterations = (0..<4).map { _ in
                (0..<Int.random(in: 0...6000, using: &random)).map { _ in
                    GFN.random(in: 0..<(Bool.random(using: &random) ? hot : pages), using: &random)
                }
            }
            for recorded in [256, 512, 2048] {
                let predicted = try Analyzer.analyze(recording(iterations, ringEntries: recorded)).ringWhatIf
                for size in predicted {
                    let real = exits(recording(iterations, ringEntries: size.ringEntries))
                    let context = "seed \(seed), \(recorded) to \(size.ringEntries): \(size.exits), \(real)"
                    #expect(size.fullExits <= real, "\(context)")
                    if let most = size.mostFullExits { #expect(real <= most, "\(context)") }
                    #expect(size.isRecorded == (size.ringEntries == recorded))
                    if size.isRecorded { #expect(size.exits.isExact, "\(context)") }
                    if size.ringEntries > recorded { #expect(size.mostFullExits != nil, "\(context)") }
                    if size.exits.isExact { narrow += 1 }
                }
            }
        }
        #expect(narrow > 400)
    }

    @Test func `pages that a small ring logged again and again do not fill a large one`() throws {
        // 1,000 pages, written 40 times in an iteration: 448 at a time fill a ring of 512 89 times; one of 2,048 never fills.
        let iterations = [(0..<40).flatMap { _ in Array(GFN(0)..<1000) }]
        let small = recording(iterations, ringEntries: 512)
        #expect(exits(small) == 89)
        let large = try #require(try Analyzer.analyze(small).ringWhatIf.first { $0.ringEntries == 2048 })
        // What is logged again could be 2,048 different pages, for all that the ring says; it is known that none is needed.
        #expect(large.fullExits == 0 && exits(recording(iterations, ringEntries: 2048)) == 0)
    }
}
