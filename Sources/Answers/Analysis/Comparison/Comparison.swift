/// Two recordings, or two sets of repeated recordings, figure by figure.
package struct Comparison: Sendable, Equatable {
    /// One figure on both sides.
    package struct Row: Sendable, Equatable {
        package var name: String
        package var unit: Figure.Unit
        /// Median over the recordings before; nil where one of them cannot say.
        package var before: Double?
        /// Median over the recordings after.
        package var after: Double?
        /// Least and greatest value before: how far figures move without any change. Nil for a single recording.
        package var noise: ClosedRange<Double>?

        /// After minus before.
        package var change: Double? { before.flatMap { old in after.map { $0 - old } } }
        /// Change over before; infinite when something came from nothing, 0 when nothing stayed nothing.
        package var relativeChange: Double? {
            guard let before, let change else { return nil }
            return change == 0 ? 0 : change / before.magnitude
        }
        /// Whether `after` lies within the noise band; false without one.
        package var isNoise: Bool { noise.map { band in after.map(band.contains) ?? false } ?? false }
    }

    /// Figures of either side, in the order of a report.
    package var rows: [Row]
    /// Conditions in which the recordings are not alike: what a change may come from.
    package var conditions: [Condition]

    /// Compares recordings `before` with recordings `after`. Several on one side are repetitions of the same experiment.
    package init(before: [RecordingAnalysis], after: [RecordingAnalysis]) {
        let old = before.map(\.figures)
        let new = after.map(\.figures)
        var rows: [Row] = []
        var names: Set<String> = []
        for figure in (old + new).joined() where names.insert(figure.name).inserted {
            let values = old.map { Self.value(figure.name, $0) }
            let known = values.compactMap { $0 }.sorted()
            var row = Row(name: figure.name, unit: figure.unit)
            row.before = Self.median(values)
            row.after = Self.median(new.map { Self.value(figure.name, $0) })
            if values.count > 1, known.count == values.count, let low = known.first, let high = known.last {
                row.noise = low...high
            }
            rows.append(row)
        }
        self.rows = rows
        conditions = Condition.differing(before: before.map(\.info), after: after.map(\.info))
    }

    /// Figures that differ, or that only one side knows.
    package var changed: Comparison {
        var result = self
        result.rows = rows.filter { $0.before != $0.after }
        return result
    }

    private static func value(_ name: String, _ figures: [Figure]) -> Double? {
        figures.first { $0.name == name }?.value
    }

    /// The middle value, or the mean of the two middle ones; nil when one is unknown.
    private static func median(_ values: [Double?]) -> Double? {
        let sorted = values.compactMap { $0 }.sorted()
        guard !sorted.isEmpty, sorted.count == values.count else { return nil }
        let upper = sorted[sorted.count / 2]
        return sorted.count % 2 == 1 ? upper : (sorted[sorted.count / 2 - 1] + upper) / 2
    }
}
