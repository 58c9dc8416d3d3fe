import Foundation
import Model
import Testing

@testable import Store

@Suite struct RoundTripTests {
    let scratch = Scratch()

    @Test func `what was written is read`() throws {
        let path = scratch.path("a.db")
        let batches = Sample.batches(5)
        try Sample.write(path, batches)
        #expect(scratch.names == ["a.db"])

        let file = try RecordingFile(path: path)
        var info = Sample.info()
        info.endNs = 1_000_000
        info.endReason = .duration
        #expect(file.info == info)
        #expect(file.state == .complete)
        #expect(file.isSummarized)
        let memory = MemoryTrace(info: info, slots: Sample.slots, batches: batches)
        #expect(try Collector.of(file) == Collector.of(memory))
        #expect(try file.slots == memory.slots)
        #expect(try file.losses == memory.losses)
        #expect(try file.markers == memory.markers)
        #expect(try file.stops == memory.stops)
        #expect(try file.verdicts == memory.verdicts)
        #expect(try file.statistics == batches.flatMap(\.statistics))
        #expect(try file.watchEvents == batches.flatMap(\.watchEvents))
        let entries = Int64(batches.reduce(0) { $0 + $1.entryCount })
        #expect(try file.counts == .init(iterations: 5, harvests: 15, entries: entries, rows: entries))
    }
}
