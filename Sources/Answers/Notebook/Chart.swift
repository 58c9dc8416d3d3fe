import Foundation
import Model
import Platform
import Report

enum Chart {
    /// The specification with the rows of `data` as its data, whatever data it named itself; as JSON that can stand in
    /// HTML.
    ///
    /// - Throws: ``Notebook/Failure``.
    static func specification(_ text: String, data: CellResult) throws -> String {
        let parsed: Any
        do { parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) } catch {
            throw Notebook.Failure(description: "The chart is not valid JSON; see vega.github.io/vega-lite.")
        }
        guard var specification = parsed as? [String: Any] else {
            throw Notebook.Failure(description: "The chart must be a JSON object; see vega.github.io/vega-lite.")
        }
        specification["data"] = [
            "values": data.rows.map { row in
                Dictionary(zip(data.columns, row.map(plain))) { first, _ in first }
            }
        ]
        specification = harmless(specification) as? [String: Any] ?? [:]
        if specification["$schema"] == nil {
            specification["$schema"] = "https://vega.github.io/schema/vega-lite/v6.json"
        }
        let json = try JSONSerialization.data(
            withJSONObject: specification, options: [.sortedKeys, .withoutEscapingSlashes])
        // No "<" may end the script element or begin a comment in it.
        return String(decoding: json, as: UTF8.self).replacing("<", with: "\\u003c")
    }

    /// The same with control characters and direction overrides of every text spelled out: a picture shows them, too.
    private static func harmless(_ value: Any) -> Any {
        switch value {
        case let text as String:
            text.split(separator: "\n", omittingEmptySubsequences: false).map { Sanitizer.line(String($0)) }
                .joined(separator: "\n")
        case let list as [Any]: list.map(harmless)
        case let object as [String: Any]:
            Dictionary(object.map { (Sanitizer.line($0), harmless($1)) }) { first, _ in first }
        default: value
        }
    }

    private static func plain(_ value: SQLValue) -> Any {
        switch value {
        case .null: NSNull()
        case .integer(let number): number
        case .real(let number): number.isFinite ? number as Any : NSNull()
        case .text(let text): text
        case .blob: Shown.text(value)
        }
    }
}

enum Shown {
    static func text(_ value: SQLValue) -> String {
        switch value {
        case .null: "–"
        case .integer(let number): String(number)
        case .real(let number): TableFormatter.short(number)
        case .text(let text): text
        case .blob(let bytes): TableFormatter.hex(bytes)
        }
    }
}
