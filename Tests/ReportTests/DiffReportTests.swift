import Analysis
import Foundation
import Model
import Testing

@testable import Report

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

    @Test func `the page shows both sides, and hostile names as text`() throws {
        let (comparison, gates) = try judged()
        let trace = RichTrace.make()
        var analysis = try Analyzer.analyze(trace)
        analysis.info.commandLine = "</script><img src=x onerror=alert(1)>"
        let sides = try ["</title><script>alert(1)</script>", "b.db"].map {
            try HTMLReport(trace, analysis: analysis, topPages: 0, fileName: $0, vega: nil)
        }
        let page = try DiffPage(comparison, gates: gates, before: sides[0], after: sides[1], repetitions: 0).render()
        #expect(!page.contains("<script>alert") && !page.contains("<img src=x"))
        #expect(page.contains("&lt;img src=x onerror=alert(1)&gt;"))
        #expect(page.contains("1 of 2 fail; the table names them."))
        for row in comparison.rows {
            #expect(page.contains(">\(HTML.escape(row.name))<"), "also without scripts")
        }
        #expect(page.components(separatedBy: "data-chart=").count == 5)
        #expect(page.components(separatedBy: "data:image/png;base64,").count == 3)
    }

    @Test func `json is valid`() throws {
        let (comparison, gates) = try judged()
        let text = DiffReport.json(comparison, gates: gates).text()
        let parsed = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect((parsed["figures"] as? [[String: Any]])?.count == comparison.rows.count)
        #expect((parsed["gates"] as? [[String: Any]])?.first?["outcome"] as? String == "failed")
    }
}
