import Model
import Testing

@testable import Analysis

@Suite struct ComparisonTests {
    /// `count` pages in each of three iterations of 1 s.
    private func recording(_ count: GFN) throws -> RecordingAnalysis {
        try Analyzer.analyze(Recordings.plain((0..<3).map { _ in Array(0..<count) }, memoryPages: 1000))
    }

    @Test func `figures stand side by side with their change`() throws {
        let comparison = Comparison(before: [try recording(100)], after: [try recording(120)])
        let row = try #require(comparison.rows.first { $0.name == "wws.p95" })
        #expect(row.before == 100 && row.after == 120 && row.change == 20 && row.relativeChange == 0.2)
        #expect(row.noise == nil)
        #expect(comparison.rows.contains { $0.name == "convergence[qemu,10Gbit/s,300ms].total" })
        #expect(Set(comparison.rows.map(\.name)).count == comparison.rows.count)
    }

    @Test(arguments: [
        ("wws.p95>+10%", Gate.Outcome.failed), ("wws.p95>+20%", .passed), ("wws.p95>=+20%", .failed),
        ("wws.p95 > +19", .failed), ("wws.p95<-1%", .passed), ("wws.p95>119", .failed), ("wws.p95<=119.5", .passed),
        ("fidelity.lost>0", .passed), ("fidelity.lost>+0%", .passed),
    ])
    func `a gate compares a change or a value`(text: String, outcome: Gate.Outcome) throws {
        let comparison = Comparison(before: [try recording(100)], after: [try recording(120)])
        #expect(try Gate(text).judge(comparison) == outcome)
    }

    @Test(arguments: ["", "wws.p95", ">5", "wws.p95>", "wws.p95>10%", "wws.p95>ten", "wws.p95>+1e3", "wws.p95>nan"])
    func `what is no gate is refused in one sentence`(text: String) {
        let error = #expect(throws: Gate.ParsingError.self) { try Gate(text) }
        #expect(error?.description.hasSuffix(".") == true)
    }

    @Test func `an unknown figure lists those that are known`() throws {
        let comparison = Comparison(before: [try recording(1)], after: [try recording(1)])
        let error = #expect(throws: Gate.ParsingError.self) { try Gate("wws.p42>0").judge(comparison) }
        #expect(error?.description.contains("wws.p95") == true)
    }

    @Test func `repeated recordings give a noise band, within which a change fails no gate`() throws {
        let before = try [100, 130, 110].map { try recording($0) }
        let comparison = Comparison(before: before, after: [try recording(125)])
        let row = try #require(comparison.rows.first { $0.name == "wws.p95" })
        #expect(row.before == 110 && row.noise == 100...130 && row.isNoise)
        #expect(try Gate("wws.p95>+10%").judge(comparison) == .withinNoise)
        #expect(try Gate("wws.p95>124").judge(comparison) == .failed)
        let beyond = Comparison(before: before, after: [try recording(131)])
        #expect(try Gate("wws.p95>+10%").judge(beyond) == .failed)
    }

    /// What a kernel engineer changes: exits at full rings, how long they cost, the order of entries, what KVM counted.
    @Test func `full rings, order and KVM's statistics are figures`() throws {
        func recording(fullExits: Int, flushes: Int64) throws -> RecordingAnalysis {
            var recording = Recordings.plain([Array(0..<40)], memoryPages: 1000)
            let (harvest, gfns) = recording.batches[0].harvests[0]
            recording.batches[0].harvests = (0..<fullExits).map { _ in
                var full = harvest
                (full.vcpu, full.cause, full.stallNs) = (0, .ringFull, 1_000_000)
                return (full, gfns)
            }
            recording.batches[0].statistics = [
                KVMStatistic(iteration: 1, vcpu: nil, name: "remote_tlb_flush", value: flushes),
                KVMStatistic(iteration: 1, vcpu: 0, name: "remote_tlb_flush", value: 1),
            ]
            return try Analyzer.analyze(recording)
        }
        let comparison = Comparison(
            before: [try recording(fullExits: 1, flushes: 4)], after: [try recording(fullExits: 3, flushes: 9)])
        for (name, before, after) in [
            ("rings.full_exits", 1, 3), ("rings.stall", 1e6, 3e6), ("rings.stall_longest", 1e6, 1e6),
            ("rings.stall_share", 1e-3, 3e-3), ("order.rings[ascending]", 1, 1), ("order.ascending_run", 40, 40),
            ("kvm.remote_tlb_flush", 5, 10),
        ] as [(String, Double, Double)] {
            let row = try #require(comparison.rows.first { $0.name == name }, "\(name)")
            #expect(row.before == before && row.after == after, "\(name): \(row)")
        }
        #expect(try Gate("rings.full_exits>+100%").judge(comparison) == .failed)
    }

    @Test func `what a recording cannot say fails its gate`() throws {
        let empty = try Analyzer.analyze(MemoryRecording())
        let comparison = Comparison(before: [try recording(100)], after: [empty])
        #expect(try Gate("rate.pages>+1%").judge(comparison) == .unknown)
    }
}
