import Analysis
import Foundation
import Report
import Testing
import TraceModel

@Suite struct DiffReportTests {
    private func judged() throws -> (Comparison, [DiffReport.Judged]) {
        let rich = try Analyzer.analyze(RichTrace.make())
        let empty = try Analyzer.analyze(MemoryTrace())
        let comparison = Comparison(before: [empty], after: [rich])
        let gates = try [Gate("entries>+0"), Gate("fidelity.paused>0.5")].map { gate in
            DiffReport.Judged(gate: gate, outcome: try gate.judge(comparison))
        }
        return (comparison, gates)
    }

    @Test func `text shows both sides and the gates`() throws {
        let (comparison, gates) = try judged()
        let text = DiffReport.text(comparison, gates: gates)
        #expect(text.contains("gate entries>+0: failed (0 → 1,680)"))
        #expect(text.contains("gate fidelity.paused>0.5: passed"))
    }

    @Test func `junit has one case a gate`() throws {
        let (comparison, gates) = try judged()
        let xml = DiffReport.junit(comparison, gates: gates)
        #expect(xml.contains("tests=\"2\" failures=\"1\""))
        #expect(xml.contains("name=\"entries&gt;+0\""))
        #expect(xml.contains("<failure message=\"failed: 0 before, 1,680 after\"/>"))
    }

    @Test func `json is valid`() throws {
        let (comparison, gates) = try judged()
        let text = DiffReport.json(comparison, gates: gates).text()
        let parsed = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect((parsed["figures"] as? [[String: Any]])?.count == comparison.rows.count)
        #expect((parsed["gates"] as? [[String: Any]])?.first?["outcome"] as? String == "failed")
    }
}
