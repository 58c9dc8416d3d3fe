/// What the start times of one cell make of it.
public struct StartSpread: Sendable, Equatable {
    /// A start time and the total time of the migration that begins there.
    public struct Point: Sendable, Equatable {
        /// Nanoseconds after the recording's start.
        public var startNs: Int64
        /// Total time; nil when that migration was not seen to end.
        public var totalNs: Bracket?
    }
    /// Start times tried.
    public var count = 0
    /// Those that converge.
    public var converging = 0
    /// The one with the least total time.
    public var best: Point
    /// The middle one, migrations that do not end counting as longest.
    public var median: Point
    /// The one with the greatest total time.
    public var worst: Point
}

/// Bounds on faults after a post-copy switch (question C6), in pages.
public struct PostCopy: Sendable, Equatable {
    /// Bytes per second.
    public var bandwidth: Int64
    /// Pre-copy rounds before the switch: 0 is pure post-copy, 1 the usual hybrid.
    public var precopyRounds: Int
    /// Pages still to be sent at the switch: the most that can fault.
    public var pendingPages: Bracket
    /// Of those, pages that the guest writes while they are being sent: the faults that writes alone cause when nothing
    /// is pushed in the background. Reads are unseen and add to it.
    public var writtenPages: Bracket
    /// Nanoseconds that sending them takes.
    public var sendingNs: Bracket
}

/// One cell of the grid.
public struct ConvergenceCell: Sendable, Equatable {
    /// Bytes per second.
    public var bandwidth: Int64
    /// Downtime limit in nanoseconds.
    public var downtimeNs: Int64
    /// The policy replayed.
    public var policy: MigrationPolicy
    /// The replay from the first (or the asked) start time.
    public var outcome: ReplayOutcome
    /// Over all start times, if asked.
    public var starts: StartSpread?
    /// The average-rate model's answer.
    public var lambda: LambdaModel
    /// What would make it converge; nil when it does.
    public var throttle: Throttle?

    /// Whether the average-rate model says the opposite of what the replay has decided; an open verdict contradicts nobody.
    public var modelDiffers: Bool {
        switch outcome.verdict {
        case .converges: !lambda.converges
        case .doesNotConverge, .exceedsDowntime: lambda.converges
        case .mayConverge, .traceTooShort: false
        }
    }
}

/// The least bandwidth for one downtime limit.
public struct LeastBandwidth: Sendable, Equatable {
    /// Downtime limit in nanoseconds.
    public var downtimeNs: Int64
    /// The policy replayed.
    public var policy: MigrationPolicy
    /// Bytes per second, found by replay to 0.1 %; nil when none up to 1 TB/s converges within the recording.
    public var bandwidth: Int64?
    /// Least bandwidth on average, fp(d) · P / d; nil when the recording is too short.
    public var average: Bracket?
}

/// The least downtime for one bandwidth.
public struct LeastDowntime: Sendable, Equatable {
    /// Bytes per second.
    public var bandwidth: Int64
    /// The shortest pause after any round of the replay; nil when no round ends within the recording.
    public var downtimeNs: Bracket?
    /// The fixed point of the average footprint, in nanoseconds; nil when there is none.
    public var averageNs: Bracket?
}

/// Everything about convergence (questions C1–C6).
public struct ConvergenceReport: Sendable, Equatable {
    /// Where the size of the guest comes from.
    public enum MemoryBasis: String, Sendable {
        /// The logged slots.
        case slots
        /// The recording's memory size: it names no slots.
        case memorySize = "memory_size"
        /// The pages seen dirty: the recording names neither.
        case dirtyPages = "dirty_pages"
    }
    /// Pages that the first round sends.
    public var memoryPages: Int64
    /// Where that figure comes from.
    public var memoryBasis: MemoryBasis
    /// What happens beyond the recording.
    public var extend: ConvergenceOptions.Extension
    /// Ticks between boundaries: replays are exact on boundaries.
    public var ticksPerBoundary: Int64
    /// Losses in the recording: with any, a real migration may have had more pages to send in every round.
    public var losses: Int64 = 0
    /// Policy by policy, bandwidth by bandwidth, downtime by downtime.
    public var grid: [ConvergenceCell] = []
    /// QEMU's own stream, bandwidth by bandwidth, downtime by downtime; empty when not asked.
    public var streams: [QEMUStreamOutcome] = []
    /// Mean length of an iteration in nanoseconds, within which ``streams`` spread writes evenly; nil where entries have times.
    public var unknownTimesNs: Int64?
    /// Pages of zeros that ``streams`` assume; nil when unknown.
    public var zeroPages: Int64?
    /// Policy by policy, downtime by downtime.
    public var leastBandwidth: [LeastBandwidth] = []
    /// Bandwidth by bandwidth, policy-free: the first round whose rest can be sent so fast.
    public var leastDowntime: [LeastDowntime] = []
    /// Pure and hybrid post-copy, bandwidth by bandwidth.
    public var postCopy: [PostCopy] = []
    /// The pages that block the cell closest to converging among those that do not; nil when all do, or not asked.
    public var blocking: Blocking?
}
