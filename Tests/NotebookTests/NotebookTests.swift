import Foundation
import Model
import Store
import TestSupport
import Testing

@testable import Notebook

/// Cells, chains, charts, values in sentences, errors in their place; nothing in a recording can become markup.
@Suite struct NotebookTests {
    private let folder = Scratch()
    private static let hostile = "<script>alert(1)</script> | `x` ${a.b} </script><!-- \" ' & [l](javascript:x)\u{202e}"

    private func recording(_ name: String, entries: Int = 5) throws -> String {
        let path = "\(folder.path)/\(name)\(UUID().uuidString).db"
        var info = RecordingInfo()
        info.guest = Self.hostile
        let writer = try RecordingWriter(path: path, info: info)
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 1000))
        let harvest = Harvest(
            iteration: 1, source: .dirtyRing, vcpu: 0, cause: .periodic, sinceNs: 0, tsNs: 900, entryCount: entries)
        batch.harvests = [(harvest, (0..<entries).map { GFN($0) })]
        try writer.commit(batch)
        try writer.finish(reason: .duration, endNs: 1000)
        return path
    }

    private func run(
        _ text: String, _ settings: [String: String] = [:], format: Notebook.Format = .html(vega: nil),
        others: [String] = [], timeout: Duration = .seconds(30)
    ) throws -> Notebook.Output {
        let session = try QuerySession(path: recording("first"))
        for (place, name) in (others.isEmpty ? [] : ["first"] + others).enumerated() {
            let path = place == 0 ? session.file.path : try recording(name, entries: 3)
            try session.attach(path, as: ["a", "b", "c"][place])
        }
        return try Notebook(text).run(
            session, settings: settings, timeout: timeout, recordings: [Self.hostile], as: format,
            progress: { _ in })
    }

    @Test func `cells use earlier cells, sentences use values`() throws {
        let output = try run(
            """
            # Pages of *${count.n}*

            ```sql pages
            SELECT gfn FROM dirty WHERE gfn >= 2
            ```

            ```sql count
            SELECT count(*) AS n, sum(gfn) AS total_gfn FROM pages
            ```

            There are ${count.n} pages, `${count.total_gfn}` in all.
            """)
        #expect(output.failures == 0)
        #expect(output.text.contains("There are 3 pages, <code>9</code> in all."))
        #expect(output.text.contains("<td class=\"n\">3</td><td class=\"n\">9</td>"))
        #expect(output.text.contains("Pages of <em>3</em>"))
    }

    @Test func `parameters are bound, named queries are cells`() throws {
        let text = """
            ```parameters
            first  integer = 2. First page.
            ```

            ```sql pages
            SELECT gfn FROM dirty WHERE gfn >= :first
            ```

            ```sql hottest query=pages/hottest limit=2
            ```

            From ${first}: ${pages.gfn}, ${hottest.gfn}.
            """
        #expect(try run(text).text.contains("From 2: 2, 0."))
        #expect(try run(text, ["first": "4"]).text.contains("From 4: 4, 0."))
        #expect(throws: Notebook.Failure.self) { try run(text, ["first": "1; DROP TABLE harvest"]) }
        #expect(throws: Notebook.Failure.self) { try run(text, ["last": "1"]) }
    }

    @Test(arguments: [
        ("SELECT nope", "no such column: nope"), ("SELECT 1; SELECT 2", "not from several statements"),
        ("DELETE FROM harvest", "only statements that read"), ("ATTACH ':memory:' AS x", "only statements that read"),
        ("CREATE TEMP TABLE t(x)", "only statements that read"), ("", "a result comes from one SELECT"),
        ("SELECT 1 AS x) ; DROP TABLE temp.early; --", "syntax error"), ("PRAGMA user_version = 3", "only statements"),
        ("SELECT load_extension('x')", "not authorized to use function"), ("SELECT :x", "the parameter &#39;x&#39;"),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT max(x) FROM n", "time limit"),
        ("INSERT INTO temp.early VALUES (1)", "only statements that read"), ("DROP TABLE early", "only statements"),
        ("SELECT zeroblob(1e9)", "longer than 24 MiB"), ("EXPLAIN SELECT 1", "syntax error"),
    ])
    func `an error stands in the cell's place and the others go on`(sql: String, message: String) throws {
        func attempt(_ seconds: Int) throws -> Notebook.Output {
            try run(
                "```sql early\nSELECT 7 AS x\n```\n\n```sql bad\n\(sql)\n```\n\n```sql late\nSELECT x + 1 FROM early\n```",
                timeout: .seconds(seconds))
        }
        var output = try attempt(message == "time limit" ? 1 : 600)
        // The bomb's neighbours have its limit, too: where they reach it, the machine is busy, and all get more time.
        if message == "time limit" {
            for seconds in [4, 16, 64, 256] where output.failures != 1 { output = try attempt(seconds) }
        }
        #expect(output.failures == 1)
        let error = try #require(output.text.firstRange(of: "role=\"alert\">"))
        #expect(
            output.text[error.upperBound...].prefix(200).contains(message),
            "\(output.text[error.upperBound...].prefix(200))")
        #expect(output.text.contains("<td class=\"n\">8</td>"))
    }

    @Test func `names of cells are words that mean nothing yet`() throws {
        for name in ["dirty", "main", "1a", "a\"b", "sqlite_master", "x;y", "recording"] {
            let output = try run("```sql \(name)\nSELECT 1\n```")
            #expect(output.failures == 1, "\(name)")
        }
        #expect(try run("```sql a1\nSELECT 1\n```\n\n```sql a1\nSELECT 2\n```").failures == 1)
    }

    @Test func `a chart carries its data, or is a table`() throws {
        let text = """
            ```sql pages
            SELECT gfn, guest FROM dirty, recording
            ```

            ```vega-lite pages
            {"mark": "bar", "data": {"url": "http://example.org/"}, "title": "</script><script>x"}
            ```
            """
        let drawn = try run(text, format: .html(vega: "/* a </script> <!-- */ window.vegaEmbed = 1"))
        #expect(drawn.failures == 0)
        #expect(drawn.text.contains("class=\"vega-lite\""))
        #expect(!drawn.text.contains("example.org"))
        #expect(drawn.text.contains("a <\\/script> <\\!--"))
        #expect(drawn.text.components(separatedBy: "</script>").count == 4, "one element a script")
        let plain = try run(text)
        #expect(plain.text.contains("Vega was not found"))
        #expect(plain.text.contains("default-src 'none'; style-src"))
        #expect(try run("```vega-lite nothing\n{}\n```").failures == 1)
        #expect(try run("```sql a1\nSELECT 1\n```\n\n```vega-lite a1\nnot json\n```").failures == 1)
    }

    @Test func `hostile values cannot inject`() throws {
        let text = """
            ```sql who
            SELECT guest, guest AS "<b>" FROM recording
            ```

            Guest: ${who.guest} and `${who.guest}` <b onclick="x">raw</b> [link](javascript:alert(1))

            <script>alert(2)</script>
            """
        let html = try run(text).text
        for bad in ["<script", "<b ", "<b>", "javascript:", "onclick=\"", "\u{202e}"] {
            #expect(!html.contains(bad) || (bad == "javascript:" && !html.contains("href=\"javascript:")), "\(bad)")
        }
        let markdown = try run(text, format: .markdown).text
        let prose = markdown.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            // What stands in a code span is text anyway.
            .map { $0.replacing(/``.*?``/, with: "") }
        for part in prose {
            #expect(part.firstMatch(of: /(^|[^\\])<[a-z\/!]/) == nil, "an element could begin in: \(part)")
        }
    }

    @Test func `what is drawn has no control characters and no direction overrides`() throws {
        let text = """
            ```sql who
            SELECT guest, char(155) || '31m' AS "a\u{9b}b" FROM recording
            ```

            ```vega-lite who
            {"mark": "bar", "title": "x\u{202e}y", "encoding": {"x": {"field": "guest"}}}
            ```
            """
        let html = try run(text, format: .html(vega: "window.vegaEmbed = 1")).text
        let specification = try #require(html.components(separatedBy: "class=\"vega-lite\"").dropFirst().first)
            .components(separatedBy: "</script>")[0]
        for scalar in ["\u{9b}", "\u{202e}", "\\u009b", "\\u202e"] { #expect(!html.contains(scalar), "\(scalar)") }
        #expect(specification.contains("x\\\\u{202e}y") && specification.contains("vega-lite/v6.json"))
    }

    @Test func `several recordings stand side by side`() throws {
        let text =
            "```sql both\nSELECT (SELECT count(*) FROM a.dirty) AS a, (SELECT count(*) FROM b.dirty) AS b\n```\n\n${both.a} and ${both.b}"
        #expect(try run(text, others: ["second"]).text.contains("5 and 3"))
        #expect(try run("```sql x1\nSELECT 1 FROM b.dirty\n```").failures == 1)
    }

    @Test func `views of another file are not believed`() throws {
        let session = try QuerySession(path: recording("one"))
        let other = try recording("two")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["sqlite3", other, "DROP VIEW dirty; CREATE VIEW dirty AS SELECT 1 AS gfn"]
        try process.run()
        process.waitUntilExit()
        #expect(throws: RecordingError.self) { try session.attach(other, as: "b") }
    }
}

