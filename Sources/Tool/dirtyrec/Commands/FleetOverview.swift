import ArgumentParser
import Fleet
import Foundation
import Model
import Report
import Store

/// `dirtyrec fleet --html`: a few queries on one page.
struct FleetOverview {
    let folder: FleetFolder
    let engine: FleetEngine

    /// What the page shows, in this order.
    private static let shown = [
        "outliers", "overview", "rate_distribution", "worst_convergers", "duplicates_by_vcpus", "harvest_cost",
        "hottest_regions",
    ]

    /// Writes the page; its links lead into the folder, also from elsewhere.
    func write(_ path: String) throws {
        let queries = try (Self.shown + ["labelled"]).map(NamedQuery.fleet(named:))
        var tables = queries.map { FleetPage.Table(name: $0.name, description: $0.description, sql: $0.sql) }
        var current = 0
        try engine.answer(queries.map { try .init($0) }, in: folder) { number, columns in
            current = number
            tables[number].columns = columns
        } row: { row in
            tables[current].rows.append(row)
        }
        let page = FleetPage(
            folder: folder.path, tables: Array(tables.dropLast()), labels: labels(tables.last?.rows ?? []),
            files: Dictionary(
                uniqueKeysWithValues: folder.recordings.compactMap { id in folder.fileName(of: id).map { (id, $0) } }),
            addresses: addresses(from: path))
        try Page.write(try page.render(), to: path, open: false)
    }

    private func labels(_ rows: [[SQLValue]]) -> [String: [String]] {
        var labels: [String: [String]] = [:]
        for row in rows {
            guard case .text(let id) = row[0], case .text(let key) = row[1], case .text(let value) = row[2] else {
                continue
            }
            labels[id, default: []].append("\(key)=\(value)")
        }
        return labels
    }

    private func addresses(from page: String) -> [String: String] {
        let place = URL(fileURLWithPath: page).deletingLastPathComponent().resolvingSymlinksInPath().path
        let base = place == folder.path ? "" : URL(fileURLWithPath: folder.path, isDirectory: true).absoluteString
        return Dictionary(uniqueKeysWithValues: folder.recordings.map { ($0, base + folder.address(of: $0)) })
    }
}
