import Analysis
import Foundation
import Model
import Store
import Testing

@testable import Report

struct PageTests {
    @Test func `what a guest calls itself is text`() throws {
        let folder = try PageFolder()
        try PageSample.record(folder.file("a.db"), 12, name: PageSample.hostile)
        let page = try PageSample.page(folder.file("a.db"), vega: "window.vegaEmbed = undefined; // </script>")
        #expect(!page.contains("<img src=x"))
        #expect(!page.contains("\u{202e}"))
        #expect(!page.contains("\u{2028}"))
        #expect(page.contains("&lt;/script&gt;&lt;/style&gt;&lt;img src=x"))
        // Format, map, page, Vega and charts; data and specs.
        #expect(page.components(separatedBy: "<script").count - 1 == 7)
        #expect(page.components(separatedBy: "</script>").count - 1 == 7)
        #expect(page.components(separatedBy: "</style>").count - 1 == 1)
    }

    @Test func `a migration that others saw has its section, and no words of its own`() throws {
        var recording = RichRecording.make()
        recording.migrations[0].state = "completed"
        let report = try HTMLReport(recording, options: AnalysisOptions(), fileName: "a.db", vega: nil)
        let page = try report.render { _ in [] }
        #expect(page.contains("<section id=\"migration\"") && page.contains("How did the migration go?"))
        #expect(page.contains("Migration as it was seen, and as the recording foretells it"))
        recording.migrations = []
        let without = try HTMLReport(recording, options: AnalysisOptions(), fileName: "a.db", vega: nil)
        #expect(try !without.render { _ in [] }.contains("id=\"migration\""))
    }

