import Analysis
import Model

/// A comparison of recordings as text, JSON or JUnit.
package enum DiffReport {
    /// A gate and what became of it.
    package struct Judged: Sendable {
        /// The gate.
        package var gate: Gate
        /// What became of it.
        package var outcome: Gate.Outcome

        /// Pairs a gate with its outcome.
        package init(gate: Gate, outcome: Gate.Outcome) {
            self.gate = gate
            self.outcome = outcome
        }

        /// Whether the comparison passes as far as this gate goes.
        package var passes: Bool { outcome == .passed || outcome == .withinNoise }
        /// The outcome in JSON and on the page.
        var name: String {
            switch outcome {
            case .passed: "passed"
            case .withinNoise: "within_noise"
            case .failed: "failed"
            case .unknown: "unknown"
            }
        }
    }

    /// Every figure side by side, then the gates.
    package static func text(_ comparison: Comparison, gates: [Judged] = []) -> String {
        var table = Columns(["figure", "before", "after", "change", "", "noise band"], right: [1, 2, 3, 4, 5])
        for row in comparison.rows where row.before != nil || row.after != nil {
            table.add([
                row.name, print(row.before, row.unit), print(row.after, row.unit), change(row),
                relative(row) + (row.isNoise && row.change != 0 ? " (noise)" : ""), noise(row),
            ])
        }
        var lines = table.lines
        if !gates.isEmpty { lines.append("") }
        for judged in gates {
            let row = comparison.rows.first { $0.name == judged.gate.name }
            lines.append(
                "  gate \(Sanitizer.line(judged.gate.text)): \(judged.name)"
                    + (row.map { " (\(print($0.before, $0.unit)) → \(print($0.after, $0.unit)))" } ?? ""))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `{format_version, figures: [{name, unit, before, after, change, relative_change, noise}], gates: [{gate, outcome}]}`.
    package static func json(_ comparison: Comparison, gates: [Judged] = []) -> JSON {
        .object([
            ("format_version", .integer(JSONReport.formatVersion)),
            (
                "figures",
                .array(
                    comparison.rows.map { row in
                        .object([
                            ("name", .string(row.name)), ("unit", .string(row.unit.rawValue)),
                            ("before", .number(row.before)), ("after", .number(row.after)),
                            ("change", .number(row.change)), ("relative_change", .number(row.relativeChange)),
                            (
                                "noise",
                                row.noise.map { .array([.number($0.lowerBound), .number($0.upperBound)]) } ?? .null
                            ),
                        ])
                    })
            ),
            (
                "gates",
                .array(
                    gates.map { .object([("gate", .string($0.gate.text)), ("outcome", .string($0.name))]) })
            ),
        ])
    }

    /// One test case a gate, for CI systems that read JUnit's XML.
    package static func junit(_ comparison: Comparison, gates: [Judged]) -> String {
        let failures = gates.filter { !$0.passes }.count
        var output = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        output += "<testsuite name=\"dirtyrec diff\" tests=\"\(gates.count)\" failures=\"\(failures)\">\n"
        for judged in gates {
            let row = comparison.rows.first { $0.name == judged.gate.name }
            let figures = row.map { "\(print($0.before, $0.unit)) before, \(print($0.after, $0.unit)) after" } ?? ""
            output += "  <testcase classname=\"dirtyrec.diff\" name=\"\(escape(judged.gate.text))\""
            output +=
                judged.passes
                ? "/>\n" : ">\n    <failure message=\"\(escape(judged.name + ": " + figures))\"/>\n  </testcase>\n"
        }
        return output + "</testsuite>\n"
    }

    /// After minus before; empty when nothing changed, or nobody can say.
    static func change(_ row: Comparison.Row) -> String {
        row.change == 0 ? "" : row.change.map { ($0 > 0 ? "+" : "") + print($0, row.unit) } ?? ""
    }

    /// The change in per cent; `=` for none, `new` for something out of nothing.
    static func relative(_ row: Comparison.Row) -> String {
        guard let change = row.relativeChange else { return "" }
        if change == 0 { return "=" }
        return change.isFinite ? (change > 0 ? "+" : "") + Units.fixed(change * 100, decimals: 1) + " %" : "new"
    }

    /// From the least to the greatest of the repetitions before; empty without any.
    static func noise(_ row: Comparison.Row) -> String {
        row.noise.map { print($0.lowerBound, row.unit) + ".." + print($0.upperBound, row.unit) } ?? ""
    }

    /// A figure as people read it.
    static func print(_ value: Double?, _ unit: Figure.Unit) -> String {
        guard let value else { return "unknown" }
        switch unit {
        case .count, .pages:
            return value == value.rounded() && value.magnitude < 9e15
                ? Units.count(Int64(value)) : Units.fixed(value, decimals: 2)
        case .bytes: return Units.size(Int64(value))
        case .nanoseconds: return Units.duration(Int64(value))
        case .perSecond: return Units.rate(value)
        case .share: return Units.fixed(value * 100, decimals: 1) + " %"
        }
    }

    private static func escape(_ text: String) -> String {
        Sanitizer.line(text).unicodeScalars.reduce(into: "") { output, scalar in
            switch scalar {
            case "&": output += "&amp;"
            case "<": output += "&lt;"
            case ">": output += "&gt;"
            case "\"": output += "&quot;"
            default: output.unicodeScalars.append(scalar)
            }
        }
    }
}
