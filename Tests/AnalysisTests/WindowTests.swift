import Model
import TestSupport
import Testing

@testable import Analysis

/// Each window question against sets, on 300 random recordings.
@Suite struct WindowTests {
    static let seeds = Array(UInt64(0)..<300)

    @Test func `every window of every recording counts its distinct pages`() throws {
        for seed in Self.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            let table = try Gathered(recording).windows
            #expect(table.boundaries == reference.boundaries)
            for last in 0...table.groups {
                for first in 0...last {
                    #expect(
                        table.pages(after: first, through: last) == Int64(reference.window(first, last).count),
                        "seed \(seed), window \(first)..\(last)")
                }
            }
        }
    }

    @Test func `merged boundaries stay exact`() throws {
        for seed in Self.seeds {
            var random = Seeded(seed)
            let iterations = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Set((0..<Int.random(in: 0...6, using: &random)).map { _ in Int.random(in: 0..<12, using: &random) })
            }
            var builder = WindowTableBuilder(capacity: 8)
            builder.start(at: 0)
            var lastIteration = [Int](repeating: 0, count: 12)
            for (place, pages) in iterations.enumerated() {
                let group = (UInt32(1) << builder.shift) - 1
                for page in pages { builder.row[Int((UInt32(lastIteration[page]) + group) >> builder.shift)] += 1 }
                for page in pages { lastIteration[page] = place + 1 }
                builder.endIteration(at: Int64(place + 1) * 10)
            }
            let table = builder.finish()
            #expect(table.groups <= 8)
            #expect(table.boundaries.last == Int64(iterations.count) * 10)
            for last in 0...table.groups {
                for first in 0...last {
                    let range =
                        min(
                            first * table.iterationsPerGroup, iterations.count)..<min(
                            last * table.iterationsPerGroup, iterations.count)
                    let union = iterations[range].reduce(Set<Int>()) { $0.union($1) }
                    #expect(table.pages(after: first, through: last) == Int64(union.count), "seed \(seed)")
                }
            }
        }
    }

    @Test func `working sets on iterations are percentiles over all windows`() throws {
        for seed in Self.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            let windows = try Analyzer.analyze(recording).workingSet
            let n = reference.sets.count
            #expect(windows.map(\.iterations) == [1, 2, 5, 10].filter { $0 <= n })
            for window in windows {
                let w = window.iterations ?? 0
                let counts = (w...n).map { Int64(reference.window($0 - w, $0).count) }
                let span = (w...n).map { reference.boundaries[$0] - reference.boundaries[$0 - w] }
                #expect(window.high == window.low)
                #expect(window.windows == n - w + 1)
                #expect(window.tauNs == Int64((Double(span.reduce(0, +)) / Double(span.count)).rounded()))
                #expect(window.high.min == counts.min())
                #expect(window.high.p50 == Reference.percentile(50, counts))
                #expect(window.high.p90 == Reference.percentile(90, counts))
                #expect(window.high.p95 == Reference.percentile(95, counts))
                #expect(window.high.max == counts.max())
            }
        }
    }

    @Test func `working sets asked in time are brackets of whole iterations`() throws {
        for seed in Self.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            let ends = reference.boundaries
            var options = AnalysisOptions()
            options.tausNs = [100, 333]
            let asked = try Analyzer.analyze(recording, options: options).workingSet.filter { $0.iterations == nil }
            for tau in options.tausNs {
                var low: [Int64] = []
                var high: [Int64] = []
                for last in ends.indices.dropFirst() where ends[last] - tau >= ends[0] {
                    let begin = ends[last] - tau
                    let touching = (1...last).filter { ends[$0] > begin }
                    let inside = (1...last).filter { ends[$0 - 1] >= begin }
                    high.append(Int64(Set(touching.flatMap { reference.sets[$0 - 1] }).count))
                    low.append(Int64(Set(inside.flatMap { reference.sets[$0 - 1] }).count))
                }
                let window = asked.first { $0.tauNs == tau }
                #expect((window == nil) == high.isEmpty)
                guard let window else { continue }
                #expect(window.windows == high.count)
                #expect(window.high.min == high.min() && window.high.max == high.max())
                #expect(window.low.min == low.min() && window.low.max == low.max())
                #expect(window.high.p95 == Reference.percentile(95, high))
                #expect(window.low.p50 == Reference.percentile(50, low))
            }
        }
    }

    @Test func `the footprint is the average over all windows, for every length`() throws {
        for seed in Self.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            let n = reference.sets.count
            for point in try Analyzer.analyze(recording).footprint {
                let w = Int(point.iterations)
                let sum = (w...n).reduce(Int64(0)) { $0 + Int64(reference.window($1 - w, $1).count) }
                #expect(point.sum == sum && point.windows == Int64(n - w + 1), "seed \(seed), w \(w)")
            }
        }
    }

    @Test func `re-dirty intervals are counted page by page`() throws {
        for seed in Self.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            var counts: [Int64: Int64] = [:]
            var once: Int64 = 0
            for page in reference.all {
                let iterations = reference.sets.indices.filter { reference.sets[$0].contains(page) }
                if iterations.count == 1 { once += 1 }
                for (one, next) in zip(iterations, iterations.dropFirst()) {
                    counts[Int64(next - one), default: 0] += 1
                }
            }
            let redirty = try Analyzer.analyze(recording).redirty
            #expect(redirty.neverRedirtied == once)
            #expect(Dictionary(uniqueKeysWithValues: redirty.buckets.map { ($0.iterations, $0.count) }) == counts)
        }
    }

    @Test func `granularity counts larger units`() throws {
        for seed in Self.seeds {
            let recording = Recordings.random(seed)
            let pages = Reference(recording).all
            for unit in try Analyzer.analyze(recording).granularity {
                let units = Set(pages.map { $0 / UInt64(unit.bytes / 4096) })
                #expect(unit.units == Int64(units.count))
                let expected = Double(units.count) * Double(unit.bytes / 4096) / Double(max(1, pages.count))
                #expect(unit.amplification == expected)
            }
        }
    }

    @Test func `checkpoints hold the distinct pages of their stretch`() throws {
        for seed in Self.seeds {
            let recording = Recordings.random(seed)
            let reference = Reference(recording)
            let n = reference.sets.count
            for checkpoint in try Analyzer.analyze(recording).checkpoints {
                let step = Int(checkpoint.iterations)
                let sizes = stride(from: 0, to: n, by: step).map {
                    Int64(reference.window($0, min($0 + step, n)).count)
                }
                #expect(checkpoint.count == Int64(sizes.count))
                #expect(checkpoint.pages == sizes.reduce(0, +))
                #expect(checkpoint.chainBytes == sizes.reduce(0, +) * 4096)
                #expect(checkpoint.largestBytes == (sizes.max() ?? 0) * 4096)
                var sum: Int64 = 0
                let memory = recording.info.memoryBytes / 4096
                let every = sizes.firstIndex { size in
                    sum += size
                    return sum >= memory
                }
                #expect(checkpoint.fullEvery == every.map { Int64($0 + 1) })
            }
        }
    }
}
