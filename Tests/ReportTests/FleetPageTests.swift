import Foundation
import Model
import Testing

@testable import Report

struct FleetPageTests {
    private static let id = "0123456789abcdef0123456789abcdef"

    private func page(guest: String = "zipf", label: String = "kernel=6.1", file: String? = nil) throws -> String {
        var overview = FleetPage.Table(name: "overview", description: "All.", sql: "SELECT '</code>'")
        overview.columns = ["recording", "guest", "entries", "duplicate_share"]
        overview.rows = [[.text(Self.id), .text(guest), .integer(1_234_567), .real(0.25)]]
        var outliers = FleetPage.Table(name: "outliers", description: "Far away.", sql: "SELECT 1")
        outliers.columns = ["figure", "recording", "value"]
        outliers.rows = [
            [.text("pages"), .text(Self.id), .real(9)],
            [.text("unique_bytes_per_s"), .text(Self.id), .real(12_582_912)],
            [.text("longest_pause_ns"), .text(Self.id), .real(2_500_000)],
        ]
        return try FleetPage(
            folder: "/fleets/a", tables: [outliers, overview], labels: [Self.id: [label]],
            files: file.map { [Self.id: $0] } ?? [:],
            addresses: [Self.id: "recording=\(Self.id)/report.html"]
        ).render()
    }

    @Test func `outliers lead to the overview, and the overview to the recording`() throws {
        let page = try page()
        #expect(page.contains("<a href=\"#\(Self.id)\">0123456789ab</a>"))
        #expect(page.contains("<tr id=\"\(Self.id)\">"))
        #expect(page.contains("<a href=\"recording=\(Self.id)/report.html\">"))
        #expect(page.contains("1,234,567") && page.contains("25.0 %") && page.contains("kernel=6.1"))
    }

    @Test func `a recording goes by its file or its labels, and figures have units`() throws {
        let outliers = try #require(
            try page(file: "nightly\u{202e}.db").components(separatedBy: "<section").dropFirst().first)
        #expect(outliers.contains("<td class=\"word\">nightly\\u{202e}.db</td>"))
        #expect(outliers.contains("12 MiB/s") && outliers.contains("2.500 ms"))
        #expect(try page().contains("<td class=\"word\">kernel=6.1</td>"))
    }

    @Test func `what a guest calls itself is text`() throws {
        let page = try page(guest: "</td><script>alert(1)</script>", label: "x=\"><img src=x onerror=alert(1)>\u{202e}")
        #expect(!page.contains("<script") && !page.contains("<img") && !page.contains("\u{202e}"))
        #expect(page.contains("&lt;script&gt;"))
        #expect(page.components(separatedBy: "</code>").count - 1 == 2)
        #expect(page.contains("default-src 'none'; script-src 'none'; style-src 'sha256-"))
    }

    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["DIRTYREC_PAGES"] != nil, "scripts/test-browser asks for pages"))
    func `a page of many recordings for the browser tests`() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["DIRTYREC_PAGES"])
        let ids = (0..<40).map { String(repeating: "0", count: 30) + String($0 + 16, radix: 16) }
        var overview = FleetPage.Table(name: "overview", description: "Every recording.", sql: "SELECT 1")
        overview.columns = [
            "recording", "guest", "guest_kind", "kernel", "source", "vcpus", "memory_bytes", "seconds", "entries",
            "pages", "unique_pages_per_s", "duplicate_share",
        ]
        overview.rows = ids.enumerated().map { number, id in
            [
                .text(id), .text(number == 3 ? PageSample.hostile : "zipf:size=64MiB,rate=40k/s,region=shared"),
                .text("synthetic"), .text("6.12.90"), .text("dirty-ring"), .integer(4), .integer(128 << 20),
                .real(10), .integer(Int64(number) * 123_457), .integer(4096), .real(1234.5), .real(0.25),
            ]
        }
        var outliers = FleetPage.Table(name: "outliers", description: "Far from the others.", sql: "SELECT 2")
        outliers.columns = ["figure", "recording", "value"]
        outliers.rows = [[.text("entries"), .text(ids[39]), .real(4_814_823)]]
        let labels = Dictionary(uniqueKeysWithValues: ids.map { ($0, ["kernel=6.12", "team=migration"]) })
        let addresses = Dictionary(uniqueKeysWithValues: ids.map { ($0, "recording=\($0)/report.html") })
        try FleetPage(folder: "fleet", tables: [outliers, overview], labels: labels, addresses: addresses).render()
            .write(toFile: "\(folder)/fleet.html", atomically: true, encoding: .utf8)
    }
}
