import Model
import TestSupport
import Testing

@testable import Analysis

/// In what order entries stand, whose order that is, and how it is given back. Recordings here are patterns of what was seen on
/// real kvm_intel (made in memory); the rig's CI records the real ones.
@Suite struct OrderTests {
    private func analysis(
        _ iterations: [[GFN]], pml: Bool?, kernel: String = "", kind: String = "builtin", module: String = ""
    )
        throws -> RecordingAnalysis
    {
        try Analyzer.analyze(recording(iterations, pml: pml, kernel: kernel, kind: kind, module: module))
    }

    private func recording(
        _ iterations: [[GFN]], pml: Bool?, kernel: String = "", kind: String = "builtin", module: String = ""
    ) -> MemoryRecording {
        var recording = Recordings.plain(iterations)
        (recording.info.pml, recording.info.kernel, recording.info.guestKind, recording.info.kvmModule) = (
            pml, kernel, kind, module
        )
        for batch in recording.batches.indices {
            recording.batches[batch].harvests[0].harvest.cause = .paused
        }
        return recording
    }

    /// What PML before Linux 6.14 makes of the order of writes.
    private func reversed(_ gfns: [GFN]) -> [GFN] {
        stride(from: 0, to: gfns.count, by: 512).flatMap { gfns[$0..<min($0 + 512, gfns.count)].reversed() }
    }

    private let walk = Array(GFN(0)..<2048)

    @Test func `what an entry's time says follows from PML, source, mode and kicks`() throws {
        func time(
            pml: Bool?, kind: String = "builtin", source: Source = .dirtyRing, mode: HarvestMode = .live,
            kicks: [Int64] = [0, 7]
        ) throws -> Fidelity.EntryTime {
            var recording = recording([[1, 2], [3]], pml: pml, kernel: "6.12.0", kind: kind, module: "kvm_intel")
            (recording.info.source, recording.info.mode) = (source, mode)
            for (index, kick) in kicks.enumerated() { recording.batches[index].iteration.kickNs = kick }
            return try Analyzer.analyze(recording).fidelity.entryTime
        }
        #expect(try time(pml: false) == .written)
        // Only the end of the recording stopped the vCPUs.
        #expect(try time(pml: true) == .late)
        #expect(try time(pml: true, source: .clearLog) == .late)
        #expect(try time(pml: nil) == .unknown)
        #expect(try time(pml: true, kicks: [5, 7]) == .kicked)
        #expect(try time(pml: true, mode: .paused) == .written)
        #expect(try time(pml: true, kind: "attached", source: .tracefs) == .flushed)
        #expect(try time(pml: false, kind: "attached", source: .tracefs) == .written)
        #expect(try time(pml: nil, kind: "imported", source: .tracefs) == .unknown)
        #expect(Fidelity.EntryTime.late.mostLate == 512 && Fidelity.EntryTime.kicked.mostLate == 0)
    }

    @Test func `a guest that writes downwards is no reversed batch where nothing reverses`() throws {
        // 300 entries a harvest: shorter than any batch.
        let down = (0..<6).map { iteration in (0..<GFN(300)).map { 5000 - GFN(iteration) * 300 - $0 } }
        for (pml, kernel, module) in [
            (false, "6.1.0", "kvm_intel"), (true, "6.18.15-cloud", "kvm_intel"), (true, "7.3.4", "kvm_intel"),
            (nil, "6.1.0", "kvm_amd"),
        ] as [(Bool?, String, String)] {
            let found = try analysis(down, pml: pml, kernel: kernel, module: module).order
            #expect(found.host == .written && found.rings[0].verdict == .descending && found.provenShare == 1)
        }
        // Nothing is known of the host: the walk goes down from harvest to harvest, as it does within them.
        #expect(try analysis(down, pml: nil, kind: "imported").order.rings[0].verdict == .descending)
        // The same runs of a guest that goes up from harvest to harvest are batches.
        let up = (0..<6).map { iteration in (0..<GFN(300)).map { GFN(iteration) * 300 + 299 - $0 } }
        #expect(try analysis(up, pml: nil, kind: "imported").order.rings[0].verdict == .reversedBatches)
    }

