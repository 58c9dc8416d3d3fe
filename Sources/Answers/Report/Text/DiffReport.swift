import Analysis
import Model
import Platform

/// A comparison of recordings as text, JSON or JUnit.
package enum DiffReport {
    /// A gate and what became of it.
    package struct Judged: Sendable {
        package let gate: Gate
        package let outcome: Gate.Outcome
        /// The figure that it asks for.
        let row: Comparison.Row?

        /// Judges `comparison`.
        ///
        /// - Throws: ``Gate/ParsingError`` when it has no figure of the gate's name.
        package init(_ gate: Gate, in comparison: Comparison) throws(Gate.ParsingError) {
            self.gate = gate
            outcome = try gate.judge(comparison)
            row = comparison.rows.first { $0.name == gate.name }
        }

        /// Whether the comparison passes as far as this gate goes.
        package var passes: Bool { outcome == .passed || outcome == .withinNoise }
        var name: String {
            switch outcome {
            case .passed: "passed"
            case .withinNoise: "within_noise"
            case .failed: "failed"
            case .unknown: "unknown"
            }
        }
    }

    /// What the recordings do not have in common, every figure side by side, then the gates.
    package static func text(_ comparison: Comparison, gates: [Judged] = []) -> String {
        var lines: [String] = []
        if !comparison.conditions.isEmpty {
            var section = Section("Recorded under different conditions")
            for condition in comparison.conditions { section.field(title(condition), sides(condition)) }
            lines = [section.text]
        }
        var table = Columns(["figure", "before", "after", "change", "", "noise band"], right: [1, 2, 3, 4, 5])
        let rows = comparison.rows.filter { $0.before != nil || $0.after != nil }
        for row in rows {
            table.add([
                Sanitizer.line(row.name), print(row.before, row.unit), print(row.after, row.unit), change(row),
                relative(row) + (row.isNoise && row.change != 0 ? " (noise)" : ""), noise(row),
            ])
        }
        lines += rows.isEmpty ? ["  No figure changed."] : table.lines
        if !gates.isEmpty { lines.append("") }
        for judged in gates {
            lines.append(
                "  gate \(Sanitizer.line(judged.gate.text)): \(judged.name)"
                    + (judged.row.map { " (\(print($0.before, $0.unit)) → \(print($0.after, $0.unit)))" } ?? ""))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `{format_version, recordings, conditions, figures, gates}`: docs/json-output.md names every key.
    package static func json(_ comparison: Comparison, gates: [Judged] = []) -> JSON {
        [
            "format_version": JSON(JSONReport.formatVersion),
            "conditions": JSON(comparison.conditions) { condition in
                [
                    "name": JSON(condition.name), "unit": JSON(condition.unit),
                    "before": JSON(condition.before) { JSON($0) }, "after": JSON(condition.after) { JSON($0) },
                ]
            },
            "figures": JSON(comparison.rows) { row in
                [
                    "name": JSON(row.name), "unit": JSON(row.unit), "before": JSON(row.before),
                    "after": JSON(row.after), "change": JSON(row.change), "relative_change": JSON(row.relativeChange),
                    "noise": row.noise.map { [JSON($0.lowerBound), JSON($0.upperBound)] } ?? .null,
                ]
            },
            "gates": JSON(gates) { ["gate": JSON($0.gate.text), "outcome": JSON($0.name)] },
        ]
    }

    /// One test case a gate, for CI systems that read JUnit's XML; differing conditions are properties of the suite.
    package static func junit(_ comparison: Comparison, gates: [Judged]) -> String {
        let failures = gates.filter { !$0.passes }.count
        var output = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        output += "<testsuite name=\"dirtyrec diff\" tests=\"\(gates.count)\" failures=\"\(failures)\">\n"
        if !comparison.conditions.isEmpty {
            output += "  <properties>\n"
            for condition in comparison.conditions {
                output += "    <property name=\"\(HTML.escape("differs: " + title(condition)))\" "
                output += "value=\"\(HTML.escape(sides(condition)))\"/>\n"
            }
            output += "  </properties>\n"
        }
        for judged in gates {
            let figures =
                judged.row.map { "\(print($0.before, $0.unit)) before, \(print($0.after, $0.unit)) after" } ?? ""
            output += "  <testcase classname=\"dirtyrec.diff\" name=\"\(HTML.escape(judged.gate.text))\""
            output +=
                judged.passes
                ? "/>\n"
                : ">\n    <failure message=\"\(HTML.escape(judged.name + ": " + figures))\"/>\n"
                    + "  </testcase>\n"
        }
        return output + "</testsuite>\n"
    }

    static func title(_ condition: Condition) -> String {
        let words = condition.name.hasSuffix("_ns") ? String(condition.name.dropLast(3)) : condition.name
        return words.replacing("vcpu_count", with: "vCPUs").replacing("memory_bytes", with: "memory")
            .replacing("_", with: " ")
    }

    static func sides(_ condition: Condition) -> String {
        func text(_ values: [SQLValue]) -> String {
            values.map { value in
                switch value {
                case .integer(let number): print(Double(number), condition.unit ?? .count)
                case .text(let text) where !text.isEmpty: Sanitizer.line(text)
                default: "unknown"
                }
            }.joined(separator: ", ")
        }
        return text(condition.before) + " → " + text(condition.after)
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

    static func print(_ value: Double?, _ unit: Figure.Unit) -> String {
        guard let value else { return "unknown" }
        switch unit {
        case .count, .pages:
            return value == value.rounded() && value.magnitude < 9e15
                ? Units.count(Int64(value)) : Units.fixed(value, decimals: 2)
        case .bytes: return Units.size(whole(value))
        case .nanoseconds: return Units.duration(whole(value))
        case .perSecond: return Units.rate(value)
        case .bytesPerSecond: return Units.dataRate(value)
        case .times: return Units.times(value)
        case .share: return Units.percent(value)
        }
    }

    /// The nearest whole number that there is.
    private static func whole(_ value: Double) -> Int64 { Int64(exactly: value.rounded()) ?? (value < 0 ? .min : .max) }
}
