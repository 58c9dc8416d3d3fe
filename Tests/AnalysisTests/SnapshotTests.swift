import Model
import TestSupport
import Testing

@testable import Analysis

/// Every figure of snapshots against sets of pages, on random recordings.
@Suite struct SnapshotTests {
    private static let page: Int64 = 4096

    /// One diff, counted the slow way.
    private struct Diff {
        var pages: Set<GFN>
        var ns: Int64

        /// Blocks, extents and bytes; `reach` in bytes.
        func held(_ block: Int64, _ reach: Int64) -> (blocks: Int64, extents: Int64, bytes: Int64) {
            let blocks = Set(pages.map { $0 / GFN(block / page) }).sorted()
            var (extents, written) = (Int64(0), Int64(blocks.count))
            for (place, this) in blocks.enumerated() {
                let gap = place == 0 ? Int64.max : Int64(this - blocks[place - 1] - 1)
                if place == 0 || gap > reach / block { extents += 1 } else { written += gap }
            }
            return (Int64(blocks.count), extents, written * block)
        }
    }

    private static func union(_ sets: ArraySlice<Set<GFN>>) -> Set<GFN> {
        sets.reduce(into: Set<GFN>()) { $0.formUnion($1) }
    }

    private func diffs(_ recording: MemoryRecording, _ cadence: Int64) -> [Diff] {
        let reference = Reference(recording)
        var diffs: [Diff] = []
        var (since, pages, due) = (reference.boundaries[0], Set<GFN>(), reference.boundaries[0] + cadence)
        for (place, set) in reference.sets.enumerated() {
            pages.formUnion(set)
            let end = reference.boundaries[place + 1]
            guard end >= due else { continue }
            diffs.append(Diff(pages: pages, ns: end - since))
            (since, pages) = (end, [])
            while due <= end { due += cadence }
        }
        return diffs
    }

