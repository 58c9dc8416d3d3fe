import Analysis
import Foundation
import Model
import Testing

@testable import Report

@Suite struct DiffReportTests {
    private func judged() throws -> (Comparison, [DiffReport.Judged]) {
        let rich = try Analyzer.analyze(RichRecording.make())
        let empty = try Analyzer.analyze(MemoryRecording())
        let comparison = Comparison(before: [empty], after: [rich])
        let gates = try [Gate("entries>+0"), Gate("fidelity.paused>0.5")].map { gate in
            try DiffReport.Judged(gate, in: comparison)
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

    /// Two recordings of one recording, with rings of 65,536 and 512 entries, whose guest's name is hostile.
    private func apart() throws -> Comparison {
        var before = try Analyzer.analyze(RichRecording.make())
        before.info.ringEntries = 65_536
        var after = before
        after.info.ringEntries = 512
        after.info.guest = "\u{9b}31m</properties>"
        return Comparison(before: [before], after: [after])
    }

    @Test func `what recordings do not have in common is said in every format`() throws {
        let comparison = try apart()
        let text = DiffReport.text(comparison)
        #expect(text.hasPrefix("Recorded under different conditions\n"))
        #expect(text.contains("  ring entries   65,536 → 512\n"))
        #expect(text.contains("\\u{9b}31m") && !text.contains("\u{9b}"))
        let json = DiffReport.json(comparison).text()
        #expect(json.contains(#"{"name":"ring_entries","unit":"count","before":[65536],"after":[512]}"#))
        let xml = DiffReport.junit(comparison, gates: [])
        #expect(xml.contains(#"<property name="differs: ring entries" value="65,536 → 512"/>"#))
        #expect(xml.components(separatedBy: "</properties>").count == 2 && !xml.contains("\u{9b}"))
        let same = try Analyzer.analyze(RichRecording.make())
        #expect(!DiffReport.text(Comparison(before: [same], after: [same])).contains("conditions"))
    }

    @Test func `only what changed is shown when asked, and gates know the rest`() throws {
        let same = try Analyzer.analyze(RichRecording.make())
        var other = same
        other.counts.entries += 1
        let comparison = Comparison(before: [same], after: [other])
        let gate = try DiffReport.Judged(Gate("iterations>50"), in: comparison)
        let text = DiffReport.text(comparison.changed, gates: [gate])
        #expect(text.contains("  entries ") && !text.contains("distinct_gfns"))
        #expect(text.contains("gate iterations>50: passed (40 → 40)"))
        #expect(DiffReport.text(Comparison(before: [same], after: [same]).changed).contains("No figure changed."))
    }

    @Test func `figures have the units of the report`() {
        #expect(DiffReport.print(388_390_000, .bytesPerSecond) == Units.dataRate(388_390_000))
        #expect(DiffReport.print(0.0001, .share) == "< 0.1 %")
        #expect(DiffReport.print(262_144, .times) == "× 262,144")
        #expect(DiffReport.print(1e300, .nanoseconds).isEmpty == false, "no trap")
    }

    @Test func `the page shows both sides, and hostile names as text`() throws {
        let (comparison, gates) = try judged()
        var recording = RichRecording.make()
        recording.info.commandLine = "</script><img src=x onerror=alert(1)>"
        let sides = try ["</title><script>alert(1)</script>", "b.db"].map {
            try HTMLReport(recording, options: AnalysisOptions(), fileName: $0, vega: nil)
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
