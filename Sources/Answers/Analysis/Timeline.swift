import Model

/// A stretch of the recording: one iteration, or several when there are more than ``Timeline/capacity``.
package struct TimelineBucket: Sendable, Equatable {
    /// First iteration (1…) and number of iterations.
    package var firstIteration: Int64 = 0
    package var iterations: Int64 = 0
    /// Nanoseconds on CLOCK_MONOTONIC.
    package var startNs: Int64 = 0
    /// Nanoseconds on CLOCK_MONOTONIC.
    package var endNs: Int64 = 0
    package var duplicates = DuplicateCounts()
    package var newPages: Int64 = 0

    /// Entries a second; nil without time.
    package var entriesPerSecond: Double? { perSecond(duplicates.entries) }
    /// Unique pages a second; nil without time.
    package var pagesPerSecond: Double? { perSecond(duplicates.distinct) }
    private func perSecond(_ count: Int64) -> Double? {
        endNs > startNs ? Double(count) * 1e9 / Double(endNs - startNs) : nil
    }
}

/// The course of a recording in bounded memory: when it is full, neighbours are added up.
struct Timeline: Sendable {
    static let capacity = 1024

    private(set) var buckets: [TimelineBucket] = []
    private var iterationsPerBucket: Int64 = 1

    mutating func add(iteration: Int64, startNs: Int64, endNs: Int64, counts: DuplicateCounts, newPages: Int64) {
        if buckets.last.map({ $0.iterations == iterationsPerBucket }) ?? true {
            if buckets.count == Self.capacity { mergePairs() }
            buckets.append(TimelineBucket(firstIteration: iteration, startNs: startNs))
        }
        let last = buckets.count - 1
        buckets[last].iterations += 1
        buckets[last].endNs = endNs
        buckets[last].duplicates += counts
        buckets[last].newPages += newPages
    }

    private mutating func mergePairs() {
        buckets = stride(from: 0, to: buckets.count, by: 2).map { place in
            var merged = buckets[place]
            let second = buckets[place + 1]
            merged.iterations += second.iterations
            merged.endNs = second.endNs
            merged.duplicates += second.duplicates
            merged.newPages += second.newPages
            return merged
        }
        iterationsPerBucket *= 2
    }
}
