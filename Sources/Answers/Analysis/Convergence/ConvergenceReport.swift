/// What the start times of one cell make of it.
package struct StartSpread: Sendable, Equatable {
    /// A start time and the total time of the migration that begins there.
    package struct Point: Sendable, Equatable {
        /// Nanoseconds after the recording's start.
        package var startNs: Int64
        /// Total time; nil when that migration was not seen to end.
        package var totalNs: Bracket?
    }
    /// Start times tried.
    package var count = 0
    /// Those that converge.
    package var converging = 0
    /// The one with the least total time.
    package var best: Point
    /// The middle one, migrations that do not end counting as longest.
    package var median: Point
    /// The one with the greatest total time.
    package var worst: Point
}

/// Bounds on faults after a post-copy switch (question C6), in pages.
package struct PostCopy: Sendable, Equatable {
    /// Bytes per second.
    package var bandwidth: Int64
    /// Pre-copy rounds before the switch: 0 is pure post-copy, 1 the usual hybrid.
    package var precopyRounds: Int
    /// Pages still to be sent at the switch: the most that can fault.
    package var pendingPages: Bracket
    /// Of those, pages that the guest writes while they are being sent: the faults that writes alone cause when nothing
    /// is pushed in the background. Reads are unseen and add to it.
    package var writtenPages: Bracket
    /// Nanoseconds that sending them takes.
    package var sendingNs: Bracket
}

/// One cell of the grid.
package struct ConvergenceCell: Sendable, Equatable {
    /// Bytes per second.
    package var bandwidth: Int64
    /// Downtime limit in nanoseconds.
    package var downtimeNs: Int64
    package var policy: MigrationPolicy
    /// The replay from the first (or the asked) start time.
    package var outcome: ReplayOutcome
    /// Over all start times, if asked.
    package var starts: StartSpread?
    /// The average-rate model's answer.
    package var lambda: LambdaModel
    /// What would make it converge; nil when it does.
    package var throttle: Throttle?

    /// Whether the average-rate model says the opposite of what the replay has decided; an open verdict contradicts nobody.
    package var modelDiffers: Bool {
        switch outcome.verdict {
        case .converges: !lambda.converges
        case .doesNotConverge, .exceedsDowntime: lambda.converges
        case .mayConverge, .recordingTooShort: false
        }
    }
}

/// The least bandwidth for one downtime limit.
package struct LeastBandwidth: Sendable, Equatable {
    package var downtimeNs: Int64
    package var policy: MigrationPolicy
    /// Bytes per second, found by replay to 0.1 %; nil when none up to 1 TB/s converges within the recording.
    package var bandwidth: Int64?
    /// Least bandwidth on average, fp(d) · P / d; nil when the recording is too short.
    package var average: Bracket?
}

/// The least downtime for one bandwidth.
package struct LeastDowntime: Sendable, Equatable {
    /// Bytes per second.
    package var bandwidth: Int64
    /// The shortest pause after any round of the replay; nil when no round ends within the recording.
    package var downtimeNs: Bracket?
    /// The fixed point of the average footprint, in nanoseconds; nil when there is none.
    package var averageNs: Bracket?
}

/// Everything about convergence (questions C1–C6).
package struct ConvergenceReport: Sendable, Equatable {
    /// Where the size of the guest comes from.
    package enum MemoryBasis: String, Sendable {
        case slots
        /// The recording's memory size: it names no slots.
        case memorySize = "memory_size"
        /// The pages seen dirty: the recording names neither.
        case dirtyPages = "dirty_pages"
    }
    /// Pages that the first round sends.
    package var memoryPages: Int64
    package var memoryBasis: MemoryBasis
    /// What happens beyond the recording.
    package var extend: ConvergenceOptions.Extension
    /// Iterations between boundaries: replays are exact on boundaries.
    package var iterationsPerBoundary: Int64
    /// Losses in the recording: with any, a real migration may have had more pages to send in every round.
    package var losses: Int64 = 0
    /// Policy by policy, bandwidth by bandwidth, downtime by downtime.
    package var grid: [ConvergenceCell] = []
    /// QEMU's own stream, bandwidth by bandwidth, downtime by downtime; empty when not asked.
    package var streams: [QEMUStreamOutcome] = []
    /// Mean length of an iteration in nanoseconds, within which ``streams`` spread writes evenly; nil where entries have times.
    package var unknownTimesNs: Int64?
    /// Pages of zeros that ``streams`` assume; nil when unknown.
    package var zeroPages: Int64?
    /// How ``streams`` read the dirty log.
    package var log = QEMUStreamOptions.DirtyLog.ring
    /// How ``streams`` slow the guest down; nil when they do not.
    package var autoConverge: AutoConverge?
    /// Policy by policy, downtime by downtime.
    package var leastBandwidth: [LeastBandwidth] = []
    /// Bandwidth by bandwidth, policy-free: the first round whose rest can be sent so fast.
    package var leastDowntime: [LeastDowntime] = []
    /// Pure and hybrid post-copy, bandwidth by bandwidth.
    package var postCopy: [PostCopy] = []
    /// The pages that block the cell closest to converging among those that do not; nil when all do, or not asked.
    package var blocking: Blocking?
}
