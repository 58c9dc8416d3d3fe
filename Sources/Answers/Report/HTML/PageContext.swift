import Analysis
import Model
import Platform

/// What the templates show, in the words of the templates.
struct PageContext {
    let report: HTMLReport
    let sets: [String: PageData]

    private var analysis: TraceAnalysis { report.analysis }
    private var info: RecordingInfo { report.analysis.info }

    /// Rows of a table that stand in the file as HTML; a script shows the rest.
    private static let staticRows = 64

    var all: [String: Any] {
        [
            "title": title, "subtitle": Self.subtitle(analysis), "version": JSONReport.formatVersion,
            "verdicts": Verdict.all(analysis).map {
                [
                    "question": $0.question, "figure": $0.figure, "sentence": $0.sentence, "section": $0.section,
                    "tone": $0.tone.rawValue,
                ]
            },
            "mapAlt": mapAlt, "mapNote": mapNote, "hasVega": report.vega != nil,
            "markers": report.markers.prefix(100).map {
                ["at": Units.fixed(Double($0.tsNs - info.startNs) / 1e9, decimals: 3), "text": Sanitizer.line($0.text)]
            }, "hasMarkers": !report.markers.isEmpty,
            "timeCharts": timeCharts, "convergence": convergence, "checkpointCharts": charts(["checkpoints"]),
            "vcpuCharts": charts(["rings", "vcpus", "sharing", "ring_what_if"]),
            "costCharts": charts(["costs", "stalls"]),
            "tables": PageContext.tables.compactMap(table),
            "windows": chart(named: "working_set_windows", PageContext.windowsTable) as Any,
            "fidelity": facts(FidelityFacts.fidelity(analysis)),
            "provenance": facts(FidelityFacts.provenance(analysis)),
        ]
    }

    private var title: String {
        let guest = Sanitizer.line(info.guest)
        return guest.isEmpty ? Sanitizer.line(report.fileName) : guest
    }

    /// What was recorded, in one line.
    static func subtitle(_ analysis: TraceAnalysis) -> String {
        let (info, counts) = (analysis.info, analysis.counts)
        var parts = [
            "\(info.vcpuCount) vCPU\(info.vcpuCount == 1 ? "" : "s")", Units.size(info.memoryBytes),
            "\(Units.duration(counts.durationNs)) in \(Units.counted(counts.iterations, "iteration", "iterations"))",
            "\(Units.counted(counts.entries, "entry", "entries")) of \(Units.counted(counts.distinctGFNs, "page", "pages"))",
            "\(info.source.rawValue), \(info.mode.rawValue)",
        ]
        if !info.host.isEmpty { parts.append("on " + Sanitizer.line(info.host)) }
        return parts.joined(separator: " · ")
    }

    private var mapAlt: String {
        "Dirty map: \(Units.counted(analysis.counts.distinctGFNs, "page", "pages")) from top to bottom, "
            + "\(Units.duration(analysis.counts.durationNs)) from left to right; the darker, the more entries."
    }

    private var mapNote: String {
        let map = report.map
        let rows = "One row is \(Units.count(Int64(map.axis.pagesPerRow))) page\(map.axis.pagesPerRow == 1 ? "" : "s")"
        let columns = "one column \(Units.count(map.ticksPerColumn)) iteration\(map.ticksPerColumn == 1 ? "" : "s")"
        return "\(rows), \(columns). Ranges that were never dirtied are left out."
    }

    private func facts(_ facts: [(String, String)]) -> [[String: Any]] {
        facts.map { ["name": Sanitizer.line($0.0), "value": Sanitizer.line($0.1)] }
    }

    // MARK: Convergence

    private var convergence: [String: Any] {
        let (heads, rows) = ConvergenceView.table(analysis.convergence)
        let chosen = analysis.convergence.grid.first {
            $0.bandwidth == Verdict.bandwidth && $0.downtimeNs == Verdict.downtimeNs
        }
        var view: [String: Any] = ["heads": heads, "grid": rows]
        if let chosen {
            view["title"] = ConvergenceView.title(chosen)
            view["sentence"] = Sanitizer.line(ConvergenceView.sentence(chosen))
            view["rounds"] = ConvergenceView.shown(chosen.outcome).map { number, round in
                [
                    "number": "\(number)", "start": Text.bracket(round.startNs, Units.duration),
                    "pages": Text.bracket(round.pages, Units.count), "bytes": Text.bracket(round.bytes, Units.size),
                    "lasts": Text.bracket(round.durationNs, Units.duration),
                    "dirty": Text.bracket(round.dirtyPages, Units.count),
                ]
            }
            let sql = ConvergenceView.sql(chosen.outcome)
            view["sql"] = sql ?? ""
            view["hasSQL"] = sql != nil
            view["hasRounds"] = !chosen.outcome.rounds.isEmpty
        }
        view["least"] = analysis.convergence.leastBandwidth.filter { $0.policy == .qemu }.map {
            $0.bandwidth.map { Units.bandwidth(Double($0)) } ?? "none seen"
        }
        view["memory"] = "\(Units.size(analysis.convergence.memoryPages * info.pageSize))"
        return view
    }

    // MARK: Charts

    /// What stands around a picture.
    struct Caption {
        var title: String
        var note: String
        var isWide = false
        var nothing = "Nothing of the kind was recorded."
    }

    static let windowsTable = Caption(
        title: "Writable working set by window",
        note: "Distinct pages in a window; exact, because windows lie on iterations.")