    @Test func `as on kvm_intel with Linux 6.12: page faults in order, then reversed batches, and all is given back`()
        throws
    {
        // Five walks over 2,048 pages. The first touches are page faults.
        let recorded = recording(
            [walk] + Array(repeating: reversed(walk), count: 4), pml: true, kernel: "6.12.117-cloud-amd64",
            module: "kvm_intel")
        let order = try Analyzer.analyze(recorded).order
        #expect(order.host == .reversedBatches && order.rings[0].verdict == .reversedBatches)
        #expect(order.rings[0].faultWeights.ascending == 2048 && order.rings[0].weights.descending == 4 * 2048)
        #expect(order.provenShare == 1)
        var restorer = WriteOrder(recorded.info, order)
        for batch in recorded.batches {
            let (harvest, gfns) = batch.harvests[0]
            #expect(restorer.places(harvest, gfns: gfns).map { gfns[$0] } == walk)
        }
        #expect(restorer.proven == 5 * 2048 && restorer.entries == 5 * 2048)
    }

    @Test func `as on kvm_intel with Linux 6.18: in order`() throws {
        let order = try analysis(Array(repeating: walk, count: 5), pml: true, kernel: "6.18.15", module: "kvm_intel")
            .order
        #expect(order.host == .written && order.rings[0].verdict == .ascending && order.provenShare == 1)
        // A fix that was carried back to an older kernel is seen: no batch is longer than 512.
        let back = try analysis(Array(repeating: walk, count: 5), pml: true, kernel: "5.14.0-el9", module: "kvm_intel")
            .order
        #expect(back.host == .reversedBatches && back.rings[0].verdict == .ascending && back.provenShare == 1)
    }

    @Test func `a downward writer on a host that reverses stands in ascending batches`() throws {
        let down = Array(walk.reversed())
        let iterations = [down] + Array(repeating: reversed(down), count: 4)
        let recorded = recording(iterations, pml: true, kernel: "6.12.0", module: "kvm_intel")
        let order = try Analyzer.analyze(recorded).order
        #expect(order.rings[0].verdict == .reversedBatches && order.provenShare == 1)
        var restorer = WriteOrder(recorded.info, order)
        for batch in recorded.batches {
            let (harvest, gfns) = batch.harvests[0]
            #expect(restorer.places(harvest, gfns: gfns).map { gfns[$0] } == down)
        }
    }

    @Test func `what cannot be proven keeps its place`() throws {
        var random = Seeded(1)
        let iterations = (0..<5).map { _ in walk.shuffled(using: &random) }
        let recorded = recording(iterations, pml: true, kernel: "6.12.0", module: "kvm_intel")
        let order = try Analyzer.analyze(recorded).order
        #expect(order.rings[0].verdict == .mixed)
        // The first touches, and nothing else.
        #expect(order.rings[0].proven == 2048)
        var restorer = WriteOrder(recorded.info, order)
        for batch in recorded.batches {
            let (harvest, gfns) = batch.harvests[0]
            #expect(restorer.places(harvest, gfns: gfns) == Array(gfns.indices))
        }
    }

    @Test func `batches of any length are found where a walk shows their ends`() throws {
        for seed in UInt64(0)..<50 {
            var random = Seeded(seed)
            var batches: [[GFN]] = []
            var next: GFN = 0
            for _ in 0..<20 {
                let length = GFN.random(in: 8...512, using: &random)
                batches.append(Array(next..<next + length))
                next += length
            }
            let gfns = batches.flatMap { $0.reversed() }
            let (places, proven) = WriteOrder.restored(gfns, faults: .none, endsAreKnown: true)
            #expect(places.map { gfns[$0] } == Array(0..<next) && proven == gfns.count, "seed \(seed)")
        }
    }

    @Test func `a bitmap has no order`() throws {
        var recording = Recordings.plain([walk, walk])
        for batch in recording.batches.indices {
            recording.batches[batch].harvests[0].harvest.vcpu = nil
            recording.batches[batch].harvests[0].harvest.source = .dirtyLog
        }
        let order = try Analyzer.analyze(recording).order
        #expect(order.rings.map(\.verdict) == [.unordered] && order.provenShare == nil)
    }

    @Test func `a few harvests of another kind do not outweigh the rest`() throws {
        // Means over the recording would be torn down by many short harvests.
        let iterations =
            [reversed(walk)] + (0..<40).map { [GFN($0), 9000, GFN($0) + 1] } + [reversed(walk.map { $0 + 2048 })]
        #expect(try analysis(iterations, pml: nil, kind: "imported").order.rings[0].verdict == .reversedBatches)
    }
}
