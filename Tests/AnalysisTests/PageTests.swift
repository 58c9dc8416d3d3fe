import Model
import TestSupport
import Testing

@testable import Analysis

/// Questions about entries and pages against the obvious, on 300 random recordings.
@Suite struct PageTests {
    private struct Ring: Hashable { var id: Int }

    @Test func `every entry falls into one class, per iteration, per ring and overall`() throws {
        for seed in WindowTests.seeds {
            let recording = Recordings.random(seed)
            var classifier = DuplicateClassifier()
            var epochs = ProtectionEpochs()
            var index = PageIndex()
            var overall = DuplicateCounts()
            let analysis = try Analyzer.analyze(recording)
            for (batch, bucket) in zip(recording.batches, analysis.timeline) {
                // What the definition says, by lists of earlier reports.
                var seen: [GFN: [(ring: Int32, provisional: Bool, epoch: UInt16)]] = [:]
                var counts = DuplicateCounts()
                classifier.beginIteration()
                for (harvest, gfns) in batch.harvests {
                    let ring = harvest.ring
                    let epoch = epochs.epoch(of: harvest)
                    for (place, gfn) in gfns.enumerated() {
                        let provisional = place >= gfns.count - harvest.provisionalCount
                        _ = classifier.classify(
                            page: index.insert(gfn), ring: ring, provisional: provisional, epoch: epoch)
                        counts.entries += 1
                        let earlier = seen[gfn, default: []]
                        if earlier.isEmpty {
                            counts.distinct += 1
                        } else if ring == -2 {
                            counts.vmm += 1
                        } else if let last = earlier.last(where: { $0.ring == ring }) {
                            if last.provisional {
                                counts.provisional += 1
                            } else if last.epoch != epoch {
                                counts.redirtied += 1
                            } else {
                                counts.sameRing += 1
                            }
                        } else {
                            counts.crossRing += 1
                        }
                        seen[gfn, default: []].append((ring, provisional, epoch))
                    }
                }
                #expect(bucket.duplicates == counts, "seed \(seed)")
                #expect(bucket.duplicates == classifier.counts, "seed \(seed): DuplicateClassifier differs")
                overall += counts
            }
            #expect(analysis.duplicates == overall)
            let repeats = overall.crossRing + overall.redirtied + overall.sameRing + overall.provisional + overall.vmm
            #expect(overall.entries == overall.distinct + repeats)
            var rings = DuplicateCounts()
            for ring in analysis.rings { rings += ring.duplicates }
            #expect(rings == overall)
        }
    }