    @Test func `the page of a recording in the making may ask its server, and nobody else`() throws {
        var recording = RichRecording.make()
        (recording.info.guest, recording.info.endReason) = (PageSample.hostile, nil)
        var stretch = RecentStretch(lengthNs: .max / 2)
        var totals = RunningTotals()
        for batch in recording.batches {
            stretch.add(batch)
            totals.add(batch)
        }
        let soFar = RecordingSoFar(
            stretch, recording.info, slots: recording.slots, losses: recording.losses, markers: recording.markers)
        let report = try HTMLReport(soFar, options: AnalysisOptions(), fileName: "a.db", vega: nil)
        let page = try report.render(live: LiveStatus(.recording, totals, stretchNs: 5_000_000_000), version: 7)
        let policy = try #require(page.between("Content-Security-Policy\" content=\"", "\">").first)
        #expect(policy.hasPrefix("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"))
        #expect(policy.hasSuffix("; connect-src 'self'"))
        for inline in page.between("<script>", "</script>") + page.between("<style>", "</style>") {
            #expect(policy.contains("'sha256-\(Data(SHA256.digest(inline.utf8)).base64EncodedString())'"))
        }
        #expect(!page.contains("<img src=x") && !page.contains("\u{202e}"))
        #expect(page.contains("<p class=\"live bad\" id=\"live\" data-version=\"7\"><b class=\"word\">recording</b>"))
        #expect(page.contains("2 losses</span> <span class=\"note\">Below: the last 5 s.</span>"))
        #expect(page.contains("it is being recorded"))
        // Losses are a fault; that it goes on is none.
        func trust(_ page: String) -> String? {
            page.components(separatedBy: "\" href=\"#fidelity\">").first?
                .components(separatedBy: "<a class=\"verdict ").last
        }
        #expect(trust(page) == "bad")
        let sound = RecordingSoFar(
            RecentStretch(lengthNs: .max / 2), recording.info, slots: recording.slots, losses: [], markers: [])
        let young = try HTMLReport(sound, options: AnalysisOptions(), fileName: "a.db", vega: nil)
        #expect(trust(try young.render(live: LiveStatus(.recording, totals, stretchNs: nil), version: 1)) == "open")
        // What the analysis does not hold is left out, not called empty.
        #expect(!page.contains("data-set=\"kvm_stats\"") && page.contains("data-set=\"losses\""))
        // A page of a file has nothing of it.
        let file = try report.render { _ in [] }
        #expect(!file.contains("connect-src") && !file.contains("EventSource") && !file.contains("id=\"live\""))
        #expect(file.contains("asks no network") && !page.contains("asks no network"))
        let event = LiveStatus(.recording, RunningTotals(), stretchNs: nil).event(page: 3)
        #expect(
            event
                == #"{"word":"recording","text":"0 ns · 0 iterations · 0 entries of 0 pages · nothing lost","tone":"good","page":3}"#
        )
    }

    @Test func `the policy allows what is in the file and nothing else`() throws {
        let folder = try PageFolder()
        try PageSample.record(folder.file("a.db"), 6)
        let page = try PageSample.page(folder.file("a.db"), vega: "var a = '</script>'")
        let policy = try #require(page.between("Content-Security-Policy\" content=\"", "\">").first)
        #expect(policy.hasPrefix("default-src 'none'; script-src 'sha256-"))
        #expect(!policy.contains("unsafe"))
        let scripts = page.between("<script>", "</script>")
        #expect(scripts.count == 5)
        for inline in scripts + page.between("<style>", "</style>") {
            #expect(policy.contains("'sha256-\(Data(SHA256.digest(inline.utf8)).base64EncodedString())'"))
        }
        #expect(policy.components(separatedBy: "sha256-").count - 1 == 6)
        #expect(!page.contains("http:") && page.components(separatedBy: "https:").count - 1 == 11, "only $schema names")
        #expect(!page.contains(" style=") && !page.contains(" onclick="))
    }

    @Test func `without Vega the page is complete and says what adds interaction`() throws {
        let folder = try PageFolder()
        try PageSample.record(folder.file("a.db"), 12)
        let page = try PageSample.page(folder.file("a.db"))
        #expect(page.contains("scripts/vega"))
        for chart in [
            "rate", "vcpus", "working_set", "footprint", "redirty", "costs", "stalls", "sharing", "granularity",
            "ring_what_if", "checkpoints",
        ] {
            let figure = try #require(page.between("data-chart=\"\(chart)\">", "</figure>").first, "\(chart)")
            #expect(figure.contains("<svg role=\"img\" aria-label="))
            #expect(!figure.contains("nan") && !figure.contains("inf"))
        }
        #expect(page.contains("<noscript><img"))
    }

    @Test func `a cut-off recording, an empty one and one without vCPUs make pages`() throws {
        let folder = try PageFolder()
        try PageSample.record(folder.file("cut.db"), 5, isWhole: false)
        let page = try PageSample.page(folder.file("cut.db"))
        #expect(page.contains("Cut off") || page.contains("Losses"))
        let writer = try RecordingWriter(path: folder.file("empty.db"), info: RecordingInfo())
        try writer.finish(reason: .signal, endNs: 5, rows: true)
        #expect(try PageSample.page(folder.file("empty.db")).contains("</html>"))
    }

    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["DIRTYREC_PAGES"] != nil, "scripts/test-browser asks for pages"))
    func `pages for the browser tests`() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["DIRTYREC_PAGES"])
        let vega = try String(contentsOfFile: folder + "/vega.js", encoding: .utf8)
        for (name, guest, bundle) in [
            ("page", "zipf:size=64MiB,region=shared", vega), ("plain", "zipf", nil),
            ("hostile", PageSample.hostile, vega),
        ] as [(String, String, String?)] {
            let path = "\(folder)/\(name).db"
            try PageSample.record(path, 50, entries: 1600, name: guest)
            try PageSample.page(path, vega: bundle).write(
                toFile: "\(folder)/\(name).html", atomically: true, encoding: .utf8)
        }
        try PageSample.record("\(folder)/before.db", 50, entries: 900)
        try PageSample.diff("\(folder)/before.db", "\(folder)/page.db").write(
            toFile: "\(folder)/diff.html", atomically: true, encoding: .utf8)
    }
}

struct PagePartsTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `digests are those of FIPS 180-4`(message: String, digest: String) {
        let hex = SHA256.digest(message.utf8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == digest)
    }

    @Test func `packed counts are as small as they are sparse`() {
        #expect(MapPicture.pack([]) == [])
        #expect(MapPicture.pack([0, 0, 5, 0]) == [0, 2, 5, 0, 1])
        #expect(MapPicture.pack([300]) == [0xac, 2])
        #expect(MapPicture.pack([UInt32](repeating: 0, count: 1_000_000)).count == 4)
    }

    @Test func `a PNG has its chunks and checksums`() {
        // A single white pixel; its checksums are known.
        let png = PNG.encode(width: 1, height: 1, pixels: [0], palette: [0xFFFFFF])
        #expect(png.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        #expect(png.suffix(12) == [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82])
    }

    @Test func `JSON in a script cannot end it`() {
        let text = HTML.embed(.string("</script><!--&\u{2028}"))
        #expect(text == #""\u003c/script\u003e\u003c!--\u0026\u2028""#)
    }
}

extension String {
    /// Every shortest stretch between `start` and `end`.
    fileprivate func between(_ start: String, _ end: String) -> [String] {
        components(separatedBy: start).dropFirst().compactMap { $0.components(separatedBy: end).first }
    }
}
