import Analysis
import Model
import Platform

/// A comparison as one HTML file: what changed, both dirty maps, and the curves of one recording over those of the other.
package struct DiffPage {
    private let comparison: Comparison
    private let gates: [DiffReport.Judged]
    private let sides: [(name: String, report: HTMLReport)]
    private let repetitions: Int

    /// Shows `before` and `after`, one recording of either side.
    ///
    /// - Parameter repetitions: How many further recordings are in `comparison`.
    package init(
        _ comparison: Comparison, gates: [DiffReport.Judged], before: HTMLReport, after: HTMLReport, repetitions: Int
    ) {
        self.comparison = comparison
        self.gates = gates
        sides = [("before", before), ("after", after)]
        self.repetitions = repetitions
    }

    package func render() throws -> String {
        // No statement is run: the curves are all of the analysis.
        let sets = try sides.map { side in
            Dictionary(uniqueKeysWithValues: try side.report.sets(query: { _ in [] }).map { ($0.name, $0) })
        }
        let charts = Self.curves.compactMap { overlay($0, sets) }
        let files = sides.map { Sanitizer.line($0.report.fileName) }
        let figures = Self.figureTable.page(comparison)
        let judgements = Self.gateTable.page(gates)
        let tables = [figures, judgements]
        let context: [String: Any] = [
            "title": files.joined(separator: " → "), "subtitle": subtitle,
            "verdicts": verdicts.map {
                ["question": $0.question, "figure": $0.figure, "sentence": $0.sentence, "tone": $0.tone.rawValue]
            },
            "sides": zip(sides, files).map { side, file in
                [
                    "side": side.name, "file": file, "note": PageContext.subtitle(side.report.analysis),
                    "alt": "Dirty map of \(file)", "picture": MapPicture(side.report.map).dataURL,
                    "facts": FidelityFacts.provenance(side.report.analysis).map {
                        ["name": Sanitizer.line($0.0), "value": Sanitizer.line($0.1)]
                    },
                ] as [String: Any]
            },
            "chartsNote": "Both from their own beginning."
                + (repetitions > 0 ? " Repetitions are in the figures only." : ""),
            "charts": charts.map(\.view), "figures": Self.table(figures), "gates": Self.table(judgements),
            "hasGates": !gates.isEmpty,
            "figuresNote": "As dirtyrec diff prints them. "
                + (repetitions > 0
                    ? "Medians; the noise band spans the recordings before."
                    : "One recording of either side: no noise band."),
            "data": HTML.embed(
                ["sets": .object((charts.map(\.set) + tables).map { ($0.name, $0.json) })]),
        ]
        return try PageTemplate.render(
            PackageResources.diff_mustache, context,
            scripts: [PackageResources.format_js, PackageResources.page_js].map(PageTemplate.text))
    }

    private var subtitle: String {
        let changed = comparison.rows.filter { $0.change.map { $0 != 0 } ?? false }
        let noise = changed.filter(\.isNoise).count
        return "\(changed.count) of \(comparison.rows.count) figures changed"
            + (repetitions > 0 ? ", \(noise) of them within the noise band" : "")
    }

    // MARK: Answers

    private var verdicts: [Verdict] {
        let cell =
            "convergence[qemu,\(Units.exactBandwidth(Verdict.bandwidth)),\(Units.exactDuration(Verdict.downtimeNs))]"
        return [
            gateVerdict ?? verdict("How many entries a second?", "rate.entries"),
            verdict("How many different pages a second?", "rate.pages"),
            verdict("How large is the writable working set? (p95)", "wws.p95"),
            verdict("How long would it migrate at 10 Gbit/s and 300 ms?", cell + ".total"),
            verdict("How much may be missing?", "fidelity.losses"),
        ].compactMap { $0 }
    }

    private var gateVerdict: Verdict? {
        guard !gates.isEmpty else { return nil }
        let failed = gates.filter { !$0.passes }.count
        return Verdict(
            question: "Do the gates pass?", figure: failed == 0 ? "Yes" : "No",
            sentence: failed == 0
                ? "All \(gates.count) of them." : "\(failed) of \(gates.count) fail; the table names them.",
            section: "figures", tone: failed == 0 ? .good : .bad)
    }

    private func verdict(_ question: String, _ name: String) -> Verdict? {
        guard let row = comparison.rows.first(where: { $0.name == name }) else { return nil }
        let (before, after) = (DiffReport.print(row.before, row.unit), DiffReport.print(row.after, row.unit))
        var verdict = Verdict(
            question: question, figure: DiffReport.relative(row), sentence: "\(before) before, \(after) after.",
            section: "figures")
        if row.change == nil {
            (verdict.figure, verdict.tone) = ("Unknown", .open)
        } else if row.change == 0 {
            (verdict.figure, verdict.sentence) = ("No change", "\(after) on both sides.")
        } else if row.isNoise {
            verdict.sentence += " That is within the noise band."
        }
        return verdict
    }

    // MARK: Curves

    private struct Curve {
        var set: String
        var title: String
        var note: String?
        var x: String
        var y: String
        var plot: StaticPlot
    }

    private static let curves = [
        Curve(
            set: "rate", title: "Different pages per second", note: "Unique pages are what a migration sends.",
            x: "start_s", y: "unique_pages_per_s",
            plot: StaticPlot(title: "", shape: .step, xTitle: "seconds since the recording began")),
        Curve(
            set: "working_set", title: "Writable working set over time", x: "end_s", y: "pages",
            plot: StaticPlot(title: "", xTitle: "seconds since the recording began")),
        Curve(
            set: "footprint", title: "Footprint", x: "seconds", y: "pages",
            plot: StaticPlot(title: "", xTitle: "window (s)", isLogX: true)),
        Curve(
            set: "redirty", title: "How soon pages are dirty again", x: "last_ticks", y: "share",
            plot: StaticPlot(
                title: "", shape: .step, xTitle: "iterations until dirty again", isLogX: true, yFormat: .percent,
                yMax: 1)),
    ]

    /// The curve of either recording in one picture, and the rows of both in one table.
    private func overlay(_ curve: Curve, _ sets: [[String: PageData]]) -> (set: PageData, view: [String: Any])? {
        guard var both = sets[0][curve.set] else { return nil }
        var (rows, series, legend): ([[SQLValue]], [StaticPlot.Series], [String]) = ([], [], [])
        for (side, sets) in zip(sides, sets) {
            guard var set = sets[curve.set] else { continue }
            var name = side.name
            if curve.set == "working_set", let window = side.report.analysis.secondCourseWindow {
                set.rows.removeAll { $0[0] != window.iterations.tableValue }
                name += ", windows of \(Units.duration(window.tauNs))"
            }
            legend.append(name)
            series.append(.init(name: name, points: StaticCharts.points(set, curve.x, curve.y)))
            rows += set.rows.map { [.text(side.name)] + $0 }
        }
        both.columns.insert(.init("recording", "recording", .text), at: 0)
        both.rows = rows
        both.sql = "-- The same statement for either recording.\n" + both.sql
        let note = curve.note ?? both.note
        var plot = curve.plot
        plot.title = "\(curve.title). \(note)"
        plot.series = series
        (both.title, both.note) = (curve.title, note)
        return (both, PageContext.view(both, svg: plot.svg, legend: legend, isEmpty: rows.isEmpty))
    }

    // MARK: Tables

    private static var figureTable: Table<Comparison, Comparison.Row> {
        Table(
            "figures", title: "Figures", rows: { $0.rows },
            columns: [
                .init("figure", "figure", .text, \.name, in: .page),
                .init("before", "before", .text, in: .page) { row, _ in .text(DiffReport.print(row.before, row.unit)) },
                .init("after", "after", .text, in: .page) { row, _ in .text(DiffReport.print(row.after, row.unit)) },
                .init("change", "change", .text, in: .page) { row, _ in .text(DiffReport.change(row)) },
                .init("relative", "change (%)", .decimal, in: .page) { row, _ in
                    row.relativeChange.flatMap { $0.isFinite ? .real($0 * 100) : nil } ?? .null
                },
                .init("noise", "noise band", .text, in: .page) { row, _ in .text(DiffReport.noise(row)) },
                .init("within_noise", "within noise", .text, in: .page) { row, _ in
                    .text(row.noise == nil || row.change == 0 ? "" : row.isNoise ? "yes" : "no")
                },
            ])
    }

    private static var gateTable: Table<[DiffReport.Judged], DiffReport.Judged> {
        Table(
            "gates", title: "Gates", rows: { $0 },
            columns: [
                .init("gate", "gate", .text, \.gate.text, in: .page),
                .init("outcome", "outcome", .text, \.name, in: .page),
            ])
    }

    private static func table(_ set: PageData) -> [String: Any] {
        // There are some hundred figures at most, and no second place to read them: readers without scripts get all.
        var view = PageContext.rows(set, limit: .max)
        view["name"] = set.name
        return view
    }
}
