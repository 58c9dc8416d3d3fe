import Analysis
import Model
import Report
import Testing

@Suite struct TextReportTests {
    @Test func `nothing in a recording can write to the terminal`() throws {
        let text = TextReport.render(try Analyzer.analyze(RichRecording.make()))
        #expect(text.contains("zipf\\u{1b}]0;owned\\u{7}\\u{202e}"))
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 32 && !(0x7f..<0xa0).contains($0.value) })
    }

    @Test func `every question has its section, and lines stay short`() throws {
        let text = TextReport.render(try Analyzer.analyze(RichRecording.make()))
        for title in [
            "Recording", "Dirty rate", "Writable working set", "Who dirties", "Duplicates", "Re-dirty intervals",
            "Granularity", "Phases", "Order of entries", "Hottest pages", "Migration as other tools saw it",
            "Migration pass by pass",
            "Migration as it was seen, and as the recording foretells it", "Convergence", "Incremental checkpoints",
            "Rings of other sizes, longer intervals", "Cost of harvesting", "Fidelity",
        ] {
            #expect(text.split(separator: "\n").contains { $0.hasPrefix(title) }, "\(title)")
        }
        for line in text.split(separator: "\n") { #expect(line.count <= 120, "\(line)") }
    }

    /// As wide as figures get: every policy, bandwidths and limits of four digits, vCPU numbers too, brackets of two units.
    @Test func `convergence tables stay within 120 columns`() throws {
        var recording = RichRecording.make()
        recording.slots = [MemorySlot(slot: 0, baseGFN: 0, pages: 1_567, logged: true)]
        recording.batches.removeLast(28)
        for place in recording.batches.indices {
            for vcpu in 1000..<1012 {
                let gfns = (0..<50).map { (GFN(vcpu) << 32) + $0 }
                recording.batches[place].harvests.append(
                    (
                        Harvest(
                            iteration: Int64(place + 1), source: .dirtyRing, vcpu: vcpu, cause: .periodic,
                            sinceNs: Int64(place) * 1_000_000_000, tsNs: Int64(place + 1) * 1_000_000_000,
                            entryCount: gfns.count), gfns
                    ))
            }
        }
        var options = ConvergenceOptions()
        options.bandwidths = [123_400, 1_134_000]
        options.downtimesNs = [1_234_567_890]
        options.policies = MigrationPolicy.allCases
        options.start = .all
        options.maxRounds = 30
        let text = TextConvergence.render(try Convergence.grid(recording, options: options))
        for title in ["Convergence", "Start times", "Least throttle", "Least bandwidth", "Post-copy", "What blocks"] {
            #expect(text.split(separator: "\n").contains { $0.hasPrefix(title) }, "\(title)")
        }
        for line in text.split(separator: "\n") { #expect(line.count <= 120, "\(line)") }
        #expect(text.contains("Entries were lost (2 losses)"))
    }

    @Test func `losses are told as error bars`() throws {
        let text = TextReport.render(try Analyzer.analyze(RichRecording.make()))
        #expect(text.contains("entries were lost (at least 7 known): page counts are lower bounds"))
        #expect(text.contains("overrun × 1: 7 entries known"))
        #expect(text.contains("short_reset × 1: 0 entries known, 1 of unknown extent"))
    }

    @Test func `a cut-off recording says so`() throws {
        var recording = RichRecording.make()
        recording.info.endReason = nil
        #expect(TextReport.render(try Analyzer.analyze(recording)).contains("the recording was cut off"))
    }

    @Test func `a source without vCPUs says what it cannot answer`() throws {
        var recording = MemoryRecording()
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 5))
        batch.harvests = [
            (
                Harvest(
                    iteration: 1, source: .dirtyLog, vcpu: nil, cause: .periodic, sinceNs: 0, tsNs: 5, entryCount: 1),
                [3]
            )
        ]
        recording.batches = [batch]
        let text = TextReport.render(try Analyzer.analyze(recording))
        #expect(text.contains("This source does not name the vCPU: no split, no sharing, no fill of rings"))
        #expect(!text.contains("Page sharing") && !text.contains("Rings of other sizes"))
        #expect(text.contains("Writable working set") && text.contains("Convergence"))
    }
}

@Suite struct NounTests {
    /// One page, dirtied once in one iteration by one vCPU, and one loss.
    private static var single: MemoryRecording {
        var recording = MemoryRecording()
        recording.info.endReason = .duration
        recording.info.ringEntries = 1
        recording.slots = [MemorySlot(slot: 0, baseGFN: 0, pages: 1, logged: true)]
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 1_000_000_000))
        batch.harvests = [
            (
                Harvest(
                    iteration: 1, source: .dirtyRing, vcpu: 0, cause: .periodic, sinceNs: 0, tsNs: 1_000_000_000,
                    entryCount: 1), [0]
            )
        ]
        batch.losses = [Loss(iteration: 1, tsNs: 5, kind: .overrun, vcpu: 0, entries: 1, detail: "")]
        recording.batches = [batch]
        return recording
    }

    @Test func `one thing has a singular, in the text and on the page`() throws {
        let analysis = try Analyzer.analyze(Self.single)
        let page = try HTMLReport(Self.single, options: AnalysisOptions(), fileName: "one.db", vega: nil)
            .render { _ in [] }
        let shown = page.components(separatedBy: "<script").first ?? ""
        for text in [TextReport.render(analysis), TextConvergence.render(analysis.convergence), shown] {
            let wrong = text.matches(
                of: /\b1 (entries|pages|iterations|rounds|losses|vCPUs|different pages|unique pages|windows|harvests)\b/
            ).map { String($0.output.0) }
            #expect(wrong == [])
        }
    }
}
