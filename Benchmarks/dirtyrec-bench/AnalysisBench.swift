import Analysis
import Model
import Report

/// A recording of uniformly random pages whose segments are encoded once, before the clock runs.
private struct PackedRecording: Recording {
    var info = RecordingInfo()
    var slots: [MemorySlot] = []
    var losses: [Loss] = []
    var markers: [Marker] = []
    var stops: [StopLatency] = []
    var verdicts: [OracleVerdict] = []
    /// Segments are used in turn, so that 100 M entries need no gigabyte.
    private var segments: [(bytes: [UInt8], count: Int)] = []
    private let iterations: Int
    private let vcpus: Int
    private let perHarvest: Int

    init(entries: Int, iterations: Int, pages: Int, vcpus: Int) {
        self.iterations = iterations
        self.vcpus = vcpus
        // A longer pass would be several harvests.
        perHarvest = max(1, min(Segment.maxEntries, entries / iterations / vcpus))
        info.vcpuCount = vcpus
        info.memoryBytes = Int64(pages) * 4096
        info.endReason = .duration
        slots = [MemorySlot(slot: 0, baseGFN: 0, pages: UInt64(pages), logged: true)]
        var state: UInt64 = 1
        let distinct = min(iterations * vcpus, max(1, 20_000_000 / perHarvest))
        for _ in 0..<distinct {
            var gfns: [GFN] = []
            for _ in 0..<perHarvest {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                gfns.append((state >> 33) % UInt64(pages))
            }
            var bytes: [UInt8] = []
            Segment.encode(gfns, into: &bytes)
            segments.append((bytes, perHarvest))
        }
    }

    func replay(into visitor: inout some RecordingVisitor) throws {
        var gfns: [GFN] = []
        var times: [Int64] = []
        var next = 0
        for iteration in 1...Int64(iterations) {
            let end = iteration * 10_000_000
            for vcpu in 0..<vcpus {
                let segment = segments[next % segments.count]
                next += 1
                try Segment.decode(segment.bytes.span, count: segment.count, into: &gfns, times: &times)
                try visitor.visit(
                    Harvest(
                        iteration: iteration, source: .dirtyRing, vcpu: vcpu, cause: .periodic,
                        sinceNs: end - 10_000_000,
                        tsNs: end, entryCount: gfns.count),
                    gfns: gfns)
            }
            try visitor.visit(Iteration(id: iteration, startNs: end - 10_000_000, endNs: end))
        }
    }
}

private struct Nothing: RecordingVisitor {
    var entries = 0
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) { entries += gfns.count }
    mutating func visit(_ iteration: Iteration) {}
}

/// Measures `Analyzer.analyze` on generated recordings, whose entries are decoded from packed segments as those of a file are.
enum AnalysisBench {
    static func run(entries: Int, iterations: Int, pages: Int, vcpus: Int) throws {
        let recording = PackedRecording(entries: entries, iterations: iterations, pages: pages, vcpus: vcpus)
        let clock = ContinuousClock()
        var nothing = Nothing()
        let decoding = try clock.measure { try recording.replay(into: &nothing) }
        var json = ""
        let analysing = try clock.measure {
            json = JSONReport.render(try Analyzer.analyze(recording)).text(indented: true)
        }
        print(
            "\(nothing.entries) entries: decode \(decoding), analyse and render with decode \(analysing), \(json.utf8.count) B JSON"
        )
    }
}
