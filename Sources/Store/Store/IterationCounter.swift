import Model

/// Sums up a recording for who sees its iterations without writing them: its totals are those that the writer has, and its memory follows
/// the distinct pages alone.
package struct IterationCounter {
    private var summary: RunningSummary
    private var known = RunningTotals()

    package init(vcpuCount: Int) {
        // The guest needs the other CPUs.
        summary = RunningSummary(vcpuCount: vcpuCount, workers: 1, isForTables: false)
    }

    /// From now on there are at least `count` vCPUs.
    package mutating func add(vcpus count: Int) { summary.add(vcpus: count) }

    /// Adds an iteration, or a part of one.
    package mutating func add(_ batch: IterationBatch) throws {
        if let vcpus = batch.vcpus { summary.add(vcpus: vcpus) }
        for (harvest, gfns) in batch.harvests {
            if let vcpu = harvest.vcpu { summary.add(vcpus: vcpu + 1) }
            try summary.visit(harvest, gfns: gfns)
        }
        guard !batch.isPart else { return }
        known.add(batch)
        try summary.visit(batch.iteration)
    }

    /// Adds what may have been lost beside any iteration.
    package mutating func add(_ losses: [Loss]) { known.add(losses) }

    /// What whole iterations hold so far. Entries are counted when it is asked.
    package mutating func totals() throws -> RunningTotals {
        try summary.show(in: &known)
        return known
    }
}
