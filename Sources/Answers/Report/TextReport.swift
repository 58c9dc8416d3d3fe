import Analysis
import Model
import Platform

/// What `dirtyrec report FILE` prints: one section a question, at most about 120 columns.
package enum TextReport {
    /// The whole report, ending with a newline.
    package static func render(_ analysis: TraceAnalysis) -> String {
        var sections = [
            answers(analysis), provenance(analysis), rate(analysis), foreignRates(analysis), workingSet(analysis),
            vcpus(analysis),
            duplicates(analysis),
            redirty(analysis), granularity(analysis), phases(analysis), order(analysis), hottest(analysis),
        ]
        sections.append(TextConvergence.section(analysis.convergence))
        sections += [checkpoints(analysis), ringWhatIf(analysis), costs(analysis), TextFidelity.section(analysis)]
        return sections.filter { !$0.lines.isEmpty }.map(\.text).joined(separator: "\n")
    }

    // MARK: Sections

    /// What the page begins with, too: each question with its answer, then a sentence.
    private static func answers(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Answers")
        let verdicts = Verdict.all(analysis)
        let width = verdicts.map { DisplayWidth.of($0.question) }.max() ?? 0
        for verdict in verdicts {
            section.field(verdict.question, verdict.figure, width: width)
            section.note(verdict.sentence, indent: 4)
        }
        return section
    }

    static func provenance(_ analysis: TraceAnalysis) -> Section {
        let info = analysis.info
        var section = Section("Recording")
        section.field(
            "guest", [info.guestKind, info.guest].filter { !$0.isEmpty }.map(Sanitizer.line).joined(separator: " "))
        section.field(
            "size",
            "\(info.vcpuCount) vCPU\(info.vcpuCount == 1 ? "" : "s"), \(Units.size(info.memoryBytes)), "
                + "pages of \(Units.size(info.pageSize))")
        var source = "\(info.source.rawValue), \(info.mode.rawValue)"
        if let ring = info.ringEntries { source += ", rings of \(Units.counted(Int64(ring), "entry", "entries"))" }
        if info.intervalNs > 0 { source += ", every \(Units.duration(info.intervalNs))" }
        section.field("source", source)
        let host = [info.host, info.kernel, info.kvmModule, info.cpu].filter { !$0.isEmpty }.map(Sanitizer.line)
        section.field("host", host.isEmpty ? "unknown" : host.joined(separator: ", "))
        if !info.tool.isEmpty { section.field("recorded by", Sanitizer.line(info.tool)) }
        if !info.labels.isEmpty {
            section.field(
                "labels",
                info.labels.sorted { $0.key < $1.key }.map { Sanitizer.line("\($0.key)=\($0.value)") }
                    .joined(separator: ", "))
        }
        let counts = analysis.counts
        section.field(
            "recorded",
            "\(Units.counted(counts.entries, "entry", "entries")), \(Units.counted(counts.distinctGFNs, "different page", "different pages")), "
                + "\(Units.counted(counts.iterations, "iteration", "iterations")), \(Units.duration(counts.durationNs))"
        )
        section.field("ended", TextFidelity.ending(analysis))
        return section
    }

    private static func rate(_ analysis: TraceAnalysis) -> Section {
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
    static func foreignRates(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Measured by others in the same window")
        guard !analysis.foreignRates.isEmpty else { return section }
        var table = Columns(
            [
                "tool", "vCPU", "window", "it says", "cut off to", "it counts", "our entries", "unique pages",
                "within 2 %",
            ], right: [1, 2, 3, 4, 6, 7])
        let pageSize = analysis.info.pageSize
        for row in analysis.foreignRates {
            table.add([
                Sanitizer.line(row.rate.tool), row.rate.vcpu.map { "\($0)" } ?? "all", Units.duration(row.durationNs),
                Units.dataRate(Double(row.rate.bytesPerSecond)), Units.dataRate(Double(row.rate.quantum)),
                row.rate.counts.rawValue,
                Units.dataRate(row.bytesPerSecond(row.entries, pageSize: pageSize)),
                Units.dataRate(row.bytesPerSecond(row.pages, pageSize: pageSize)),
                row.agrees(pageSize: pageSize, vcpus: analysis.info.vcpuCount) ? "yes" : "no",
            ])
        }
        section.table(table)
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

    private static func workingSet(_ analysis: TraceAnalysis) -> Section {
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
                (window.ticks == nil ? "" : "≈ ") + Units.duration(window.tauNs), window.ticks.map { "\($0)" } ?? "-",
                Units.count(Int64(window.windows)), bracket(\.min), bracket(\.p50), bracket(\.p90), bracket(\.p95),
                bracket(\.max), Units.size(window.high.max * pageSize),
            ])
        }
        section.table(table)
        section.note("Windows of whole ticks are exact, and ≈ is their mean length. Reads are unseen.")
        return section
    }

    private static func vcpus(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Who dirties")
        guard !analysis.rings.isEmpty else { return section }
        var table = Columns(
            [
                "vCPU", "entries", "share", "first to report", "also in other rings", "ring-full exits", "stood still",
                "longest",
            ],
            right: Set(0...7))
        let total = Double(max(1, analysis.counts.entries))
        for ring in Text.mostEntries(analysis.rings, 16) {
            table.add([
                ring.vcpu.map { "\($0)" } ?? ring.source.rawValue, Units.count(ring.duplicates.entries),
                Units.percent(Double(ring.duplicates.entries) / total), Units.count(ring.duplicates.distinct),
                Units.count(ring.duplicates.crossRing), Units.count(ring.fullExits), Units.duration(ring.stall.sum),
                Units.duration(ring.stall.max),
            ])
        }
        section.table(table)
        if analysis.rings.count > 16 { section.note("The 16 of \(analysis.rings.count) with the most entries.") }
        if !analysis.fidelity.hasVCPUs {
            section.note(
                "This source does not name the vCPU: no split, no sharing, no fill of rings, no limit for a vCPU.")
        }
        return section
    }

    private static func duplicates(_ analysis: TraceAnalysis) -> Section {
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

    private static func redirty(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Re-dirty intervals")
        let redirty = analysis.redirty
        guard redirty.pages > 0 else { return section }
        var share = 0.0
        var parts: [String] = []
        var seen: Int64 = 0
        for limit in [1, 2, 4, 8, 16, 32] as [Int64] {
            seen = redirty.buckets.filter { $0.lastTicks <= limit }.reduce(0) { $0 + $1.count }
            share = redirty.intervals == 0 ? 0 : Double(seen) / Double(redirty.intervals)
            parts.append("≤ \(limit): \(Units.percent(share))")
        }
        section.field("ticks", redirty.intervals == 0 ? "no page was dirtied twice" : parts.joined(separator: "   "))
        section.field(
            "never again",
            "\(Units.count(redirty.neverRedirtied)) of \(Units.counted(redirty.pages, "page", "pages")) (\(Units.percent(redirty.neverShare)))"
        )
        return section
    }

    private static func granularity(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Granularity: dirty bytes if tracked in larger units, over the whole recording")
        guard analysis.counts.distinctGFNs > 0 else { return section }
        var table = Columns(["unit", "dirty units", "bytes", "amplification"], right: [0, 1, 2, 3])
        for unit in analysis.granularity {
            table.add([
                Units.size(unit.bytes), Units.count(unit.units), Units.size(unit.units * unit.bytes),
                Units.times(unit.amplification),
            ])
        }
        section.table(table)
        return section
    }

    private static func phases(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Phases")
        let phases = analysis.phases
        guard let first = phases.phases.first else { return section }
        if phases.phases.count == 1 {
            section.note("No change found: the guest keeps dirtying much the same pages, or no window repeats another.")
        } else {
            var table = Columns(["from", "to", "iterations", "pages", "similarity"], right: Set(0...4))
            for phase in phases.phases.prefix(16) {
                table.add([
                    Units.duration(phase.startNs - first.startNs), Units.duration(phase.endNs - first.startNs),
                    "\(phase.firstTick)–\(phase.lastTick)", Units.count(phase.pages),
                    phase.similarity.map { Units.fixed($0, decimals: 2) } ?? "-",
                ])
            }
            section.table(table)
            if phases.phases.count > 16 { section.note("The first 16 of \(phases.phases.count).") }
            section.note(
                "Similarity: Jaccard, the \(phases.window) ticks before the phase against those after its start.")
        }
        if let quiet = phases.quietest {
            section.field(
                "quietest",
                "\(Units.duration(quiet.startNs - first.startNs)) to \(Units.duration(quiet.endNs - first.startNs)): "
                    + "\(Units.counted(quiet.pages, "page", "pages")) (median of such windows \(Units.count(phases.quietMedianPages)))"
            )
        }
        return section
    }

    private static func order(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Order of entries")
        let rings = analysis.order.rings.filter { $0.steps > 0 && $0.vcpu != nil }
        guard !rings.isEmpty else {
            if analysis.order.rings.contains(where: { $0.steps > 0 }) {
                section.note("None: a bitmap gives pages in the order of their addresses.")
            }
            return section
        }
        var table = Columns(
            [
                "vCPU", "verdict", "mean ascending run", "mean descending run", "most frequent step",
                "place among writes proven",
            ], right: [0, 2, 3, 4, 5])
        for ring in rings.prefix(8) {
            table.add([
                ring.vcpu.map { "\($0)" } ?? "-", ring.verdict.rawValue,
                Units.fixed(ring.meanAscendingRun, decimals: 1),
                Units.fixed(ring.meanDescendingRun, decimals: 1),
                ring.stride.map { "\($0) (\(Units.percent(ring.strideShare)))" } ?? "-",
                ring.provenShare.map(Units.percent) ?? "-",
            ])
        }
        section.table(table)
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

    private static func hottest(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Hottest pages: dirtied in the most iterations")
        guard !analysis.hottestPages.isEmpty else { return section }
        var table = Columns(["GFN", "GPA", "iterations", "share", "entries", "shared in"], right: Set(0...5))
        for page in analysis.hottestPages {
            table.add([
                Text.hex(page.gfn), Text.hex(page.gfn &* UInt64(analysis.info.pageSize)), Units.count(page.ticks),
                Units.percent(Double(page.ticks) / Double(max(1, analysis.counts.iterations))),
                Units.count(page.entries), Units.count(page.sharedTicks),
            ])
        }
        section.table(table)
        for list in analysis.hotLists where list.pages > 0 {
            section.note(
                "\(Units.counted(list.pages, "page is", "pages are")) dirty in ≥ \(Units.percent(list.tickShare)) of "
                    + "iterations; sending only at the end instead of every tick saves \(Units.size(list.bytesSaved)).")
        }
        return section
    }

    private static func checkpoints(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Incremental checkpoints")
        guard !analysis.checkpoints.isEmpty, analysis.counts.entries > 0 else { return section }
        var table = Columns(
            ["every", "iterations", "increments", "mean", "largest", "whole chain", "full every"], right: Set(0...6))
        for checkpoint in analysis.checkpoints {
            table.add([
                "≈ " + Units.duration(checkpoint.cadenceNs), "\(checkpoint.ticks)", Units.count(checkpoint.count),
                Units.size(checkpoint.chainBytes / max(1, checkpoint.count)), Units.size(checkpoint.largestBytes),
                Units.size(checkpoint.chainBytes), checkpoint.fullEvery.map { "\($0)" } ?? "-",
            ])
        }
        section.table(table)
        section.note(
            "Full every N: after N increments the chain is as large as a full image; - is never in this recording.")
        return section
    }

    private static func ringWhatIf(_ analysis: TraceAnalysis) -> Section {
        var section = Section("Rings of other sizes, longer intervals: exits because the ring is full")
        guard !analysis.ringWhatIf.isEmpty else { return section }
        let coarser = analysis.harvestWhatIf.dropFirst()
        var table = Columns(
            ["entries", "exits at", "exits", "vCPU-iterations with one"] + coarser.map { "every \($0.ticks) ticks" },
            right: Set(0...8))
        for (place, size) in analysis.ringWhatIf.enumerated() {
            table.add(
                [
                    Units.count(Int64(size.ringEntries)), Units.count(Int64(size.softLimit)),
                    Text.bracket(size.exits, Units.count) + (size.isRecorded ? " recorded" : ""),
                    Units.count(size.affectedIntervals),
                ] + coarser.map { Text.bracket($0.rings[place].exits, Units.count) })
        }
        section.table(table)
        if let recorded = analysis.harvestWhatIf.first, !coarser.isEmpty {
            section.note(
                "Harvested every " + coarser.map { "\($0.ticks)" }.joined(separator: ", ") + " ticks, "
                    + coarser.map { Units.count($0.entries) }.joined(separator: ", ")
                    + " of \(Units.counted(recorded.entries, "entry", "entries")) would be left: a dirty page is not logged again."
            )
        }
        section.note(
            "A ring emptied at other moments protects pages at other moments, and writes between are unseen: so low..high, and ≥ where "
                + "nothing bounds it. What a shorter interval would show cannot be known.")
        return section
    }

    private static func costs(_ analysis: TraceAnalysis) -> Section {
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
