/// A stream of numbers kept for its extremes, sum and percentiles in bounded memory.
///
/// Up to ``capacity`` values everything is exact. Beyond it every second value is dropped, then every second of the
/// rest: extremes, count and sum stay exact, percentiles come from one value in ``keptOneIn``.
package struct Sample: Sendable, Equatable {
    /// The most values kept.
    package static let capacity = 32_768

    package private(set) var count: Int64 = 0
    package private(set) var sum: Int64 = 0
    /// The smallest; 0 when there is none.
    package private(set) var min: Int64 = 0
    /// The largest; 0 when there is none.
    package private(set) var max: Int64 = 0
    /// 1 while percentiles are exact; else the spacing of the values that they come from.
    package private(set) var keptOneIn: Int64 = 1
    private var kept: [Int64] = []

    package init() {}

    package mutating func add(_ value: Int64) {
        min = count == 0 ? value : Swift.min(min, value)
        max = count == 0 ? value : Swift.max(max, value)
        if count % keptOneIn == 0 {
            if kept.count == Self.capacity {
                kept = stride(from: 0, to: kept.count, by: 2).map { kept[$0] }
                keptOneIn *= 2
            }
            if count % keptOneIn == 0 { kept.append(value) }
        }
        count += 1
        sum = sum &+ value
    }

    /// Percentiles in one go.
    package var summary: Summary {
        let sorted = kept.sorted()
        return Summary(
            count: count, sum: sum, min: min, p50: Self.rank(50, in: sorted), p90: Self.rank(90, in: sorted),
            p95: Self.rank(95, in: sorted), p99: Self.rank(99, in: sorted), max: max, keptOneIn: keptOneIn)
    }

    /// Nearest rank: the smallest value that at least `percent` % of all values do not exceed. 0 of nothing.
    static func rank(_ percent: Int, in sorted: [Int64]) -> Int64 {
        sorted.isEmpty ? 0 : sorted[(sorted.count * percent + 99) / 100 - 1]
    }
}

/// What is told about a ``Sample``. Percentiles are nearest rank.
package struct Summary: Sendable, Equatable {
    package var count: Int64 = 0
    package var sum: Int64 = 0
    package var min: Int64 = 0
    package var p50: Int64 = 0
    package var p90: Int64 = 0
    package var p95: Int64 = 0
    package var p99: Int64 = 0
    package var max: Int64 = 0
    /// 1 when percentiles are exact; else they come from one value in this many.
    package var keptOneIn: Int64 = 1

    /// The arithmetic mean; 0 of nothing.
    package var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }
}
