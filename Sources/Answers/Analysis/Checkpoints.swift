/// What a chain of incremental checkpoints would hold (question K1).
package struct Checkpoint: Sendable, Equatable {
    /// Iterations between two checkpoints.
    package var iterations: Int64
    /// Mean time between two, in nanoseconds.
    package var cadenceNs: Int64
    /// Increments in the recording; a last one may be shorter.
    package var count: Int64
    /// Distinct pages of each increment, added up.
    package var pages: Int64
    /// Bytes of the largest increment.
    package var largestBytes: Int64
    /// Bytes of all increments.
    package var chainBytes: Int64
    /// Bytes of an increment on average.
    package var meanBytes: Int64 { chainBytes / max(1, count) }
    /// Increments after which the chain is as large as a full image, so that restoring never reads more than twice the
    /// guest: the best "full every N". Nil when that is never reached within the recording.
    package var fullEvery: Int64?

    /// Cadences of 1, 2, 5, 10 … groups of iterations.
    static func ladder(_ table: WindowTable, memoryPages: Int64, pageSize: Int64) -> [Checkpoint] {
        let steps = [1, 10, 100, 1000].flatMap { [$0, 2 * $0, 5 * $0] }
        return steps.prefix { $0 <= table.groups }.map { step in
            var checkpoint = Checkpoint(
                iterations: Int64(step * table.iterationsPerGroup), cadenceNs: 0, count: 0, pages: 0, largestBytes: 0,
                chainBytes: 0)
            for first in stride(from: 0, to: table.groups, by: step) {
                let pages = table.pages(after: first, through: min(first + step, table.groups))
                checkpoint.count += 1
                checkpoint.pages += pages
                checkpoint.largestBytes = max(checkpoint.largestBytes, pages * pageSize)
                if checkpoint.fullEvery == nil, checkpoint.pages >= memoryPages {
                    checkpoint.fullEvery = checkpoint.count
                }
            }
            checkpoint.chainBytes = checkpoint.pages * pageSize
            let (whole, rest) = (table.boundaries[table.groups] - table.boundaries[0])
                .quotientAndRemainder(dividingBy: Int64(table.groups))
            checkpoint.cadenceNs = whole * Int64(step) + rest * Int64(step) / Int64(table.groups)
            return checkpoint
        }
    }
}
