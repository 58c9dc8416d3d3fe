import Foundation
import Model
import Testing

@testable import Analysis
@testable import Report

@Suite struct LiveScreenTests {
    private func view(
        _ recording: MemoryRecording = RichRecording.make(), vcpus: [RunningTotals.VCPU] = [.init(), .init()],
        _ state: LiveView.State = .recording
    ) throws -> LiveView {
        var stretch = RecentStretch(lengthNs: .max / 2)
        var totals = RunningTotals()
        for batch in recording.batches {
            stretch.add(batch)
            totals.add(batch)
        }
        let analysis = try Analyzer.analyze(recording)
        (totals.counts, totals.pages) = (analysis.duplicates, analysis.counts.distinctGFNs)
        totals.vcpus = vcpus
        return try LiveView(
            info: recording.info, state: state, totals: totals,
            recent: RecentAnalysis(stretch, recording.info, slots: recording.slots), bandwidth: 1_250_000_000,
            downtimeNs: 300_000_000)
    }

    private func text(_ lines: [LiveScreen.Line]) -> [String] { lines.map { $0.map(\.text).joined() } }

    @Test func `a screen of any size is filled, and no more`() throws {
        let view = try view()
        for (width, height) in [
            (0, 0), (1, 1), (1, 50), (2, 2), (200, 1), (13, 7), (40, 12), (79, 24), (80, 24), (200, 50),
        ] {
            for (isUnicode, showsHelp) in [(true, false), (false, false), (true, true)] {
                var screen = LiveScreen(width: width, height: height, isUnicode: isUnicode)
                screen.showsHelp = showsHelp
                let lines = text(screen.lines(view))
                #expect(lines.count == (width == 0 ? 0 : height))
                for line in lines {
                    #expect(DisplayWidth.of(line) == width, "\(width)x\(height): '\(line)'")
                    #expect(isUnicode || line.allSatisfy(\.isASCII), "\(line)")
                }
            }
        }
    }

    @Test func `80 columns and 24 lines hold everything`() throws {
        let lines = text(LiveScreen(width: 80, height: 24).lines(try view()))
        for word in [
            "dirtyrec top", "recording", " unique", " entries", " average 40 iterations", "duplicates: cross-ring",
            "LOST    1 overrun, 1 short_reset", "Would it migrate now at 10 Gbit/s and 300 ms?  Yes", "300 ms needs",
            "Working set", "stands still", "Region of 2 MiB", "q quit",
        ] {
            #expect(lines.contains { $0.contains(word) }, "\(word) is not in:\n\(lines.joined(separator: "\n"))")
        }
    }

    @Test func `losses are red, and nothing in a recording can write to the terminal`() throws {
        let view = try view()
        let lines = LiveScreen(width: 120, height: 40).lines(view)
        #expect(lines.contains { $0.contains { $0.style == .bad && $0.text.contains("7 entries lost") } })
        for text in text(lines) + [view.line, view.json.text()] {
            #expect(text.unicodeScalars.allSatisfy { $0.value >= 32 && !(0x7f..<0xa0).contains($0.value) }, "\(text)")
            #expect(!text.contains("\u{202e}"))
        }
        #expect(view.line.contains("LOST 1 overrun, 1 short_reset; 7 entries lost"))
    }

    @Test func `keys change the migration and the order`() throws {
        var view = try view()
        try view.assume(bandwidth: 125_000, downtimeNs: 1_000_000)
        let lines = text(LiveScreen(width: 100, height: 30).lines(view))
        #expect(lines.contains { $0.contains("Would it migrate now at 1 Mbit/s and 1 ms?  ") }, "\(lines)")
        var screen = LiveScreen(width: 100, height: 30)
        screen.order = .address
        #expect(text(screen.lines(view)).last?.contains("s order: address") == true)
    }

    @Test func `before the first iteration there is little to say`() throws {
        let info = RecordingInfo()
        let view = try LiveView(
            info: info, state: .cutOff, totals: RunningTotals(), recent: nil, bandwidth: 1, downtimeNs: 1)
        #expect(text(LiveScreen(width: 80, height: 24).lines(view)).contains { $0.contains("Waiting for the first") })
        #expect(view.line.hasSuffix("nothing lost  cut off"))
    }

    @Test func `the page of top explains each key of a JSON line`() throws {
        let page = try String(
            contentsOfFile: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("docs/top.md").path, encoding: .utf8)
        var missing: [String] = []
        func walk(_ value: JSON, _ path: String) {
            switch value {
            case .object(let members) where path == "losses":
                #expect(!members.isEmpty)
                if !page.contains("| `losses.*` |") { missing.append("losses.*") }
            case .object(let members):
                for (key, value) in members { walk(value, path.isEmpty ? key : "\(path).\(key)") }
            case .array(let values): if let first = values.first { walk(first, path + "[]") }
            default: if !page.contains("| `\(path)` |") { missing.append(path) }
            }
        }
        walk(try view().json, "")
        #expect(missing == [])
    }
}
