import Model
import Testing

@testable import Analysis

extension DirtyMap {
    /// Reads `recording` twice, as the page does: for its outline, then for the map.
    init(_ recording: some Recording, limits: Limits = Limits()) throws {
        var filler = try MapFiller(MapOutline(Gathered(recording)), slots: recording.slots, limits: limits)
        try recording.replay(into: &filler)
        self = filler.map
    }
}

struct DirtyMapTests {
    @Test func `every entry is in one cell`() throws {
        let recording = recording(iterations: 10) { iteration in (0..<100).map { GFN($0 * 7 + iteration) } }
        let map = try DirtyMap(recording)
        #expect(map.columns == 10)
        #expect(map.layers.map(\.name) == ["vCPU 0", "vCPU 1"])
        for layer in map.layers { #expect(layer.counts.reduce(0, +) == 1000) }
        #expect(map.course.map(\.entries) == Array(repeating: [100, 100], count: 10))
        #expect(map.coarser().layers[0].counts.reduce(0, +) == 1000)
    }

    @Test func `columns are the timeline's`() throws {
        for iterations in [1, 1023, 1024, 1025, 5000] {
            let recording = recording(iterations: iterations) { _ in [5] }
            let map = try DirtyMap(recording)
            let timeline = try Analyzer.analyze(recording).timeline
            #expect(map.course.map(\.firstIteration) == timeline.map(\.firstIteration))
            #expect(map.course.map(\.endNs) == timeline.map(\.endNs))
            #expect(map.course.map { $0.entries.reduce(0, +) } == timeline.map(\.duplicates.entries))
        }
    }

    @Test func `a map stays within its limits`() throws {
        var limits = DirtyMap.Limits()
        limits.cells = 4000
        limits.counters = 6000
        limits.rows = 500
        limits.layers = 1
        let map = try DirtyMap(
            recording(iterations: 20) { iteration in (0..<3000).map { GFN($0 * 11 + iteration) } }, limits: limits)
        #expect(map.layers.map(\.name) == ["vCPU 0", "1 others"])
        #expect(map.axis.rows * map.columns <= 4000)
        #expect(map.axis.rows * map.columns * map.layers.count <= 6000)
        #expect(map.layers.reduce(0) { $0 + $1.counts.reduce(0, +) } == 120_000)
    }

    @Test func `the axis leaves out what was never dirtied and is cut at slots`() throws {
        var recording = recording(iterations: 3) { _ in Array(0..<64) + Array(1_000_000..<1_000_128) }
        recording.slots = [MemorySlot(slot: 1, baseGFN: 1_000_064, pages: 5000, logged: true)]
        let axis = try DirtyMap(recording).axis
        #expect(axis.segments.map(\.firstGFN) == [0, 1_000_000, 1_000_064])
        #expect(axis.segments.map(\.pages) == [64, 64, 64])
        #expect(axis.rows == 192)
        // A page in each of many places far apart: they are drawn together rather than as countless stripes.
        let scattered = try DirtyMap(self.recording(iterations: 2) { _ in (0..<500).map { GFN($0 * 100_000) } }).axis
        #expect(scattered.segments.count <= 48)
        #expect(scattered.rows <= 2048)
    }

    @Test func `nothing dirtied makes an empty map`() throws {
        let map = try DirtyMap(MemoryRecording())
        #expect(map.axis.rows == 0)
        #expect(map.columns == 0)
    }

    private func recording(iterations: Int, gfns: (Int) -> [GFN]) -> MemoryRecording {
        MemoryRecording(
            batches: (1...iterations).map { iteration in
                let id = Int64(iteration)
                var batch = IterationBatch(iteration: Iteration(id: id, startNs: id * 10 - 10, endNs: id * 10))
                for vcpu in 0..<2 {
                    let pages = gfns(iteration)
                    batch.harvests.append(
                        (
                            Harvest(
                                iteration: id, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: id * 10 - 10,
                                tsNs: id * 10 - 1, entryCount: pages.count), pages
                        ))
                }
                return batch
            })
    }
}
