import Analysis
import Model
import Platform

/// What `dirtyrec report FILE` prints: one section a question, at most about 120 columns.
package enum TextReport {
    package static func render(_ analysis: RecordingAnalysis) -> String {
        if analysis.isLogOnly {
            let sections = [answers(analysis), provenance(analysis)] + TextMigration.sections(analysis)
            return sections.filter { !$0.lines.isEmpty }.map(\.text).joined(separator: "\n")
        }
        var sections = [
            answers(analysis), provenance(analysis), rate(analysis), foreignRates(analysis), workingSet(analysis),
            vcpus(analysis),
            duplicates(analysis),
            redirty(analysis), granularity(analysis), phases(analysis), order(analysis), hottest(analysis),
        ]
        sections += TextMigration.sections(analysis) + [TextConvergence.section(analysis.convergence)]
        sections += [checkpoints(analysis), ringWhatIf(analysis), costs(analysis), TextFidelity.section(analysis)]
        return sections.filter { !$0.lines.isEmpty }.map(\.text).joined(separator: "\n")
    }

    // MARK: Sections

    /// What the page begins with, too: each question with its answer, then a sentence.
    private static func answers(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Answers")
        let verdicts = Verdict.all(analysis)
        let width = verdicts.map { DisplayWidth.of($0.question) }.max() ?? 0
        for verdict in verdicts {
            section.field(verdict.question, verdict.figure, width: width)
            section.note(verdict.sentence, indent: 4)
        }
        return section
    }

    static func provenance(_ analysis: RecordingAnalysis) -> Section {
        let info = analysis.info
        var section = Section("Recording")
        section.field(
            "guest", [info.guestKind, info.guest].filter { !$0.isEmpty }.map(Sanitizer.line).joined(separator: " "))
        // A log tells nothing of these.
        if !analysis.isLogOnly {
            section.field(
                "size",
                "\(info.vcpuCount) vCPU\(info.vcpuCount == 1 ? "" : "s"), "
                    + "\(info.memoryBytes > 0 ? Units.size(info.memoryBytes) : "memory of unknown size"), "
                    + "pages of \(Units.size(info.pageSize))")
            var source = "\(info.source.rawValue), \(info.mode.rawValue)"
            if let ring = info.ringEntries { source += ", rings of \(Units.counted(Int64(ring), "entry", "entries"))" }
            if info.intervalNs > 0 { source += ", every \(Units.duration(info.intervalNs))" }
            section.field("source", source)
        }
        let host = [info.host, info.kernel, info.kvmModule, info.cpu].filter { !$0.isEmpty }.map(Sanitizer.line)
        section.field("host", host.isEmpty ? "unknown" : host.joined(separator: ", "))
        if !info.tool.isEmpty { section.field("recorded by", Sanitizer.line(info.tool)) }
        // These are in the fidelity card.
        let labels = info.labels.filter {
            ![WayIn.key, WayIn.loggingKey, WayIn.checkKey, WayIn.unseenKey, RecordingInfo.sharedCPUsKey].contains(
                $0.key)
        }
        if !labels.isEmpty {
            section.field(
                "labels",
                labels.sorted { $0.key < $1.key }.map { Sanitizer.line("\($0.key)=\($0.value)") }
                    .joined(separator: ", "))
        }
        if analysis.isLogOnly { return section }
        let counts = analysis.counts
        section.field(
            "recorded",
            "\(Units.counted(counts.entries, "entry", "entries")), \(Units.counted(counts.distinctGFNs, "different page", "different pages")), "
                + "\(Units.counted(counts.iterations, "iteration", "iterations")), \(Units.duration(counts.durationNs))"
        )
        section.field("ended", TextFidelity.ending(analysis))
        return section
    }

    private static func rate(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Dirty rate")
        guard let entries = analysis.rate.entriesPerSecond, let pages = analysis.rate.pagesPerSecond,
            let bytes = analysis.rate.bytesPerSecond
        else {
            section.note("The recording takes no time: no rate.")
            return section
        }
        let per = analysis.rate.pagesPerIteration
        section.field(
            "unique pages", "\(Units.rate(pages)) = \(Units.dataRate(bytes)), a page counted once an iteration")
        section.field("entries", "\(Units.rate(entries)), duplicates included: what QEMU's ring mode counts")
        section.field(
            "per iteration",
            "min \(Units.count(per.min)), p50 \(Units.count(per.p50)), p95 \(Units.count(per.p95)), "
                + "max \(Units.counted(per.max, "unique page", "unique pages"))")
        return section
    }

    /// Other tools' figures beside ours; empty when nobody else measured.
    static func foreignRates(_ analysis: RecordingAnalysis) -> Section {
        var section = Section(Tables.foreignRates.title)
        guard !analysis.foreignRates.isEmpty else { return section }
        section.table(Tables.foreignRates.text(analysis))
        section.note(
            "What it counts is compared: QEMU's ring mode counts entries, its bitmap mode pages, and page sampling estimates "
                + "pages whose content changed. Unique pages: each counted once in the window."
        )
        if analysis.foreignRatesLeftOut > 0 {
            section.note(
                "The first \(analysis.foreignRates.count) are compared; "
                    + "\(Units.count(Int64(analysis.foreignRatesLeftOut))) more are in the table foreign_rate.")
        }
        return section
    }

    private static func workingSet(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Writable working set: distinct pages dirtied in a window of length τ")
        guard !analysis.workingSet.isEmpty else {
            section.note("No complete window.")
            return section
        }
        var table = Columns(
            ["τ", "ticks", "windows", "min", "p50", "p90", "p95", "max", "max bytes"], right: Set(0...8))
        let pageSize = analysis.info.pageSize
        for window in analysis.workingSet {
            func bracket(_ figure: KeyPath<WorkingSetWindow.Pages, Int64>) -> String {
                Text.bracket(window.low[keyPath: figure], window.high[keyPath: figure], Units.count)
            }
            table.add([
                (window.iterations == nil ? "" : "≈ ") + Units.duration(window.tauNs),
                window.iterations.map { "\($0)" } ?? "-",
                Units.count(Int64(window.windows)), bracket(\.min), bracket(\.p50), bracket(\.p90), bracket(\.p95),
                bracket(\.max), Units.size(window.high.max * pageSize),
            ])
        }
        section.table(table)
        section.note("Windows of whole ticks are exact, and ≈ is their mean length. Reads are unseen.")
        return section
    }

    private static func vcpus(_ analysis: RecordingAnalysis) -> Section {
        var section = Section(Tables.rings.title)
        guard !analysis.rings.isEmpty else { return section }
        section.table(Tables.rings.text(Text.mostEntries(analysis.rings, 16), analysis))
        if analysis.rings.count > 16 { section.note("The 16 of \(analysis.rings.count) with the most entries.") }
        if !analysis.fidelity.hasVCPUs {
            section.note(
                "This source does not name the vCPU: no split, no sharing, no fill of rings, no limit for a vCPU.")
        }
        return section
    }

    private static func duplicates(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Duplicates: entries beyond the first of a page in an iteration")
        let counts = analysis.duplicates
        guard counts.entries > 0 else {
            section.note("No entries.")
            return section
        }
        var table = Columns(["class", "entries", "share", "meaning"], right: [1, 2])
        for (name, value, meaning) in [
            ("distinct", counts.distinct, "first of its page in the iteration"),
            ("cross-ring", counts.crossRing, "another ring had reported the page"),
            ("re-dirtied", counts.redirtied, "the same ring again, re-protected in between: written again"),
            ("same ring", counts.sameRing, "the same ring again, not re-protected in between: emulated writes"),
            ("provisional", counts.provisional, "the write retried after a full ring"),
            ("VMM", counts.vmm, "the VMM's own log repeats the page"),
            ("all", counts.entries, "the sum"),
        ] {
            table.add([name, Units.count(value), Units.percent(Double(value) / Double(counts.entries)), meaning])
        }
        section.table(table)
        if let pair = analysis.sharing.pairs.first {
            section.note(
                "Page sharing: \(Units.counted(analysis.sharing.pages, "page was", "pages were")) dirtied by several vCPUs in one iteration, most often by "
                    + "\(pair.first) and \(pair.second) (\(Units.counted(pair.pages, "time", "times"))).")
            section.note("Which bytes were written is unseen: this is no evidence of false sharing.")
        }
        return section
    }

    private static func redirty(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Re-dirty intervals")
        let redirty = analysis.redirty
        guard redirty.pages > 0 else { return section }
        let parts = ([1, 2, 4, 8, 16, 32] as [Int64]).map { "≤ \($0): \(Units.percent(redirty.share(upTo: $0)))" }
        section.field("ticks", redirty.intervals == 0 ? "no page was dirtied twice" : parts.joined(separator: "   "))
        section.field(
            "never again",
            "\(Units.count(redirty.neverRedirtied)) of \(Units.counted(redirty.pages, "page", "pages")) (\(Units.percent(redirty.neverShare)))"
        )
        return section
    }

    private static func granularity(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Granularity: dirty bytes if tracked in larger units, over the whole recording")
        guard analysis.counts.distinctGFNs > 0 else { return section }
        section.table(Tables.granularity.text(analysis))
        return section
    }

    private static func phases(_ analysis: RecordingAnalysis) -> Section {
        var section = Section(Tables.phases.title)
        let phases = analysis.phases
        guard !phases.phases.isEmpty else { return section }
        if phases.phases.count == 1 {
            section.note("No change found: the guest keeps dirtying much the same pages, or no window repeats another.")
        } else {
            section.table(Tables.phases.text(phases.phases.prefix(16), analysis))
            if phases.phases.count > 16 { section.note("The first 16 of \(phases.phases.count).") }
            section.note(
                "Similarity: Jaccard, the \(phases.window) ticks before the phase against those after its start.")
        }
        if let quiet = phases.quietest {
            section.field(
                "quietest",
                "\(Units.duration(quiet.startNs - phases.beginNs)) to \(Units.duration(quiet.endNs - phases.beginNs)): "
                    + "\(Units.counted(quiet.pages, "page", "pages")) (median of such windows \(Units.count(phases.quietMedianPages)))"
            )
        }
        return section
    }

    private static func order(_ analysis: RecordingAnalysis) -> Section {
        var section = Section(Tables.orders.title)
        let rings = analysis.order.rings.filter { $0.steps > 0 && $0.vcpu != nil }
        guard !rings.isEmpty else {
            if analysis.order.rings.contains(where: { $0.steps > 0 }) {
                section.note("None: a bitmap gives pages in the order of their addresses.")
            }
            return section
        }
        section.table(Tables.orders.text(rings.prefix(8), analysis))
        if rings.contains(where: { $0.verdict == .reversedBatches }) {
            section.note("PML batches stand backwards; dirtyrec export --order written turns them round.")
        }
        if rings.count > 8 { section.note("The first 8 of \(rings.count) rings.") }
        if let confidence = analysis.order.crossRingConfidence {
            section.note(
                "Across rings: of entries of two rings in one iteration, \(Units.percent(confidence)) of the pairs can be "
                    + "ordered from the harvest times.")
        }
        return section
    }

    private static func hottest(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Hottest pages: dirtied in the most iterations")
        guard !analysis.hottestPages.isEmpty else { return section }
        section.table(Tables.hottest.text(analysis))
        for list in analysis.hotLists where list.pages > 0 {
            section.note(
                "\(Units.counted(list.pages, "page is", "pages are")) dirty in ≥ \(Units.percent(list.iterationShare)) of "
                    + "iterations; sending only at the end instead of every tick saves \(Units.size(list.bytesSaved)).")
        }
        return section
    }

    private static func checkpoints(_ analysis: RecordingAnalysis) -> Section {
        var section = Section(Tables.checkpoints.title)
        guard !analysis.checkpoints.isEmpty, analysis.counts.entries > 0 else { return section }
        section.table(Tables.checkpoints.text(analysis))
        section.note(
            "Full every N: after N increments the chain is as large as a full image; - is never in this recording.")
        return section
    }

    private static func ringWhatIf(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Rings of other sizes, longer intervals: exits because the ring is full")
        guard !analysis.ringWhatIf.isEmpty else { return section }
        let coarser = analysis.harvestWhatIf.dropFirst()
        var table = Tables.ringWhatIf.text(analysis)
        for whatIf in coarser {
            table.append("every \(whatIf.iterations) ticks", whatIf.rings.map { Text.bracket($0.exits, Units.count) })
        }
        section.table(table)
        if let recorded = analysis.harvestWhatIf.first, !coarser.isEmpty {
            section.note(
                "Harvested every " + coarser.map { "\($0.iterations)" }.joined(separator: ", ") + " ticks, "
                    + coarser.map { Units.count($0.entries) }.joined(separator: ", ")
                    + " of \(Units.counted(recorded.entries, "entry", "entries")) would be left: a dirty page is not logged again."
            )
        }
        section.note(
            "A ring emptied at other moments protects pages at other moments, and writes between are unseen: so low..high, and ≥ where "
                + "nothing bounds it. What a shorter interval would show cannot be known.")
        return section
    }

    private static func costs(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("Cost of harvesting")
        var table = Columns(["step", "total", "min", "p50", "p95", "p99", "max"], right: Set(1...6))
        let steps = analysis.costs.steps.filter { $0.summary.max > 0 }
        guard !steps.isEmpty else { return section }
        for (name, summary) in steps {
            table.add(
                [name]
                    + [summary.sum, summary.min, summary.p50, summary.p95, summary.p99, summary.max]
                    .map(Units.duration))
        }
        section.table(table)
        section.note("Per iteration; harvest per pass over one source; stop per vCPU and stop request.")
        return section
    }
}