    static let captions: [String: Caption] = [
        "rate": Caption(
            title: "Dirty rate",
            note: "Entries count duplicates, as QEMU's ring mode does; unique pages are what a migration sends."),
        "working_set": Caption(
            title: "Writable working set over time", note: "Distinct pages in the window that ends at each moment."),
        "footprint": Caption(
            title: "Footprint", note: "Distinct pages in a window, averaged over all windows of its length."),
        "redirty": Caption(
            title: "How soon pages are dirty again", note: "Share of re-dirty intervals that are at most so long."),
        "granularity": Caption(
            title: "Granularity",
            note: "What tracking in larger units would mark dirty, as a multiple of the dirty pages."),
        "vcpus": Caption(title: "Who dirties, over time", note: "Entries per second, stacked by vCPU.", isWide: true),
        "rings": Caption(
            title: "Who dirties", note: "Whoever is harvested first is the first to report a page.", isWide: true),
        "sharing": Caption(
            title: "Page sharing",
            note: "Pages that two vCPUs dirtied in one iteration. Bytes are unseen: no evidence of false sharing.",
            nothing: "No two vCPUs dirtied a page in the same iteration."),
        "stalls": Caption(
            title: "Full rings", note: "How long vCPUs stood still because their ring was full.",
            nothing: "No ring was full."),
        "ring_what_if": Caption(
            title: "Rings of other sizes",
            note: "Exits because the ring is full, from the recorded fill at the recorded interval."),
        "costs": Caption(title: "Cost of harvesting", note: "Milliseconds per iteration, by step."),
        "checkpoints": Caption(
            title: "Incremental checkpoints", note: "What a chain of increments holds, by the time between two.",
            isWide: true),
        "hottest": Caption(title: "Hottest pages", note: "Dirtied in the most iterations."),
        "shared": Caption(title: "Shared pages", note: "Dirtied by several vCPUs in the same iteration."),
        "iterations": Caption(title: "Iterations", note: "What each found, and what it cost."),
        "losses": Caption(title: "Losses", note: "Everything that may have made an entry disappear.", nothing: "None."),
        "kvm_stats": Caption(title: "KVM statistics", note: "Increase over the recording."),
    ]
    static let tables = ["hottest", "shared", "iterations", "losses", "kvm_stats"]

    private var timeCharts: [[String: Any]] { charts(["rate", "working_set", "footprint", "redirty", "granularity"]) }

    private func charts(_ names: [String]) -> [[String: Any]] {
        names.compactMap { name in PageContext.captions[name].flatMap { chart(named: name, $0) } }
    }

    private func chart(named name: String, _ caption: Caption) -> [String: Any]? {
        guard let set = sets[name] else { return nil }
        // Rings that were never full make a picture of nothing.
        let isEmpty = set.rows.isEmpty || name == "stalls" && report.map.course.allSatisfy { $0.ringFull == 0 }
        let (svg, legend) =
            isEmpty
            ? ("", []) : StaticCharts.draw(set, title: "\(caption.title). \(caption.note)", isWide: caption.isWide)
        return Self.view(set, caption, svg: svg, legend: legend, isEmpty: isEmpty)
    }

    /// A picture with its figures and its statement, for the template `chart`.
    static func view(
        _ set: PageData, _ caption: Caption, svg: String, legend: [String], isEmpty: Bool
    ) -> [String: Any] {
        var view = rows(set)
        view["name"] = set.name
        view["caption"] = caption.title
        view["note"] = caption.note
        view["svg"] = svg
        view["hasPicture"] = !svg.isEmpty
        view["legend"] = legend.enumerated().map { ["color": "s\($0 % 8)", "name": $1] as [String: Any] }
        view["sql"] = set.sql
        view["isEmpty"] = isEmpty
        view["hasTable"] = !isEmpty && svg.isEmpty
        view["nothing"] = caption.nothing
        view["isWide"] = caption.isWide
        return view
    }

    private func table(_ name: String) -> [String: Any]? {
        PageContext.captions[name].flatMap { chart(named: name, $0) }
    }

    /// The table of a set, for the template `figures`.
    ///
    /// - Parameter limit: Rows that stand in the file for readers without scripts.
    static func rows(_ set: PageData, limit: Int = staticRows) -> [String: Any] {
        [
            "columns": set.columns.map { ["title": $0.title, "class": $0.kind.isNumber ? "n" : "t"] },
            "rows": set.rows.prefix(limit).map { row in
                [
                    "cells": zip(set.columns, row).map {
                        ["value": $0.kind.format($1), "class": $0.kind.isNumber ? "n" : "t"]
                    }
                ]
            },
            "more": set.rows.count > limit
                ? "The first \(limit) of \(Units.count(Int64(set.rows.count)))." : "",
        ]
    }
}

/// The fidelity card and the provenance as pairs of a name and a sentence.
enum FidelityFacts {
    static func fidelity(_ analysis: TraceAnalysis) -> [(String, String)] {
        TextFidelity.section(analysis).fields + foreignRates(analysis)
    }

    /// What others measured of the whole guest.
    private static func foreignRates(_ analysis: TraceAnalysis) -> [(String, String)] {
        let pageSize = analysis.info.pageSize
        return analysis.foreignRates.filter { $0.rate.vcpu == nil }.map { row in
            (
                row.rate.tool,
                "\(Units.dataRate(Double(row.rate.bytesPerSecond))) for \(Units.duration(row.durationNs)); our entries "
                    + "\(Units.dataRate(row.bytesPerSecond(row.entries, pageSize: pageSize))), unique pages "
                    + Units.dataRate(row.bytesPerSecond(row.pages, pageSize: pageSize))
            )
        }
    }

    static func provenance(_ analysis: TraceAnalysis) -> [(String, String)] {
        let info = analysis.info
        var facts = TextReport.provenance(analysis).fields
        facts.append(("command", info.commandLine))
        facts.append(("recording", info.id))
        return facts.filter { !$0.1.isEmpty }
    }
}
