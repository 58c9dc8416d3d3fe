import Foundation
import Model
import TestSupport
import Testing

@testable import Store

@Suite struct TailTests {
    let scratch = Scratch()

    @Test func `whoever follows a recording counts as its writer does, look by look`() throws {
        let path = scratch.path("a.db")
        let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
        let tail = RecordingTail(path: path)
        var counter = IterationCounter(vcpuCount: 0)
        var batches: [IterationBatch] = []
        var markers: [Marker] = []
        func look() throws -> RecordingTail.Look {
            let look = try tail.look {
                try counter.add($0)
                batches.append($0)
            }
            counter.add(look.losses)
            markers += look.markers
            return look
        }
        #expect(try look().state == .recording && batches.isEmpty)
        let all = Sample.batches(9)
        for batch in all {
            try writer.commit(batch)
            if batch.iteration.id % 2 == 0 { _ = try look() }
        }
        let last = try look()
        #expect(last.state == .recording && !last.hasMore && last.slots.count == Sample.slots.count)
        #expect(batches.map(\.iteration) == all.map(\.iteration))
        #expect(markers == all.flatMap(\.markers) && !markers.isEmpty)
        for (one, other) in zip(batches, all) { #expect(one.harvests.map(\.gfns) == other.harvests.map(\.gfns)) }
        let (mine, writers) = (try counter.totals(), writer.totals)
        #expect(mine.counts == writers.counts && mine.pages == writers.pages && mine.losses == writers.losses)
        #expect(mine.lostEntries == writers.lostEntries && mine.iterations == 9 && mine.durationNs == 9000)
        #expect(mine.vcpus.map(\.entries) == writers.vcpus.map(\.entries))
        #expect(mine.vcpus.map(\.stallNs) == writers.vcpus.map(\.stallNs))
        // Nobody holds the file between two looks: it ends whole, alone in its folder.
        #expect(try writer.finish(reason: .duration, endNs: 10_000) == .whole)
        #expect(scratch.names == ["a.db"])
        #expect(try look().state == .complete && batches.count == 9)
        #expect(try counter.totals().losses == writers.losses)
    }

    @Test func `another recording in its place is not taken for the same`() throws {
        let path = scratch.path("a.db")
        let tail = RecordingTail(path: path)
        for id in ["0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef"] {
            var info = Sample.info()
            info.id = id
            let writer = try RecordingWriter(path: path, info: info, options: .init(replace: true))
            for batch in Sample.batches(2) { try writer.commit(batch) }
            try writer.finish(reason: .duration, endNs: 3000)
            if id.hasPrefix("0") {
                _ = try tail.look { _ in }
            } else {
                #expect(throws: RecordingError.self) { try tail.look { _ in } }
            }
        }
    }
}
