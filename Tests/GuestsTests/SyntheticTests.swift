import Model
import Testing

@testable import Guests

@Suite struct `A synthetic recording` {
    private func batches(_ workload: String, vcpus: Int = 1, durationNs: Int64, intervalNs: Int64) throws
        -> [IterationBatch]
    {
        var recording = try SyntheticRecording(
            workload: Workload(parsing: workload), vcpus: vcpus, labels: [:], durationNs: durationNs,
            intervalNs: intervalNs)
        var batches: [IterationBatch] = []
        while let batch = recording.next() { batches.append(batch) }
        return batches
    }

    @Test func `of a sequential walk has each page once a lap`() throws {
        // 8 pages a region, 12 operations an iteration: a lap and a half.
        let batches = try batches(
            "sequential:size=32KiB,rate=120/s", vcpus: 2, durationNs: 250_000_000, intervalNs: 100_000_000)
        #expect(batches.map(\.iteration.endNs) == [1_100_000_000, 1_200_000_000, 1_250_000_000])
        #expect(batches.map(\.iteration.guestProgress) == [24, 48, 60])
        let first = BuiltinGuest.dataAddress / 4096
        #expect(batches[0].harvests.map(\.gfns) == [Array(first..<first + 8), Array(first + 8..<first + 16)])
        // The second iteration begins in the middle of a lap, and the pages are protected again.
        let middle = Array(first + 4..<first + 8) + Array(first..<first + 4)
        #expect(batches[1].harvests[0].gfns == middle)
        #expect(batches[2].harvests.map(\.gfns.count) == [6, 6])
        for batch in batches {
            for (harvest, _) in batch.harvests {
                #expect((harvest.sinceNs, harvest.tsNs) == (batch.iteration.startNs, batch.iteration.endNs))
            }
        }
    }

    @Test func `of a race has every page in each ring`() throws {
        let batches = try batches(
            "shared:size=64KiB,rate=160/s", vcpus: 3, durationNs: 100_000_000, intervalNs: 100_000_000)
        #expect(batches[0].harvests.map(\.gfns.count) == [16, 16, 16])
        #expect(Set(batches[0].harvests.flatMap(\.gfns)).count == 16)
    }

    @Test func `ends with the workload`() throws {
        let batches = try batches(
            "random:size=64KiB,rate=100/s,ops=15", durationNs: 1_000_000_000, intervalNs: 100_000_000)
        #expect(batches.map(\.iteration.guestProgress) == [10, 15])
    }

    @Test func `has an id that says what made it`() throws {
        func id(_ seed: Int, _ labels: [String: String] = [:]) throws -> String {
            try SyntheticRecording(
                workload: Workload(parsing: "zipf:size=1MiB,seed=\(seed)"), vcpus: 1, labels: labels,
                durationNs: 1_000_000, intervalNs: 1_000_000
            ).info.id
        }
        #expect(try id(1) == id(1))
        #expect(try Set([id(1), id(2), id(1, ["a": "b"])]).count == 3)
        #expect(try id(1).count == 32)
    }

    @Test(
        arguments: [
            // 2^20 operations a second for 2^20 seconds, in iterations of at most 2^27.
            (1 << 20, 1 << 20, 1 << 7, 1, nil), (1 << 20, 1 << 20 + 1, 1 << 7, 1, "more than 2^40"),
            (1 << 20, 1 << 19, 1 << 7, 2, "at most 2^27"), (1 << 20, 1 << 20, 1 << 6, 2, "more than 2^40"),
            (1 << 20, 1 << 10, 1 << 7 + 1, 1, "at most 2^27"),
        ] as [(Int, Int64, Int64, Int, String?)])
    func `has at most so many operations`(rate: Int, seconds: Int64, interval: Int64, vcpus: Int, refusal: String?) {
        var message: String?
        do {
            _ = try SyntheticRecording(
                workload: Workload(parsing: "sequential:size=32KiB,rate=\(rate)/s"), vcpus: vcpus, labels: [:],
                durationNs: seconds * 1_000_000_000, intervalNs: interval * 1_000_000_000)
        } catch { message = "\(error)" }
        #expect((message == nil) == (refusal == nil), "\(message ?? "")")
        #expect(refusal.map { message?.contains($0) == true } ?? true, "\(message ?? "")")
    }
}
