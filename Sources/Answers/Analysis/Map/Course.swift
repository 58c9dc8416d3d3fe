import Model

/// What one stretch of a recording cost, and who dirtied how much. Stretches are those of the timeline.
package struct CourseColumn: Sendable, Equatable {
    /// First iteration (1…).
    package var firstTick: Int64
    /// Number of iterations.
    package var ticks: Int64 = 0
    /// When it begins, nanoseconds on CLOCK_MONOTONIC.
    package var startNs: Int64
    /// When it ends, nanoseconds on CLOCK_MONOTONIC.
    package var endNs: Int64
    /// Entries by layer: in the order of ``DirtyMap/layers``.
    package var entries: [Int64]
    /// Harvests.
    package var harvests: Int64 = 0
    /// Reading rings, in nanoseconds.
    package var scanNs: Int64 = 0
    /// `KVM_GET_DIRTY_LOG`, in nanoseconds.
    package var getNs: Int64 = 0
    /// `KVM_CLEAR_DIRTY_LOG`, in nanoseconds.
    package var clearNs: Int64 = 0
    /// `KVM_RESET_DIRTY_RINGS`, in nanoseconds.
    package var resetNs: Int64 = 0
    /// From stop requests until vCPUs ran again, in nanoseconds.
    package var pauseNs: Int64 = 0
    /// Exits because a ring was full.
    package var ringFull: Int64 = 0
    /// How long vCPUs stood still because of them, in nanoseconds.
    package var stallNs: Int64 = 0

    mutating func add(_ harvest: Harvest, layer: Int) {
        entries[layer] += Int64(harvest.entryCount)
        harvests += 1
        if harvest.cause == .ringFull { ringFull += 1 }
        stallNs &+= harvest.stallNs
    }

    mutating func add(_ iteration: Iteration) {
        ticks += 1
        scanNs &+= iteration.scanNs
        getNs &+= iteration.getNs
        clearNs &+= iteration.clearNs
        resetNs &+= iteration.resetNs
        pauseNs &+= iteration.pauseNs
        endNs = max(endNs, iteration.endNs)
    }
}
