import Model
import Platform

/// One self-contained HTML page about many recordings: tables only, no script.
package struct FleetPage {
    package struct Table {
        package var name: String
        package var description: String
        package var sql: String
        package var columns: [String] = []
        package var rows: [[SQLValue]] = []

        package init(name: String, description: String, sql: String) {
            (self.name, self.description, self.sql) = (name, description, sql)
        }
    }

    /// The folder, as the user named it.
    package var folder: String
    /// The tables in order; `overview` has a row for each recording.
    package var tables: [Table]
    /// Labels as `key=value`, by recording.
    package var labels: [String: [String]]
    /// Names of the files that the recordings were exported from, by recording, where they are known.
    package var files: [String: String]
    /// Where a recording's row leads, by recording: a relative or absolute address.
    package var addresses: [String: String]

    package init(
        folder: String, tables: [Table], labels: [String: [String]], files: [String: String] = [:],
        addresses: [String: String]
    ) {
        (self.folder, self.tables, self.labels, self.files, self.addresses) = (folder, tables, labels, files, addresses)
    }

    /// Rows of a table that are shown.
    private static let mostRows = 10_000

    package func render() throws -> String {
        let context: [String: Any] = [
            "title": Sanitizer.line(folder),
            "subtitle": "\(Units.counted(Int64(addresses.count), "recording", "recordings"))",
            "tables": tables.map(view),
        ]
        return try PageTemplate.render(PackageResources.fleet_mustache, context, scripts: [])
    }

    private func view(_ table: Table) -> [String: Any] {
        let place = table.columns.firstIndex(of: "recording")
        let figure = table.columns.firstIndex(of: "figure")
        let isOverview = table.name == "overview"
        let kinds = table.columns.map { Self.kind($0, in: table.name) }
        let classes = zip(table.columns, kinds).map(Self.style)
        let rows = table.rows.prefix(Self.mostRows).map { row -> [String: Any] in
            var name = ""
            if let figure, case .text(let text) = row[figure] { name = text }
            var cells = row.indices.map { column -> [String: Any] in
                // What a row of figures counts is said by the figure's name.
                let kind = ["value", "low", "high"].contains(table.columns[column]) ? Self.kind(name) : kinds[column]
                return ["class": classes[column], "value": kind.format(row[column], missing: "–")]
            }
            var id = ""
            if let place, case .text(let text) = row[place] {
                id = text
                // From lists of a few recordings one gets to the row of the overview, and from there to the recording.
                if let address = addresses[id] {
                    cells[place]["link"] = isOverview ? address : "#" + id
                    cells[place]["value"] = String(id.prefix(12))
                }
                cells.insert(["class": "word", "value": self.name(of: id)], at: place + 1)
                if isOverview { cells.append(["class": "t long", "value": label(of: id)]) }
            }
            return ["id": id, "hasID": isOverview, "cells": cells]
        }
        var columns = zip(table.columns, classes).map { ["title": Self.title($0), "class": $1] }
        if let place { columns.insert(["title": "file", "class": "word"], at: place + 1) }
        if isOverview { columns.append(["title": "labels", "class": "t long"]) }
        return [
            "name": table.name, "caption": Self.title(table.name), "note": table.description, "sql": table.sql,
            "columns": columns, "rows": rows,
            "isEmpty": rows.isEmpty,
            "more": table.rows.count > Self.mostRows
                ? "The first \(Units.count(Int64(Self.mostRows))); `dirtyrec fleet --query` has all." : "",
        ]
    }

    private func label(of id: String) -> String { Sanitizer.line(labels[id, default: []].joined(separator: ", ")) }

    /// What people call a recording: its file, or its labels where the file is not known.
    private func name(of id: String) -> String { files[id].map(Sanitizer.line) ?? label(of: id) }

    /// How the figures of a column are written; its name says what they are.
    private static func kind(_ column: String, in table: String = "") -> Kind {
        if table == "rate_distribution", ["min", "p50", "p90", "p95", "max"].contains(column) { return .dataRate }
        if ["recording", "guest", "guest_kind", "kernel", "source", "figure", "key", "value"].contains(column) {
            return .text
        }
        if column.hasSuffix("_ns") { return .nanoseconds }
        if column.hasSuffix("share") || column.hasPrefix("duplicate_") { return .share }
        if column == "region_gpa" { return .hex }
        if column == "seconds" { return .seconds }
        if column.hasSuffix("bytes_per_s") { return .dataRate }
        if column.hasSuffix("_per_s") { return .rate }
        if column.hasSuffix("_bytes") { return .bytes }
        if ["lambda", "worst_lambda", "low", "high", "min", "p50", "p90", "p95", "max"].contains(column)
            || column.hasSuffix("_per_entry")
        {
            return .decimal
        }
        return .count
    }

    /// Numbers stand right; words of ours stay in one line, and what somebody wrote may break.
    private static func style(_ column: String, _ kind: Kind) -> String {
        if kind.isNumber { return "n" }
        return column == "guest" ? "t long" : "word"
    }

    private static func title(_ name: String) -> String { name.replacing("_", with: " ") }
}
