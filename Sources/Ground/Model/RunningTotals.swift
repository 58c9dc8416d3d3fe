/// What a recording holds so far, after each of its iterations; at its end, what the report says of the whole file.
package struct RunningTotals: Sendable {
    /// One vCPU's part.
    package struct VCPU: Sendable {
        package var entries: Int64 = 0
        /// Times that it stood still because its ring was full.
        package var ringFull: Int64 = 0
        /// Nanoseconds that it stood still for that.
        package var stallNs: Int64 = 0

        package init(entries: Int64 = 0, ringFull: Int64 = 0, stallNs: Int64 = 0) {
            (self.entries, self.ringFull, self.stallNs) = (entries, ringFull, stallNs)
        }
    }

    package var iterations: Int64 = 0
    /// When the first iteration began; nil before it is complete.
    package private(set) var startNs: Int64?
    /// What the entries of all iterations add.
    package var counts = DuplicateCounts()
    /// Distinct pages.
    package var pages: Int64 = 0
    /// By the vCPU's number.
    package var vcpus: [VCPU] = []
    /// The last iteration that is complete.
    package var last: Iteration?
    /// What the entries of ``last`` add.
    package var lastCounts = DuplicateCounts()
    /// Rows of the loss table.
    package var losses: [LossKind: Int64] = [:]
    /// Entries that are known to be lost.
    package var lostEntries: Int64 = 0
    // Costs of all iterations, in nanoseconds, as in ``Iteration``.
    package var kickNs: Int64 = 0
    package var pauseNs: Int64 = 0
    package var scanNs: Int64 = 0
    package var resetNs: Int64 = 0
    package var getNs: Int64 = 0
    package var clearNs: Int64 = 0
    /// Rises of KVM's statistics, VM and vCPUs together, by the kernel's name.
    package var statistics: [String: Int64] = [:]
    /// Operations that the guest has completed.
    package var guestProgress: Int64 = 0

    package init() {}

    /// Adds an iteration, but for its entries. Of a file that grows and lies, sums wrap around.
    package mutating func add(_ batch: IterationBatch) {
        let iteration = batch.iteration
        iterations += 1
        startNs = startNs ?? iteration.startNs
        last = iteration
        add(batch.losses)
        kickNs &+= iteration.kickNs
        pauseNs &+= iteration.pauseNs
        scanNs &+= iteration.scanNs
        resetNs &+= iteration.resetNs
        getNs &+= iteration.getNs
        clearNs &+= iteration.clearNs
        for statistic in batch.statistics { statistics[statistic.name, default: 0] += statistic.value }
        guestProgress = iteration.guestProgress ?? guestProgress
    }

    /// Adds what may have been lost.
    package mutating func add(_ rows: [Loss]) {
        for loss in rows {
            losses[loss.kind, default: 0] += 1
            lostEntries &+= loss.entries ?? 0
        }
    }

    /// From the start of the first iteration to the end of the last, in nanoseconds.
    package var durationNs: Int64 { (last?.endNs ?? 0) - (startNs ?? last?.endNs ?? 0) }
    /// Unique pages per second, a page counted once an iteration; nil without time.
    package var pagesPerSecond: Double? {
        durationNs > 0 ? Double(counts.distinct) * 1e9 / Double(durationNs) : nil
    }
}
