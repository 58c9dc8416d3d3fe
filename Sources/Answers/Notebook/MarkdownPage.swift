import Model
import Platform
import Report

struct MarkdownPage: PageStyle {
    func cell(_ result: CellResult) -> String {
        let output = result.error.map(failure) ?? table(result)
        return "\(fenced(result.info, result.sql))\n\n\(output)"
    }

    func chart(_ chart: ChartRequest, number: Int) -> String {
        if let error = chart.error { return failure(error) }
        return chart.result.map { "*A chart over \(escape($0.name)), which HTML output shows.*" } ?? ""
    }

    func parameters(_ rows: [[String]]) -> String {
        table(["parameter", "value", "meaning"], rows.map { $0.map(SQLValue.text) })
    }

    func page(_ document: borrowing MarkdownDocument, title: String, recordings: [String]) -> String {
        document.markdown + "\n---\n\n" + recordings.map { "- \(escape($0))\n" }.joined()
    }

    private func table(_ result: CellResult) -> String {
        let rest = result.count - Int64(min(shownRows, result.rows.count))
        return table(result.columns, Array(result.rows.prefix(shownRows)))
            + (rest > 0 ? "\n\n… and \(rest) more rows." : "")
    }

    private func table(_ columns: [String], _ rows: [[SQLValue]]) -> String {
        ([columns.map(escape), columns.map { _ in "---" }] + rows.map { $0.map { escape(Shown.text($0)) } })
            .map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }

    private func failure(_ error: String) -> String { "**Error:** \(escape(error))" }

    /// A fence longer than any in the text.
    private func fenced(_ info: String, _ text: String) -> String {
        var fence = "```"
        while text.contains(fence) { fence += "`" }
        return "\(fence)\(info)\n\(text.isEmpty || text.hasSuffix("\n") ? text : text + "\n")\(fence)"
    }

    /// Every character that Markdown or HTML could take for markup, escaped.
    private func escape(_ text: String) -> String {
        var output = ""
        for scalar in Sanitizer.line(text).unicodeScalars {
            if "\\`*_{}[]<>#+!|~&$:@".unicodeScalars.contains(scalar) { output += "\\" }
            output.unicodeScalars.append(scalar)
        }
        return output
    }
}
