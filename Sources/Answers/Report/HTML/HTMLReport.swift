import Analysis
import Model
import Platform
import Schemas

/// One self-contained HTML file that shows what a recording says.
package struct HTMLReport {
    package var analysis: RecordingAnalysis
    package var map: DirtyMap
    package var snapshots: SnapshotReport
    package var slots: [MemorySlot]
    package var markers: [Marker]
    package var losses: [Loss]
    /// Pages in each list of pages.
    package var topPages: Int
    /// The recording's file name, as commands on the page name it.
    package var fileName: String
    /// Vega's bundle, which makes charts interactive; nil when it is not installed.
    package var vega: String?

    /// A grid wide enough to look at, which holds every cell of the default one.
    package static var convergenceOptions: ConvergenceOptions {
        var options = ConvergenceOptions()
        options.bandwidths = [125_000_000, 312_500_000, 625_000_000, 1_250_000_000, 3_125_000_000, 12_500_000_000]
        options.downtimesNs = [10_000_000, 50_000_000, 100_000_000, 300_000_000, 1_000_000_000, 3_000_000_000]
        return options
    }

    /// Reads `recording` twice: for its analysis, and for its picture and its snapshots.
    ///
    /// - Throws: whatever reading the recording throws.
    package init(_ recording: some Recording, options: AnalysisOptions, fileName: String, vega: String?) throws {
        let outline: MapOutline
        (analysis, outline) = try Analyzer.analyzeForMap(recording, options: options)
        slots = try recording.slots
        markers = try recording.markers
        losses = try recording.losses
        var filler = MapFiller(outline, slots: slots)
        snapshots = try Snapshots.report(
            recording, distinctPages: Int(analysis.counts.distinctGFNs), beside: &filler)
        map = filler.map
        topPages = options.topPages
        self.fileName = fileName
        self.vega = vega
    }

    /// Every set of rows on the page, with the statement that gives the same rows.
    package func sets(query: PageQuery) throws -> [PageData] { try PageSets.all(self, query: query) }

    /// The page.
    ///
    /// - Parameter query: Runs a statement on the recording, for the few tables that the analysis does not hold.
    package func render(query: PageQuery) throws -> String { try render(sets(query: query), live: nil) }

    /// The page of a recording that is being made, without the tables that only the file can answer.
    ///
    /// - Parameter version: which of the pages of this recording it is.
    package func render(live: LiveStatus, version: Int) throws -> String {
        try render(sets { _ in [] }.filter { !PageSets.ofFile.contains($0.name) }, live: (live, version))
    }

    private func render(_ sets: [PageData], live: (status: LiveStatus, version: Int)?) throws -> String {
        let picture = MapPicture(map)
        // Vega comes last: the page answers before it is read.
        let scripts =
            [PackageResources.format_js, PackageResources.map_js, PackageResources.page_js].map(PageTemplate.text)
            + (live == nil ? [] : [PageTemplate.text(PackageResources.live_js)])
            + (vega.map { [$0, PageTemplate.text(PackageResources.charts_js)] } ?? [])
        let page = PageContext(report: self, sets: Dictionary(uniqueKeysWithValues: sets.map { ($0.name, $0) }))
        var context = page.all
        context["mapPicture"] = picture.dataURL
        context["data"] = HTML.embed(data(sets, picture))
        context["specs"] =
            "{" + sets.compactMap { set in set.spec.map { "\"\(set.name)\":\($0)" } }.joined(separator: ",") + "}"
        context["live"] = live.map { $0.status.view(version: $0.version) } ?? false
        return try PageTemplate.render(
            PackageResources.page_mustache, context, scripts: scripts, asksServer: live != nil)
    }

    private func data(_ sets: [PageData], _ picture: MapPicture) -> JSON {
        let origin = analysis.info.startNs
        func seconds(_ ns: Int64) -> JSON { .number(Double(ns - origin) / 1e9) }
        return [
            "pageSize": JSON(analysis.info.pageSize), "map": picture.json(slots: slots, origin: origin),
            "markers": JSON(markers.prefix(1000)) { [seconds($0.tsNs), JSON(Sanitizer.line($0.text))] },
            "phases": JSON(analysis.phases.phases.prefix(200)) {
                [seconds($0.startNs), seconds($0.endNs), JSON($0.pages)]
            },
            "sets": .object(sets.map { ($0.name, $0.json) }),
            "cells": JSON(analysis.convergence.grid) { ConvergenceView.cell($0, of: analysis.convergence) },
            "convergenceSQL": JSON(ConvergenceView.template),
        ]
    }
}
