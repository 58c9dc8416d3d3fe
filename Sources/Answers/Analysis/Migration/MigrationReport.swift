import Model

/// What became of the guest's migrations, as other tools saw it, and what the recording says of them (question C4).
package struct MigrationReport: Sendable, Equatable {
    /// One migration of the log.
    package struct Attempt: Sendable, Equatable {
        package enum Outcome: String, Sendable {
            case completed, failed, cancelled
            /// The log ends before the migration does.
            case running
            /// The log says nothing of its state.
            case unknown
        }

        /// Counted from 1.
        package var number: Int64
        /// Who spoke of it.
        package var tools: String
        package var outcome = Outcome.unknown
        /// Whether the guest ran at its destination before everything was there.
        package var isPostCopy = false
        package var observations: Int64 = 0
        /// The last pass that was seen.
        package var passes: Int64?
        package var totalNs: Int64?
        package var transferredBytes: Int64?
        /// Bytes sent by the time they took, setting up left out.
        package var bytesPerSecond: Double?
        package var downtimeNs: Int64?
        /// What was expected last.
        package var expectedDowntimeNs: Int64?
        package var downtimeLimitNs: Int64?
        /// Bytes a second.
        package var bandwidthLimit: Int64?
        /// The most that was seen.
        package var throttlePercent: Int64?
        /// Passes that left no less than the one before.
        package var stalledPasses: Int64 = 0
    }

    /// Everything that was seen of one pass, or one observation of a tool that counts no passes.
    package struct Pass: Sendable, Equatable {
        package var attempt: Int64
        package var pass: Int64?
        package var observations: Int64 = 1
        /// When it was first seen, in nanoseconds since the migration began.
        package var seenNs: Int64?
        package var durationNs: Bracket?
        /// Bytes that it sent.
        package var bytes: Bracket?
        /// Bytes a second, from the last observation before it to its own last.
        package var bytesPerSecond: Double?
        /// Bytes found dirty after it.
        package var dirtiedBytes: Bracket?
        /// ``dirtiedBytes`` by ``bytes``.
        package var lambda: ClosedRange<Double>?
        /// Bytes left when it was seen last.
        package var remainingBytes: Int64?
        package var throttlePercent: Int64?
        package var expectedDowntimeNs: Int64?
        /// Whether it left no less than the one before, by the low ends of both.
        package var isStalled = false
    }

    /// At most ``mostAttempts``.
    package var attempts: [Attempt] = []
    package var attemptsLeftOut = 0
    /// At most ``mostPasses``.
    package var passes: [Pass] = []
    package var passesLeftOut = 0
    /// The last migration as it was seen, and as the recording foretells it; empty where the recording has no entries.
    package var predictions: [MigrationPrediction] = []

    package static let mostAttempts = 64
    package static let mostPasses = 4096

    /// The migration to name when only one is named.
    package var last: Attempt? { attempts.last { $0.outcome != .unknown } ?? attempts.last }

    /// Nil where nobody spoke of one.
    init?(_ observations: [MigrationObservation]) {
        guard !observations.isEmpty else { return nil }
        for group in observations.chunked(by: \.attempt) {
            let passes = MigrationPasses(group)
            self.attempts.append(Attempt(group, stalled: Int64(passes.lines.count { $0.isStalled })))
            self.passes += passes.lines
        }
        attemptsLeftOut = max(0, attempts.count - Self.mostAttempts)
        attempts.removeFirst(attemptsLeftOut)
        let shown = attempts.first?.number ?? 0
        let kept = passes.filter { $0.attempt >= shown }
        passesLeftOut = passes.count - min(kept.count, Self.mostPasses)
        passes = Array(kept.prefix(Self.mostPasses))
    }
}

extension MigrationReport.Attempt {
    init(_ group: ArraySlice<MigrationObservation>, stalled: Int64) {
        number = group.first?.attempt ?? 1
        tools = Set(group.map(\.tool.rawValue)).sorted().joined(separator: ", ")
        observations = Int64(group.count)
        stalledPasses = stalled
        let states = group.compactMap(\.state)
        isPostCopy = states.contains { $0.hasPrefix("postcopy") }
        if let over = group.last(where: \.isOver)?.state {
            outcome = Outcome(rawValue: over) ?? .unknown
        } else if !states.isEmpty {
            outcome = .running
        }
        func last(_ figure: KeyPath<MigrationObservation, Int64?>) -> Int64? {
            group.last { $0[keyPath: figure] != nil }?[keyPath: figure]
        }
        passes = group.compactMap(\.pass).max()
        let times = group.compactMap(\.tsNs)
        totalNs = group.compactMap(\.elapsedNs).max() ?? (times.count > 1 ? times[times.count - 1] - times[0] : nil)
        transferredBytes = group.compactMap(\.transferredBytes).max()
        downtimeNs = last(\.downtimeNs)
        expectedDowntimeNs = last(\.expectedDowntimeNs)
        downtimeLimitNs = last(\.downtimeLimitNs)
        bandwidthLimit = last(\.bandwidthLimit)
        throttlePercent = group.compactMap(\.throttlePercent).max()
        if let sent = transferredBytes,
            let when = group.last(where: { $0.transferredBytes == sent && $0.elapsedNs != nil })?.elapsedNs
                ?? (group.contains { $0.elapsedNs != nil } ? nil : totalNs)
        {
            let sending = when - (last(\.setupNs) ?? 0)
            if sending > 0, sent > 0 { bytesPerSecond = Double(sent) * 1e9 / Double(sending) }
        }
    }
}

extension Array {
    /// Neighbours with the same `key`, in order.
    fileprivate func chunked<Key: Equatable>(by key: KeyPath<Element, Key>) -> [ArraySlice<Element>] {
        var chunks: [ArraySlice<Element>] = []
        var start = 0
        for place in indices where place + 1 == count || self[place + 1][keyPath: key] != self[place][keyPath: key] {
            chunks.append(self[start...place])
            start = place + 1
        }
        return chunks
    }
}
