import Foundation
import Model
import Platform

package enum TableFormat: String, Sendable, CaseIterable {
    /// Aligned columns for people; the only format in which control characters are escaped, NULL is `-`, and numbers
    /// that are not whole have six significant digits.
    case table
    /// RFC 4180: CRLF, quotes where needed. NULL is empty.
    case csv
    /// Tab-separated; tab, newline, carriage return and backslash as `\t`, `\n`, `\r`, `\\`. NULL is empty.
    case tsv
    /// One array of objects.
    case json
    /// One object a line.
    case jsonl
    case markdown
}

/// Writes rows as they come, in bounded memory. Blobs are written as hexadecimal digits.
///
/// ```swift
/// var table = TableFormatter(.csv, columns: ["gfn"]) { print($0, terminator: "") }
/// table.add([.integer(4096)])
/// table.finish()
/// ```
package struct TableFormatter {
    /// Rows of an aligned table that are looked at for the widths of its columns; later ones may stick out.
    package static let alignedRows = 1000

    private let format: TableFormat
    private let columns: [String]
    private let neutralizes: Bool
    private let write: (String) -> Void
    private var waiting: [[SQLValue]] = []
    private var widths: [Int]?
    private var rightAligned: [Bool] = []
    private var rows = 0

    /// Begins a table.
    ///
    /// - Parameters:
    ///   - neutralizes: Whether text in `csv` and `tsv` that a spreadsheet would run as a formula gets a `'` in front.
    ///   - write: Receives the output piece by piece, newlines included.
    package init(
        _ format: TableFormat, columns: [String], neutralizes: Bool = false, write: @escaping (String) -> Void
    ) {
        self.format = format
        self.neutralizes = neutralizes
        let columns = neutralizes ? columns.map(Self.neutralized) : columns
        self.columns = columns
        self.write = write
        switch format {
        case .csv: write(columns.map(Self.csv).joined(separator: ",") + "\r\n")
        case .tsv: write(columns.map(Self.tsv).joined(separator: "\t") + "\n")
        case .markdown:
            write("| " + columns.map(Self.markdown).joined(separator: " | ") + " |\n")
            write("|" + columns.map { _ in "---|" }.joined() + "\n")
        case .table, .json, .jsonl: break
        }
    }

    /// Writes one row.
    ///
    /// - Precondition: as many values as columns.
    package mutating func add(_ row: [SQLValue]) {
        precondition(row.count == columns.count, "a row has a value for every column")
        switch format {
        case .table:
            if widths == nil {
                waiting.append(row)
                if waiting.count == Self.alignedRows { flush() }
            } else {
                writeAligned(row)
            }
        case .csv: write(row.map { Self.csv(cell($0)) }.joined(separator: ",") + "\r\n")
        case .tsv: write(row.map { Self.tsv(cell($0)) }.joined(separator: "\t") + "\n")
        case .json: write((rows == 0 ? "[\n" : ",\n") + object(row).text())
        case .jsonl: write(object(row).text() + "\n")
        case .markdown: write("| " + row.map { Self.markdown(Self.plain($0)) }.joined(separator: " | ") + " |\n")
        }
        rows += 1
    }

    package mutating func finish() {
        if format == .table, widths == nil { flush() }
        if format == .json { write(rows == 0 ? "[]\n" : "\n]\n") }
    }

    // MARK: Aligned

    private mutating func flush() {
        rightAligned = columns.indices.map { column in
            !waiting.isEmpty
                && waiting.allSatisfy {
                    switch $0[column] {
                    case .integer, .real, .null: true
                    case .text, .blob: false
                    }
                }
        }
        let widths = columns.indices.map { column in
            waiting.reduce(DisplayWidth.of(Sanitizer.line(columns[column]))) {
                max($0, DisplayWidth.of(Self.shown($1[column])))
            }
        }
        self.widths = widths
        writeAligned(columns.map { .text($0) })
        write(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ") + "\n")
        for row in waiting { writeAligned(row) }
        waiting = []
    }

    private func writeAligned(_ row: [SQLValue]) {
        var line = ""
        for (column, value) in row.enumerated() {
            let cell = Self.shown(value)
            let padding = String(repeating: " ", count: max(0, (widths?[column] ?? 0) - DisplayWidth.of(cell)))
            let isLast = column == row.count - 1
            line += rightAligned[column] ? padding + cell : isLast ? cell : cell + padding
            if !isLast { line += "  " }
        }
        write(line + "\n")
    }

    // MARK: Values

    private static func shown(_ value: SQLValue) -> String {
        switch value {
        case .null: "-"
        case .real(let number): short(number)
        default: Sanitizer.line(plain(value))
        }
    }

    /// A number as people read it: six significant digits, whole from a million on. Other formats have all 17.
    package static func short(_ number: Double) -> String {
        guard number.isFinite else { return number.description }
        return number.magnitude >= 1e6 && number.magnitude < 1e15
            ? String(Int64(number.rounded())) : String(format: "%.6g", number)
    }

    private static func plain(_ value: SQLValue) -> String {
        switch value {
        case .null: ""
        case .integer(let number): String(number)
        case .real(let number): number.description
        case .text(let text): text
        case .blob(let bytes): hex(bytes)
        }
    }

    /// Bytes as hexadecimal digits.
    private func cell(_ value: SQLValue) -> String {
        guard neutralizes, case .text(let text) = value else { return Self.plain(value) }
        return Self.neutralized(text)
    }

    /// What spreadsheets take for a formula begins so; behind a `'` it is text.
    private static func neutralized(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, "=+-@\t\r\n".unicodeScalars.contains(first) else { return text }
        return "'" + text
    }

    package static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func csv(_ text: String) -> String {
        let needsQuotes = text.unicodeScalars.contains { [",", "\"", "\r", "\n"].contains($0) }
        guard needsQuotes else { return text }
        return "\"" + text.unicodeScalars.reduce(into: "") { $0 += $1 == "\"" ? "\"\"" : String($1) } + "\""
    }

    private static func tsv(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { output, scalar in
            switch scalar {
            case "\t": output += "\\t"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\\": output += "\\\\"
            default: output.unicodeScalars.append(scalar)
            }
        }
    }

    private static func markdown(_ text: String) -> String {
        Sanitizer.line(text).unicodeScalars.reduce(into: "") { $0 += $1 == "|" ? "\\|" : String($1) }
    }

    private func object(_ row: [SQLValue]) -> JSON {
        .object(zip(columns, row).map { ($0, JSON($1)) })
    }
}
