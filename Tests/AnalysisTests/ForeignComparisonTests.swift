import Model
import Testing

@testable import Analysis

@Suite struct ForeignComparisonTests {
    /// Three iterations of 1 s with 1, 2 and 3 entries, and `count` rates, each of one iteration in turn.
    private func recording(rates count: Int) -> MemoryRecording {
        var recording = Recordings.plain([[7], [7, 8], [7, 8, 7]])
        recording.batches[2].foreignRates = (0..<count).map {
            let start = Int64($0 % 3) * 1_000_000_000
            return ForeignRate(
                tool: "other", vcpu: nil, sinceNs: start, tsNs: start + 1_000_000_000, bytesPerSecond: 4096, quantum: 0)
        }
        return recording
    }

    @Test(arguments: [0, 1, 64, 65, 512])
    func `each rate has the entries of its own window`(count: Int) throws {
        let analysis = try Analyzer.analyze(recording(rates: count))
        #expect(analysis.foreignRates.map(\.entries) == (0..<count).map { Int64($0 % 3 + 1) })
        #expect(analysis.foreignRates.map(\.pages) == (0..<count).map { [1, 2, 2][$0 % 3] })
        #expect(analysis.foreignRatesLeftOut == 0)
    }

    @Test func `rates beyond the limit are counted`() throws {
        let analysis = try Analyzer.analyze(recording(rates: 600))
        #expect(analysis.foreignRates.count == 512)
        #expect(analysis.foreignRatesLeftOut == 88)
    }

    @Test func `a rate is compared with what it counts`() throws {
        var recording = Recordings.plain([[7], [7, 8], [7, 8, 7]])
        // 6 entries and 2 pages in 3 s: 8192 and 2731 bytes a second.
        recording.batches[2].foreignRates = [("dirty-ring", 8192), ("dirty-bitmap", 2731), ("page-sampling", 2731)].map
        {
            ForeignRate(
                tool: .init(ForeignRate.qemu(mode: $0.0)), sinceNs: 0, tsNs: 3_000_000_000, bytesPerSecond: $0.1,
                quantum: 0)
        }
        let analysis = try Analyzer.analyze(recording)
        #expect(analysis.foreignRates.map(\.rate.counts) == [.entries, .pages, .sampledPages])
        #expect(analysis.foreignRates.map { $0.agrees(pageSize: 4096, vcpus: 1) } == [true, true, true])
    }
}
