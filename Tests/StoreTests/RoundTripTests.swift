import Foundation
import Model
import TestSupport
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
        let memory = MemoryRecording(info: info, slots: Sample.slots, batches: batches)
        #expect(try Replayed.of(file) == Replayed.of(memory))
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

    @Test(arguments: [false, true])
    func `what was summed up while recording is what the segments say`(isCut: Bool) throws {
        let path = scratch.path("sums.db")
        let batches = Sample.batches(21)
        let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
        for batch in batches.dropLast() { try writer.commit(batch) }
        if isCut {
            // A part that nothing completes is dropped, and with it the sums that know it.
            var part = IterationBatch(iteration: batches[20].iteration)
            part.harvests = batches[20].harvests
            part.isPart = true
            try writer.commit(part)
        }
        #expect(writer.totals.counts.entries == Int64(batches.dropLast().reduce(0) { $0 + $1.entryCount }))
        try writer.finish(reason: .iterations, endNs: 1_000_000)
        #expect(try Verifier.verify(path: path) == [])
    }

    @Test func `vCPUs that are plugged in have rows and harvests`() throws {
        let path = scratch.path("plugged.db")
        var batches = Sample.batches(2)
        let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
        try writer.commit(batches[0])
        batches[1].vcpus = 4
        batches[1].harvests[0].harvest.vcpu = 3
        try writer.commit(batches[1])
        try writer.finish(reason: .duration, endNs: 1_000_000)
        #expect(try RecordingFile(path: path).info.vcpuCount == 4)
        #expect(try Verifier.verify(path: path).isEmpty)
    }
}
