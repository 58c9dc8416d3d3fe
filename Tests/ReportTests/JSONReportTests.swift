import Analysis
import Foundation
import Model
import Report
import Testing

@Suite struct JSONReportTests {
    private func json() throws -> JSON {
        var options = AnalysisOptions()
        options.convergence.bandwidths = [10 * 4096, 100 * 4096]
        options.convergence.start = .all
        options.convergence.namesBlockingPages = true
        options.convergence.qemu = QEMUStreamOptions()
        return JSONReport.render(try Analyzer.analyze(RichRecording.make(), options: options))
    }

    /// Shapes that the document describes once.
    private static let shapes: [Set<String>] = [
        ["count", "sum", "min", "p50", "p90", "p95", "p99", "max", "kept_one_in"],
        ["min", "p50", "p90", "p95", "max"],
        ["entries", "distinct", "cross_ring", "redirtied", "same_ring", "provisional", "vmm"],
    ]

    /// Key paths of all leaves; `[]` for arrays, `*` for free keys, a shape as one leaf, `x` for both ends of a bracket.
    private func paths(_ json: JSON, _ path: String = "") -> Set<String> {
        switch json {
        case .object(let members):
            let keys = Set(members.map(\.0))
            if Self.shapes.contains(keys), path != "duplicates", path != "working_set[].pages" { return [path] }
            let isFree = ["recording.capabilities", "recording.labels"].contains(path)
            return members.reduce(into: []) { found, member in
                if member.0.hasSuffix("_low"), keys.contains(String(member.0.dropLast(4))) { return }
                let key = isFree ? "*" : member.0
                found.formUnion(paths(member.1, path.isEmpty ? key : path + "." + key))
            }
        case .array(let values):
            let nested = values.reduce(into: Set<String>()) { $0.formUnion(paths($1, path + "[]")) }
            return nested.isEmpty ? [path + "[]"] : nested
        default: return [path]
        }
    }

    /// Names in the first cells of a section of the documentation, table by table.
    private func documented(_ title: String) throws -> [[String]] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/json-output.md")
        let section = try #require(
            try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n## ")
                .first { $0.hasPrefix("`dirtyrec \(title)`") })
        return section.components(separatedBy: "\n|---").dropFirst().map { table in
            table.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
                let parts = row.components(separatedBy: " | ")[0].components(separatedBy: "`")
                return stride(from: 1, to: parts.count, by: 2).map { parts[$0] }
            }
        }
    }

    @Test func `the documentation lists exactly the keys that are emitted`() throws {
        let documented = try documented("report").flatMap { $0 }
        let all = paths(try json())
        // A key that is null in one place and an object in another is documented by its members.
        let emitted = all.filter { path in !all.contains { $0.hasPrefix(path + ".") } }
        #expect(Set(documented).subtracting(emitted) == [], "documented, but not emitted")
        #expect(emitted.subtracting(documented) == [], "emitted, but not documented")
        #expect(Set(documented).count == documented.count)
    }

    @Test(arguments: ["json-output", "metrics"]) func `the documentation's tables are those that are declared`(
        page: String
    ) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/\(page).md")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(Reference.updated(text) == text, "docs/\(page).md is stale: run scripts/gen-docs")
    }

    @Test func `the documentation lists exactly the keys and the figures of a comparison`() throws {
        let rich = try Analyzer.analyze(RichRecording.make())
        var other = rich
        other.info.ringEntries = 512
        let comparison = Comparison(before: [rich, rich], after: [other])
        let gate = try DiffReport.Judged(Gate("entries>+0"), in: comparison)
        let tables = try documented("diff")
        try #require(tables.count == 2)
        #expect(Set(tables[0]) == paths(DiffReport.json(comparison, gates: [gate])))
        // Figures are documented by families: what stands before a dot or a bracket.
        let family = { (name: String) in String(name.prefix { $0 != "." && $0 != "[" }) }
        #expect(Set(comparison.rows.map { family($0.name) }) == Set(tables[1].map(family)))
    }

    @Test func `the text is JSON, and says what the analysis says`() throws {
        let text = try json().text(indented: true)
        let parsed = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let counts = try #require(parsed["counts"] as? [String: Any])
        #expect(counts["entries"] as? Int == 1680)
        #expect(counts["distinct_gfns"] as? Int == 43)
        #expect(counts["vcpus"] as? Int == 2)
        #expect(counts["iterations"] as? Int == 40)
        let duplicates = try #require(parsed["duplicates"] as? [String: Int])
        #expect(
            duplicates == [
                "entries": 1680, "distinct": 880, "cross_ring": 800, "redirtied": 0, "same_ring": 0, "provisional": 0,
                "vmm": 0,
            ])
        let fidelity = try #require(parsed["fidelity"] as? [String: Any])
        #expect(fidelity["lost"] as? Int == 7)
        #expect(fidelity["overruns"] as? Int == 1)
        #expect((parsed["convergence"] as? [String: Any])?["losses"] as? Int == 2)
        #expect(fidelity["short_resets"] as? Int == 1)
        #expect((parsed["recording"] as? [String: Any])?["guest"] as? String == RichRecording.make().info.guest)
        #expect(!text.unicodeScalars.contains { $0.value < 32 && $0 != "\n" || $0.value == 0x9b || $0.value == 0x202e })
    }

    @Test func `an empty recording is answered too`() throws {
        let analysis = try Analyzer.analyze(MemoryRecording())
        let text = JSONReport.render(analysis).text()
        #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any])
        #expect(analysis.counts.entries == 0 && analysis.counts.distinctGFNs == 0 && analysis.counts.iterations == 0)
        #expect(TextReport.render(analysis).contains("No entries."))
    }
}
