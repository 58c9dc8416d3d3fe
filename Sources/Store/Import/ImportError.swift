import Model

/// Why a file could not be imported: one sentence that names the place.
package struct ImportError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    /// An error about a whole file, or about one line of it.
    package init(_ path: String, line: Int? = nil, _ problem: String) {
        description = line.map { "\(path), line \($0): \(problem)" } ?? "\(path): \(problem)"
    }
}

/// What is imported: provenance first, then one iteration after the other. Memory is bounded by the largest iteration.
package protocol ImportSource: AnyObject {
    /// Provenance, without what only the importing program knows (its name, its command line).
    var info: RecordingInfo { get }
    var slots: [MemorySlot] { get }
    /// When the recording ended; meaningful after the last batch.
    var endNs: Int64 { get }
    /// Why it ended; meaningful after the last batch.
    var endReason: EndReason { get }
    /// The next iteration; nil after the last.
    func next() throws -> IterationBatch?
}

/// Limits that keep hostile input from taking more memory than a large honest one.
package enum ImportLimits {
    /// Entries of one iteration: 64 MB of page numbers, and as much again for times.
    package static let entriesPerIteration = 1 << 23
    package static let lineBytes = 16 << 20
    /// The latest moment, in nanoseconds: 36 years.
    package static let largestTime: Int64 = 1 << 60
    /// What a column of costs or counts may add up to, so that readers need not look out for overflows.
    package static let largestSum: Int64 = 1 << 59
    /// vCPUs, slots, labels and the like.
    package static let items = 4096
}