/// scripts/test-browser looks at a notebook, too.
@Suite struct NotebookPageTests {
    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["DIRTYREC_PAGES"] != nil, "scripts/test-browser asks for pages"))
    func `a notebook for the browser tests`() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["DIRTYREC_PAGES"])
        let path = "\(folder)/notebook.db"
        try? FileManager.default.removeItem(atPath: path)
        var info = RecordingInfo()
        info.vcpuCount = 2
        let writer = try RecordingWriter(path: path, info: info)
        for iteration in 1...30 as ClosedRange<Int64> {
            var batch = IterationBatch(
                iteration: Iteration(
                    id: iteration, startNs: (iteration - 1) * 100_000_000, endNs: iteration * 100_000_000))
            let gfns = (0..<GFN(200 + iteration * 13 % 70)).map { $0 * 7 }
            let harvest = Harvest(
                iteration: iteration, source: .dirtyRing, vcpu: Int(iteration % 2), cause: .periodic,
                sinceNs: (iteration - 1) * 100_000_000, tsNs: iteration * 100_000_000, entryCount: gfns.count)
            batch.harvests = [(harvest, gfns)]
            try writer.commit(batch)
        }
        try writer.finish(reason: .duration, endNs: 3_000_000_000)
        let sample = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("samples/notebooks/migration.md")
        let vega = try String(contentsOfFile: folder + "/vega.js", encoding: .utf8)
        let output = try Notebook(String(contentsOf: sample, encoding: .utf8)).run(
            QuerySession(path: path), settings: [:], timeout: .seconds(600), recordings: ["notebook.db"],
            as: .html(vega: vega), progress: { _ in })
        #expect(output.failures == 0)
        try output.text.write(toFile: "\(folder)/notebook.html", atomically: true, encoding: .utf8)
    }
}
