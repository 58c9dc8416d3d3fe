import Model
import TestSupport
import Testing

@testable import Analysis

/// Estimates of what pages hold, from samples of a population that is known.
@Suite struct ContentEstimateTests {
    private static let cadence: Int64 = 3_000_000_000
    private static let pages = 3000

    /// Twelve iterations of one second in which pages are dirtied, some often, with contents from a few shapes, many of them shared:
    /// by what a page is, so that whole pages are alike or not.
    private static let population: [[PageContent]] = {
        var random = Seeded(5)
        return (1...12).map { iteration in
            (0..<pages).filter { page in Int.random(in: 0..<100, using: &random) < (page % 7 == 0 ? 80 : 10) }.map {
                page in
                let kind = UInt64(page) % 10
                // A tenth zero, two tenths alike in groups of ten, three in pairs, the rest by themselves.
                let hash: UInt64 =
                    switch kind {
                    case 0: 0
                    case 1, 2: 1000 + UInt64(page) / 100
                    case 3, 4, 5: 100_000 + UInt64(page) / 20 * 10 + kind
                    default: 1_000_000 + UInt64(page) * 100 + UInt64(iteration)
                    }
                let words = kind == 0 ? 0 : Int64.random(in: 0...40, using: &random)
                return PageContent(
                    iteration: Int64(iteration), gfn: GFN(page),
                    digest: PageContent.Digest(
                        isZero: kind == 0, change: .init(words: words, xbzrleBytes: words * 10),
                        zstdBytes: kind == 0 ? 20 : Int64.random(in: 300...4000, using: &random), hash: hash))
            }
        }
    }()

    private func report(looking isLooked: (GFN) -> Bool) throws -> SnapshotReport {
        var recording = Recordings.plain(Self.population.map { $0.map(\.gfn) })
        for place in recording.batches.indices {
            recording.batches[place].contents = Self.population[place].filter { isLooked($0.gfn) }
        }
        var options = SnapshotOptions()
        options.cadencesNs = [Self.cadence]
        return try Snapshots.report(recording, options: options)
    }

    @Test func `without a look there is no estimate`() throws {
        #expect(try report { _ in false }.contents.isEmpty)
    }

    @Test func `the truth is within the error of nineteen samples in twenty`() throws {
        let truth = try report { _ in true }.contents
        #expect(truth.count == ContentEstimate.Form.allCases.count)
        #expect(truth.allSatisfy { $0.error == 0 && $0.looked == $0.pages })
        var misses: [ContentEstimate.Form: Int] = [:]
        let samples = 200
        for sample in 0..<samples {
            var random = Seeded(UInt64(sample) + 1)
            let chosen = Set((0..<GFN(Self.pages)).filter { _ in Int.random(in: 0..<8, using: &random) == 0 })
            let estimates = try report(looking: chosen.contains).contents
            for (right, estimate) in zip(truth, estimates) {
                #expect(estimate.looked < estimate.pages / 4)
                let error = try #require(estimate.error)
                // What every page says is a bracket itself: each end has its error.
                let isIn =
                    right.form == .distinct
                    ? estimate.low - error <= right.low && right.high <= estimate.high + error
                    : abs(estimate.low - right.low) <= error && abs(estimate.high - right.high) <= error
                if !isIn { misses[right.form, default: 0] += 1 }
                if right.form != .distinct { #expect(error < 0.2 * Double(estimate.whole)) }
            }
        }
        // Of 200 samples 10 may miss; two ends of a bracket may miss twice, and twice as many are luck.
        for (form, count) in misses { #expect(count <= samples / 10, "\(form): \(count) of \(samples)") }
    }

    @Test func `a page that goes and comes back in a diff is unchanged`() throws {
        func content(_ iteration: Int64, _ hash: UInt64, _ words: Int64) -> PageContent {
            PageContent(
                iteration: iteration, gfn: 7,
                digest: PageContent.Digest(
                    isZero: false, change: .init(words: words, xbzrleBytes: words * 12), zstdBytes: 100, hash: hash))
        }
        var recording = Recordings.plain([[7], [7], [7], [7]])
        recording.batches[0].contents = [content(1, 1, 2)]
        recording.batches[1].contents = [content(2, 2, 3)]
        recording.batches[2].contents = [content(3, 1, 3)]
        recording.batches[3].contents = [content(4, 2, 3)]
        var options = SnapshotOptions()
        options.cadencesNs = [2_000_000_000]
        let bytes = Dictionary(
            uniqueKeysWithValues: try Snapshots.report(recording, options: options).contents.map { ($0.form, $0) })
        // First diff: 2 and 3 words changed, at least one, at most five. Second: away and back to what the first ended with.
        #expect(bytes[.changed]?.low == 4096 && bytes[.changed]?.high == 4096)
        #expect(bytes[.xbzrle]?.low == 3 && bytes[.xbzrle]?.high == 60)
        #expect(bytes[.distinct]?.low == 8192 && bytes[.whole]?.high == 8192)
    }

    @Test func `what a page held before its first look is between nothing and all`() throws {
        func content(_ iteration: Int64, _ change: PageContent.Change?) -> PageContent {
            PageContent(
                iteration: iteration, gfn: 7,
                digest: PageContent.Digest(isZero: false, change: change, zstdBytes: 100, hash: 1))
        }
        var recording = Recordings.plain([[7], [7]])
        // Of a guest that was attached to; in the second diff it holds what it held at the end of the first.
        recording.batches[0].contents = [content(1, nil)]
        recording.batches[1].contents = [content(2, .init(words: 0, xbzrleBytes: 0))]
        var options = SnapshotOptions()
        options.cadencesNs = [1_000_000_000]
        let bytes = Dictionary(
            uniqueKeysWithValues: try Snapshots.report(recording, options: options).contents.map { ($0.form, $0) })
        #expect(bytes[.changed]?.low == 0 && bytes[.changed]?.high == 4096)
        #expect(bytes[.xbzrle]?.low == 0 && bytes[.xbzrle]?.high == 4096)
        #expect(bytes[.zstd]?.low == 200 && bytes[.zstd]?.high == 200)
    }

    @Test func `looks that failed or came early are told`() throws {
        var recording = Recordings.plain([[7], [7]])
        recording.info.labels = [RecordingInfo.contentUnseenKey: "3", RecordingInfo.contentEarlyKey: "x"]
        let report = try Snapshots.report(recording, options: SnapshotOptions())
        #expect((report.looksFailed, report.looksEarly) == (3, 0))
    }
}