    @Test func `the sharing matrix counts pages that two vCPUs dirtied in one iteration`() throws {
        for seed in WindowTests.seeds {
            let recording = Recordings.random(seed)
            var pairs: [[Int]: Int64] = [:]
            var sharedIterations: [GFN: Int64] = [:]
            for batch in recording.batches {
                var rings: [GFN: Set<Int>] = [:]
                for (harvest, gfns) in batch.harvests {
                    for gfn in gfns { rings[gfn, default: []].insert(Int(harvest.ring)) }
                }
                for (gfn, set) in rings {
                    if set.count > 1 { sharedIterations[gfn, default: 0] += 1 }
                    for one in set where one >= 0 {
                        for other in set where other > one { pairs[[one, other], default: 0] += 1 }
                    }
                }
            }
            let analysis = try Analyzer.analyze(recording)
            let found = Dictionary(
                uniqueKeysWithValues: analysis.sharing.pairs.map { ([$0.first, $0.second], $0.pages) })
            #expect(found == pairs, "seed \(seed)")
            #expect(analysis.sharing.pages == Int64(sharedIterations.count))
            for page in analysis.sharing.topPages { #expect(page.sharedIterations == sharedIterations[page.gfn]) }
        }
    }

    @Test func `the hottest pages are those of the most iterations`() throws {
        for seed in WindowTests.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            let entries = recording.batches.flatMap { $0.harvests.flatMap(\.gfns) }
            let expected = reference.all.map { gfn in
                (
                    gfn: gfn, iterations: reference.sets.filter { $0.contains(gfn) }.count,
                    entries: entries.filter { $0 == gfn }.count
                )
            }.sorted { ($1.iterations, $1.entries, $0.gfn) < ($0.iterations, $0.entries, $1.gfn) }
            let found = try Analyzer.analyze(recording).hottestPages
            #expect(found.map(\.gfn) == expected.prefix(16).map(\.gfn), "seed \(seed)")
            #expect(found.map(\.iterations) == expected.prefix(16).map { Int64($0.iterations) })
            #expect(found.map(\.entries) == expected.prefix(16).map { Int64($0.entries) })
            for page in found {
                #expect(
                    page.firstIteration == reference.sets.firstIndex { $0.contains(page.gfn) }.map { Int64($0 + 1) })
                #expect(page.lastIteration == reference.sets.lastIndex { $0.contains(page.gfn) }.map { Int64($0 + 1) })
            }
        }
    }

    @Test func `hot lists are those dirtied in enough iterations`() throws {
        for seed in WindowTests.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            let n = reference.sets.count
            let iterations = reference.all.map { page in reference.sets.filter { $0.contains(page) }.count }
            for list in try Analyzer.analyze(recording).hotLists {
                let hot = iterations.filter { Double($0) >= list.iterationShare * Double(n) - 1e-9 }
                #expect(list.pages == Int64(hot.count))
                #expect(list.bytesSaved == Int64(hot.reduce(0) { $0 + $1 - 1 }) * 4096)
            }
        }
    }

    @Test func `rings of other sizes leave the guest once a soft limit`() throws {
        for seed in 0..<50 as Range<UInt64> {
            var random = Seeded(seed)
            var recording = MemoryRecording()
            var expected: [Int: Int64] = [:]
            for iteration in 1...3 as ClosedRange<Int64> {
                var batch = IterationBatch(
                    iteration: Iteration(id: iteration, startNs: (iteration - 1) * 10, endNs: iteration * 10))
                for vcpu in 0..<2 {
                    let count = Int.random(in: 0...3000, using: &random)
                    let gfns = (0..<count).map { UInt64($0) }
                    batch.harvests.append(
                        (
                            Harvest(
                                iteration: iteration, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: 0,
                                tsNs: 1,
                                entryCount: count), gfns
                        ))
                    for size in [256, 512, 1024, 2048, 4096] {
                        expected[size, default: 0] += Int64(count / (size - 64))
                    }
                }
                recording.batches.append(batch)
            }
            for size in try Analyzer.analyze(recording).ringWhatIf {
                #expect(size.fullExits == expected[size.ringEntries] ?? 0)
            }
        }
    }

    @Test func `harvests at longer intervals keep the entries of each page's first iteration`() throws {
        for seed in WindowTests.seeds {
            var recording = Recordings.random(seed)
            recording.info.pml = false
            for whatIf in try Analyzer.analyze(recording).harvestWhatIf {
                var entries: Int64 = 0
                for first in stride(from: 0, to: recording.batches.count, by: Int(whatIf.iterations)) {
                    var dirty: Set<GFN> = []
                    for batch in recording.batches[first..<min(first + Int(whatIf.iterations), recording.batches.count)]
                    {
                        var latest: [Int32: [GFN: Bool]] = [:]
                        for (harvest, gfns) in batch.harvests {
                            let ring = harvest.ring
                            for (place, gfn) in gfns.enumerated() {
                                let isRetried = latest[ring, default: [:]][gfn] == true && ring != -2
                                latest[ring, default: [:]][gfn] = place >= gfns.count - harvest.provisionalCount
                                if !isRetried, !dirty.contains(gfn) { entries += 1 }
                            }
                        }
                        dirty.formUnion(batch.harvests.flatMap(\.gfns))
                    }
                }
                #expect(whatIf.entries == entries, "seed \(seed), \(whatIf.iterations) ticks")
            }
            #expect(
                try Analyzer.analyze(recording).harvestWhatIf.map(\.iterations)
                    == [1, 2, 4, 8, 16].filter { $0 <= Int64(recording.batches.count) })
        }
    }

    @Test func `a ring harvested every second iteration fills with two iterations' pages, each once`() throws {
        // 150 pages an iteration, of which the second of each pair repeats 50: 250 fill a ring of 256 (192 + 64) once.
        let iterations = (0..<6).map { iteration in (0..<GFN(150)).map { $0 + (iteration % 2 == 0 ? 0 : 100) } }
        var recording = Recordings.plain(iterations)
        recording.info.pml = false
        let found = try Analyzer.analyze(recording).harvestWhatIf
        #expect(found.map(\.iterations) == [1, 2, 4])
        #expect(found.map(\.entries) == [900, 750, 500])
        #expect(found.map(\.intervalNs) == [1_000_000_000, 2_000_000_000, 4_000_000_000])
        #expect(found.map { $0.rings[0].ringEntries } == [256, 256, 256])
        #expect(found.map { $0.rings[0].fullExits } == [0, 3, 2])
        #expect(found.map { $0.rings[0].affectedIntervals } == [0, 3, 2])
    }

    @Test func `order finds ascending runs, strides and reversed batches`() throws {
        func order(_ gfns: [GFN]) throws -> RingOrder {
            try #require(try Analyzer.analyze(Recordings.plain([gfns])).order.rings.first)
        }
        let ascending = Array(GFN(0)..<2048)
        #expect(try order(ascending).verdict == .ascending)
        #expect(try order(ascending).meanAscendingRun == 2048)
        #expect(try order(ascending).stride == 1)
        let reversed = (0..<4).flatMap { batch in (0..<GFN(512)).map { GFN(batch * 512 + 511) - $0 } }
        #expect(try order(reversed).verdict == .reversedBatches)
        #expect(try order(reversed).longestDescendingRun == 512)
        #expect(try order(ascending.reversed()).verdict == .descending)
        #expect(try order(ascending.map { $0 * 7 }).stride == 7)
        #expect(try order([1, 5, 2]).verdict == .unknown)
        #expect(try order((0..<100).map { $0 % 2 == 0 ? 100 + $0 : $0 }).verdict == .mixed)
    }

    @Test func `order across rings is known where harvest intervals do not overlap`() throws {
        var recording = MemoryRecording()
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 30))
        for (vcpu, since, ts, count) in [(0, 0, 10, 2), (1, 0, 20, 3), (0, 10, 30, 4), (1, 20, 30, 5)] {
            batch.harvests.append(
                (
                    Harvest(
                        iteration: 1, source: .dirtyRing, vcpu: vcpu, cause: .ringFull, sinceNs: Int64(since),
                        tsNs: Int64(ts), entryCount: count), (0..<count).map { UInt64($0) }
                ))
        }
        recording.batches = [batch]
        // Pairs of two rings: (2+4)·(3+5) = 48. Ordered: vCPU 0's first harvest before vCPU 1's second, 2·5.
        let order = try Analyzer.analyze(recording).order
        #expect(order.crossRingPairs == 48)
        #expect(order.orderedPairs == 10)
    }
}
