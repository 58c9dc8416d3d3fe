import Analysis
import Model
import Platform

/// What the templates show, in the words of the templates.
struct PageContext {
    let report: HTMLReport
    let sets: [String: PageData]

    private var analysis: RecordingAnalysis { report.analysis }
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
            "timeCharts": charts(["rate", "working_set", "footprint", "redirty", "granularity"]),
            "migration": migration, "convergence": convergence, "checkpointCharts": charts(["checkpoints"]),
            "snapshots": charts(["snapshots"] + (sets["contents"]?.rows.isEmpty == false ? ["contents"] : [])),
            "vcpuCharts": charts(["rings", "vcpus", "sharing", "ring_what_if"]),
            "costCharts": charts(["costs", "stalls"]),
            "tables": charts(Self.tables),
            "windows": chart("working_set_windows") as Any,
            "fidelity": facts(FidelityFacts.fidelity(analysis)),
            "provenance": facts(FidelityFacts.provenance(analysis)),
        ]
    }

    private var title: String {
        let guest = Sanitizer.line(info.guest)
        return guest.isEmpty ? Sanitizer.line(report.fileName) : guest
    }

    /// What was recorded, in one line.
    static func subtitle(_ analysis: RecordingAnalysis) -> String {
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
        let columns =
            "one column \(Units.count(map.iterationsPerColumn)) iteration\(map.iterationsPerColumn == 1 ? "" : "s")"
        return "\(rows), \(columns). Ranges that were never dirtied are left out."
    }

    private func facts(_ facts: [(String, String)]) -> [[String: Any]] {
        facts.map { ["name": Sanitizer.line($0.0), "value": Sanitizer.line($0.1)] }
    }

    // MARK: Migration

    /// Tables that the text has, too; false where nobody imported a log.
    private var migration: Any {
        guard let report = analysis.migration else { return false }
        let passes = Tables.migrationPasses
        let tables = [
            view(Tables.migrationAttempts, analysis), view(passes, analysis, passes.note),
            report.predictions.isEmpty ? nil : view(Tables.migrationPredictions, analysis),
        ]
        return ["tables": tables.compactMap(\.self)]
    }

    private func view<Row>(
        _ table: Table<RecordingAnalysis, Row>, _ analysis: RecordingAnalysis, _ note: String = ""
    ) -> [String: Any] {
        let shown = table.columns.filter { $0.media.contains(.page) }
        func name(_ kind: Kind) -> String { kind.isNumber ? "n" : "t" }
        let rows = table.rows(analysis)
        return [
            "caption": table.title, "note": note, "name": "",
            "columns": shown.map { ["title": $0.heading, "class": name($0.kind)] },
            "rows": rows.prefix(Self.staticRows).map { row in
                [
                    "cells": shown.map { column in
                        [
                            "value": column.words?(row, analysis)
                                ?? column.kind.format(column.value(row, analysis), missing: "–"),
                            "class": name(column.kind),
                        ]
                    }
                ]
            },
            "more": rows.count > Self.staticRows
                ? "The first \(Self.staticRows) of \(Units.count(Int64(rows.count)))." : "",
        ]
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

    /// Sets that are as wide as two.
    private static let wide: Set = ["vcpus", "rings", "checkpoints", "snapshots"]
    /// What is said of sets without rows.
    private static let nothing = [
        "sharing": "No two vCPUs dirtied a page in the same iteration.", "stalls": "No ring was full.",
        "snapshots": "The recording is too short for a diff.",
        "losses": "None.",
    ]
    static let tables = ["hottest", "shared", "iterations", "losses", "kvm_stats"]

    private func charts(_ names: [String]) -> [[String: Any]] { names.compactMap(chart) }

    private func chart(_ name: String) -> [String: Any]? {
        guard let set = sets[name] else { return nil }
        // Rings that were never full make a picture of nothing.
        let isEmpty = set.rows.isEmpty || name == "stalls" && report.map.course.allSatisfy { $0.ringFull == 0 }
        let (svg, legend) =
            isEmpty
            ? ("", [])
            : StaticCharts.draw(set, title: "\(set.title). \(set.note)", isWide: Self.wide.contains(name))
        return Self.view(set, svg: svg, legend: legend, isEmpty: isEmpty)
    }

    /// A picture with its figures and its statement, for the template `chart`.
    static func view(_ set: PageData, svg: String, legend: [String], isEmpty: Bool) -> [String: Any] {
        var view = rows(set)
        view["name"] = set.name
        view["caption"] = set.title
        view["note"] = set.note
        view["svg"] = svg
        view["hasPicture"] = !svg.isEmpty
        view["legend"] = legend.enumerated().map { ["color": "s\($0 % 8)", "name": $1] as [String: Any] }
        view["sql"] = set.sql
        view["isEmpty"] = isEmpty
        view["hasTable"] = !isEmpty && svg.isEmpty
        view["nothing"] = nothing[set.name] ?? "Nothing of the kind was recorded."
        view["isWide"] = wide.contains(set.name)
        return view
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
                        ["value": $0.kind.format($1, missing: "–"), "class": $0.kind.isNumber ? "n" : "t"]
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
    static func fidelity(_ analysis: RecordingAnalysis) -> [(String, String)] {
        TextFidelity.section(analysis).fields + foreignRates(analysis)
    }

    /// What others measured of the whole guest.
    private static func foreignRates(_ analysis: RecordingAnalysis) -> [(String, String)] {
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

    static func provenance(_ analysis: RecordingAnalysis) -> [(String, String)] {
        let info = analysis.info
        var facts = TextReport.provenance(analysis).fields
        facts.append(("command", info.commandLine))
        facts.append(("recording", info.id))
        return facts.filter { !$0.1.isEmpty }
    }
}
