import Model
import Testing

@testable import Analysis

struct DirtyMapTests {
    @Test func `every entry is in one cell`() throws {
        let trace = trace(ticks: 10) { tick in (0..<100).map { GFN($0 * 7 + tick) } }
        let map = try DirtyMap(trace)
        #expect(map.columns == 10)
        #expect(map.layers.map(\.name) == ["vCPU 0", "vCPU 1"])
        for layer in map.layers { #expect(layer.counts.reduce(0, +) == 1000) }
        #expect(map.course.map(\.entries) == Array(repeating: [100, 100], count: 10))
        #expect(map.coarser().layers[0].counts.reduce(0, +) == 1000)
    }

    @Test func `columns are the timeline's`() throws {
        for ticks in [1, 1023, 1024, 1025, 5000] {
            let trace = trace(ticks: ticks) { _ in [5] }
            let map = try DirtyMap(trace)
            let timeline = try Analyzer.analyze(trace).timeline
            #expect(map.course.map(\.firstTick) == timeline.map(\.firstTick))
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
        let map = try DirtyMap(trace(ticks: 20) { tick in (0..<3000).map { GFN($0 * 11 + tick) } }, limits: limits)
        #expect(map.layers.map(\.name) == ["vCPU 0", "1 others"])
        #expect(map.axis.rows * map.columns <= 4000)
        #expect(map.axis.rows * map.columns * map.layers.count <= 6000)
        #expect(map.layers.reduce(0) { $0 + $1.counts.reduce(0, +) } == 120_000)
    }

    @Test func `the axis leaves out what was never dirtied and is cut at slots`() throws {
        var trace = trace(ticks: 3) { _ in Array(0..<64) + Array(1_000_000..<1_000_128) }
        trace.slots = [MemorySlot(slot: 1, baseGFN: 1_000_064, pages: 5000, logged: true)]
        let axis = try DirtyMap(trace).axis
        #expect(axis.segments.map(\.firstGFN) == [0, 1_000_000, 1_000_064])
        #expect(axis.segments.map(\.pages) == [64, 64, 64])
        #expect(axis.rows == 192)
        // A page in each of many places far apart: they are drawn together rather than as countless stripes.
        let scattered = try DirtyMap(self.trace(ticks: 2) { _ in (0..<500).map { GFN($0 * 100_000) } }).axis
        #expect(scattered.segments.count <= 48)
        #expect(scattered.rows <= 2048)
    }

    @Test func `nothing dirtied makes an empty map`() throws {
        let map = try DirtyMap(MemoryTrace())
        #expect(map.axis.rows == 0)
        #expect(map.columns == 0)
    }

    private func trace(ticks: Int, gfns: (Int) -> [GFN]) -> MemoryTrace {
        MemoryTrace(
            batches: (1...ticks).map { tick in
                let id = Int64(tick)
                var batch = IterationBatch(iteration: Iteration(id: id, startNs: id * 10 - 10, endNs: id * 10))
                for vcpu in 0..<2 {
                    let pages = gfns(tick)
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