    @Test(arguments: [0, 4096, 8192, 65_536] as [Int64])
    func `sizes, extents, pauses and chains are those of sets`(coalesce: Int64) throws {
        for seed in UInt64(0)..<100 {
            let recording = Recordings.random(seed)
            var options = SnapshotOptions()
            options.cadencesNs = [60, 100, 250, 401]
            options.blocks = [4096, 8192, 12_288, 65_536]
            options.coalesce = coalesce
            options.cost.bytesPerSecond = 3_000_000_000
            let report = try Snapshots.report(recording, options: options)
            var seen: [Int64: Int] = [:]
            for size in report.sizes {
                seen[size.cadenceNs, default: 0] += 1
                let diffs = diffs(recording, size.cadenceNs)
                let held = diffs.map { $0.held(size.block, coalesce) }
                let pages = diffs.reduce(0) { $0 + Int64($1.pages.count) }
                let bytes = held.map(\.bytes)
                let pauses = held.map { 3_000_000 + $0.bytes / 3 + $0.extents * 20_000 }
                #expect(size.count == Int64(diffs.count), "seed \(seed)")
                #expect(size.meanNs == diffs.reduce(0) { $0 + $1.ns } / size.count)
                #expect(size.leastNs == diffs.map(\.ns).min() && size.mostNs == diffs.map(\.ns).max())
                #expect(size.blocks == held.reduce(0) { $0 + $1.blocks }, "seed \(seed), \(size.block)")
                #expect(size.extents == held.reduce(0) { $0 + $1.extents }, "seed \(seed), \(size.block)")
                #expect(size.bytes == bytes.reduce(0, +), "seed \(seed), \(size.block)")
                #expect(size.first == bytes.first && size.size.max == bytes.max())
                #expect(size.size.p50 == Reference.percentile(50, bytes))
                #expect(size.size.p95 == Reference.percentile(95, bytes))
                #expect(size.pause.p50 == Reference.percentile(50, pauses))
                #expect(size.pause.max == pauses.max())
                #expect(size.amplification == (pages == 0 ? nil : Double(size.bytes) / Double(pages * 4096)))
                let full = 3_000_000 + report.fullBytes / 3 + 20_000
                #expect(size.dearer == Int64(pauses.count { $0 > full }))
                var sum: Int64 = 0
                let rebase = bytes.firstIndex {
                    sum += $0
                    return sum >= report.fullBytes
                }
                #expect(size.rebaseEvery == rebase.map { Int64($0 + 1) })
                // At the break-even, a diff in extents of that length takes as long as the full snapshot, to the nanosecond.
                let means = held.filter { $0.extents > 0 }.map { Double($0.bytes) / Double($0.extents) }
                for (share, mean) in [(size.fullAboveShareLow, means.min()), (size.fullAboveShare, means.max())] {
                    guard let share, let mean else {
                        #expect(share == nil && mean == nil)
                        continue
                    }
                    let held = share * Double(report.fullBytes)
                    #expect(abs(3e6 + held / 3 + held / mean * 2e4 - Double(full)) < 1, "seed \(seed)")
                }
                for chain in report.chains where chain.cadenceNs == size.cadenceNs && chain.block == size.block {
                    let first = held.prefix(Int(chain.diffs))
                    #expect(first.count == Int(chain.diffs))
                    #expect(chain.restoreBytes == report.fullBytes + first.reduce(0) { $0 + $1.bytes })
                    #expect(
                        chain.restoreNs == 3_000_000 + chain.restoreBytes / 3
                            + (first.reduce(0) { $0 + $1.extents } + 1) * 20_000)
                }
            }
            for cadence in options.cadencesNs ?? [] {
                let isEmpty = recording.batches.isEmpty || diffs(recording, cadence).isEmpty
                #expect(seen[cadence] == (isEmpty ? nil : 4), "seed \(seed)")
                #expect(report.unfinishedNs.contains(cadence) == isEmpty)
            }
        }
    }

    @Test func `policies foretell what sets foretell`() throws {
        for seed in UInt64(0)..<100 {
            let recording = Recordings.random(seed)
            var options = SnapshotOptions()
            options.cadencesNs = [60, 100, 250]
            let report = try Snapshots.report(recording, options: options)
            for cadence in options.cadencesNs ?? [] where !recording.batches.isEmpty {
                let sets = diffs(recording, cadence).map(\.pages)
                let scores = report.stability.filter { $0.cadenceNs == cadence }
                guard sets.count > 1 else {
                    #expect(scores.isEmpty)
                    continue
                }
                #expect(scores.map(\.policy) == SetStability.Policy.all)
                for score in scores {
                    /// What the policy says before diff number `next`, from 0.
                    func foretold(_ next: Int) -> Set<GFN> {
                        let before = sets[..<next]
                        switch score.policy {
                        case .last(let count): return Self.union(before.suffix(count))
                        case .hot:
                            return Self.union(before)
                                .filter { page in 2 * before.count { $0.contains(page) } >= next }
                        }
                    }
                    let pairs = (1..<sets.count).map { (foretold($0), sets[$0]) }
                    #expect(
                        score.foretold == pairs.reduce(0) { $0 + Int64($1.0.count) }, "seed \(seed) \(score.policy)")
                    #expect(score.dirtied == pairs.reduce(0) { $0 + Int64($1.1.count) })
                    #expect(score.hits == pairs.reduce(0) { $0 + Int64($1.0.intersection($1.1).count) }, "seed \(seed)")
                    let list = try PrefetchList(recording, policy: score)
                    let pages = list.ranges.flatMap { range in (0..<range.pages).map { range.first + GFN($0) } }
                    #expect(pages == foretold(sets.count).sorted(), "seed \(seed) \(score.policy)")
                    #expect(
                        zip(list.ranges, list.ranges.dropFirst()).allSatisfy { $0.first + GFN($0.pages) < $1.first })
                }
            }
        }
    }

    @Test func `a list follows the first writes where their times are known`() throws {
        var recording = Recordings.plain([[1], [9, 4, 5, 6, 2], [7]], iterationNs: 100)
        for (place, times) in [[50], [110, 120, 121, 130, 115], [201]].enumerated() {
            recording.batches[place].exactTimes[0] = times.map(Int64.init)
        }
        var options = SnapshotOptions()
        options.cadencesNs = [100]
        let report = try Snapshots.report(recording, options: options)
        let last = try #require(report.stability.first { $0.policy == .last(2) })
        let list = try PrefetchList(recording, policy: last)
        #expect(list.isByTime && list.pages == 6)
        // Page 7 came 1 ns after the begin of its diff; then 9, 2, 4 and its neighbours as they were written.
        #expect(list.ranges.map(\.first) == [7, 9, 2, 4] && list.ranges.map(\.pages) == [1, 1, 1, 3])
        recording.batches[2].exactTimes = [:]
        #expect(try PrefetchList(recording, policy: last).ranges.map(\.first) == [2, 4, 9])
    }

    @Test func `forks hold the distinct pages of every window`() throws {
        for seed in UInt64(0)..<100 {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            var options = SnapshotOptions()
            options.withinNs = [90, 200, 500]
            options.forks = 7
            let report = try Snapshots.report(recording, options: options)
            let times = reference.boundaries
            for within in [90, 200, 500] as [Int64] {
                let starts = times.indices.dropLast().filter { times[$0] + within <= times[times.count - 1] }
                guard let plan = report.forks.first(where: { $0.withinNs == within }) else {
                    #expect(starts.isEmpty, "seed \(seed)")
                    continue
                }
                let high = starts.map { first in
                    Int64(reference.window(first, times.firstIndex { $0 >= times[first] + within } ?? 0).count)
                }
                let low = starts.map { first in
                    Int64(reference.window(first, times.lastIndex { $0 <= times[first] + within } ?? 0).count)
                }
                #expect(plan.starts == starts.count)
                #expect(plan.high.p95 == Reference.percentile(95, high) && plan.high.max == high.max())
                #expect(plan.low.p50 == Reference.percentile(50, low) && plan.low.max == low.max())
                #expect(plan.mean == Double(high.reduce(0, +)) / Double(high.count))
                #expect(plan.meanLow == Double(low.reduce(0, +)) / Double(low.count))
                #expect(
                    report.memory(forks: 7, pages: Double(plan.high.p95)) == report.fullBytes + 7 * plan.high.p95 * 4096
                )
            }
        }
    }

    @Test func `long chains are kept at round lengths only`() throws {
        let recording = Recordings.plain((0..<1200).map { [GFN($0 % 7)] }, memoryPages: 1000)
        var options = SnapshotOptions()
        options.cadencesNs = [1_000_000_000]
        options.blocks = [4096]
        let report = try Snapshots.report(recording, options: options)
        #expect(report.chains.map(\.diffs) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
        #expect(report.sizes[0].rebaseEvery == 1000)
    }

    @Test func `cadences that nobody asked for fit the recording`() throws {
        func chosen(_ recording: MemoryRecording) throws -> [Int64] {
            try Snapshots.report(recording).options.cadencesNs ?? []
        }
        let second: Int64 = 1_000_000_000
        // Iterations of a second: nothing shorter says more.
        #expect(
            try chosen(Recordings.plain(Array(repeating: [1, 2], count: 30))) == [second, 5 * second, 10 * second])
        // Three iterations of a nanosecond: every iteration.
        #expect(try chosen(Recordings.plain([[1], [2], [3]], iterationNs: 1)) == [1])
        #expect(try chosen(MemoryRecording()) == [1])
    }

    @Test func `hostile times and pages are answered`() throws {
        var recording = Recordings.plain([[0, .max, .max - 1], [.max, 1 << 63], []], iterationNs: 1 << 60)
        recording.info.memoryBytes = .max
        var options = SnapshotOptions()
        options.cadencesNs = [1, .max]
        options.coalesce = .max
        let report = try Snapshots.report(recording, options: options)
        #expect(report.sizes.filter { $0.cadenceNs == 1 }.allSatisfy { $0.count == 3 })
        recording.info.startNs = .min
        recording.info.endNs = .max
        _ = try Snapshots.report(recording)
    }
}
