import Model

/// How far the figures of an analysis can be trusted (question Q1). Part of every report.
package struct Fidelity: Sendable, Equatable {
    package struct LossTotal: Sendable, Equatable {
        package var kind: LossKind
        package var count: Int64
        /// Entries known to be concerned, added up.
        package var entries: Int64
        /// Of the losses, those whose extent is unknown.
        package var unknownExtent: Int64
    }
    package struct OracleTotal: Sendable, Equatable {
        package var oracle: String
        package var iterations: Int64
        /// Pages that had to be dirty.
        package var expected: Int64
        /// Pages that had to be dirty and were not reported.
        package var missing: Int64
        /// Reported pages that nothing explains.
        package var unexplained: Int64
        /// Pages reported while their content did not change.
        package var silent: Int64
    }

    /// How a recording ended.
    package enum Ending: Sendable, Equatable {
        /// As it was meant to.
        case clean
        /// It was cut off: its last iterations may be missing.
        case cutOff
        /// An error ended it: what came after is missing.
        case failed
        /// It has not ended: somebody is recording it.
        case inProgress

        init(of recording: some Recording) {
            self =
                switch recording.info.endReason {
                case nil: recording.isInProgress ? .inProgress : .cutOff
                case .recovered: .cutOff
                case .error: .failed
                default: .clean
                }
        }
    }

    /// What the time of an entry says about its write.
    package enum EntryTime: String, Sendable {
        /// It was written after its harvest's `since_ns`; or, in a trace, at the entry's own time.
        case written
        /// The same with PML: vCPUs were made to leave the guest before each harvest, and so to hand over what the CPU had logged.
        case kicked
        /// PML, and vCPUs were let run: up to ``RingLimits/pmlBatch`` writes of each came a harvest late, older than `since_ns`.
        case late
        /// A trace of a host with PML: when the CPU's log was emptied, up to ``RingLimits/pmlBatch`` writes after the write.
        /// The first touch of a page has its own time.
        case flushed
        /// The recording does not say whether the host has PML: `written`, or `late` or `flushed`.
        case unknown

        init(_ info: RecordingInfo, leastKickNs: Int64) {
            let isOurs = info.source != .tracefs && !["attached", "imported"].contains(info.guestKind)
            // Only Intel has page-modification logging, a guest that was made up has no CPU, and a fault has its own time.
            if info.pml == false || ["kvm_amd", "kvm_pvm"].contains(info.kvmModule) || info.guestKind == "synthetic"
                || info.labels[WayIn.key] == WayIn.softDirty.rawValue
            {
                self = .written
            } else if !isOurs {
                let hasTimes = info.source == .tracefs && info.labels[WayIn.key] != WayIn.masks.rawValue
                self = info.pml == true ? (hasTimes ? .flushed : .late) : .unknown
            } else if info.mode == .paused {
                self = .written
            } else if leastKickNs > 0 {
                self = .kicked
            } else {
                self = info.pml == true ? .late : .unknown
            }
        }

        /// The most writes of one vCPU of which the time can be wrong at any moment; nil when unknown.
        package var mostLate: Int? {
            switch self {
            case .written, .kicked: 0
            case .late, .flushed: RingLimits.pmlBatch
            case .unknown: nil
            }
        }
    }

    package var iterations: Int64 = 0
    /// Lengths of the iterations, in nanoseconds.
    package var iteration = Summary()
    /// The asked length; 0 where harvests follow something else.
    package var askedIntervalNs: Int64 = 0
    /// Entries known to be lost, all kinds together.
    package var lost: Int64 = 0
    /// Losses of which nobody knows how many entries they cost.
    package var lossesOfUnknownExtent: Int64 = 0
    /// Every kind of loss that happened, in the order of the kinds.
    package var losses: [LossTotal] = []
    /// Entries classified as provisional duplicates.
    package var provisional: Int64 = 0
    /// Share of cross-ring pairs of entries whose order is known; nil when there is none.
    package var orderConfidence: Double?
    package var oracles: [OracleTotal] = []
    package var entryTime = EntryTime.written
    package var ending = Ending.clean
    /// Share of the recording's time during which all vCPUs stood still for harvests; 0 without time.
    package var pausedShare = 0.0
    /// Iterations between two boundaries of window questions: 1 means every iteration can be told apart.
    package var iterationsPerBoundary: Int64 = 1
    /// Whether entries name their vCPU.
    package var hasVCPUs = false
    /// Entries that stand for more than a page, because the host keeps that memory in large pages: at least one page of each was written.
    package var largeEntries: Int64 = 0
    /// The most pages that one entry stands for.
    package var mostEntryPages: Int64 = 1

    /// Losses of one kind.
    package func count(of kind: LossKind) -> Int64 { losses.first { $0.kind == kind }?.count ?? 0 }
    /// Rings that wrapped.
    package var overruns: Int64 { count(of: .overrun) }
    /// Resets that returned fewer entries than were harvested.
    package var shortResets: Int64 { count(of: .shortReset) }
    /// Whether the recording was cut off: its last iterations may be missing.
    package var wasCutOff: Bool { ending == .cutOff }
    /// No loss, ended as it was meant to, and every oracle found each page where it had to be and none beside.
    package var isComplete: Bool {
        losses.isEmpty && ending == .clean && oracles.allSatisfy { $0.missing == 0 && $0.unexplained == 0 }
    }

    mutating func add(_ all: [Loss]) {
        for kind in LossKind.allCases {
            let losses = all.filter { $0.kind == kind }
            guard !losses.isEmpty else { continue }
            let total = LossTotal(
                kind: kind, count: Int64(losses.count),
                entries: losses.reduce(0) { $0 &+ ($1.entries ?? 0) },
                unknownExtent: losses.reduce(0) { $0 + ($1.entries == nil ? 1 : 0) })
            self.losses.append(total)
            lost &+= total.entries
            lossesOfUnknownExtent += total.unknownExtent
        }
    }

    mutating func add(_ verdicts: [OracleVerdict]) {
        for verdict in verdicts {
            let place = oracles.firstIndex { $0.oracle == verdict.oracle } ?? oracles.count
            if place == oracles.count {
                oracles.append(
                    OracleTotal(
                        oracle: verdict.oracle, iterations: 0, expected: 0, missing: 0, unexplained: 0, silent: 0))
            }
            oracles[place].iterations += 1
            oracles[place].expected &+= verdict.expected
            oracles[place].missing &+= verdict.missing
            oracles[place].unexplained &+= verdict.unexplained
            oracles[place].silent &+= verdict.silent
        }
    }
}
