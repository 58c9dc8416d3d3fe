import Model

/// How a simulated migration ends.
package enum ConvergenceVerdict: String, Sendable, CaseIterable {
    /// The guest is paused within the downtime limit.
    case converges
    /// Between two iterations the recording cannot tell whether it is.
    case mayConverge = "may_converge"
    /// It never is while the guest behaves as recorded: some window's pages always take longer to send than the window.
    /// Or an extended replay gave up after its last round.
    case doesNotConverge = "does_not_converge"
    /// The guest is paused all the same (Xen), for longer than the limit.
    case exceedsDowntime = "exceeds_downtime"
    /// Neither was seen by the end of the recording.
    case recordingTooShort = "trace_too_short"
}

/// One round of a simulated migration. Times count from the migration's start.
package struct ReplayRound: Sendable, Equatable {
    package var startNs: Bracket
    package var pages: Bracket
    package var bytes: Bracket
    /// How long it takes, in nanoseconds, the synchronisation included.
    package var durationNs: Bracket
    /// Pages dirtied meanwhile: what the next round sends, or the pause. Nil where the recording ends.
    package var dirtyPages: Bracket?
}

/// One simulated migration.
package struct ReplayOutcome: Sendable, Equatable {
    package var verdict: ConvergenceVerdict
    /// Why, when the verdict needs a reason.
    package var reason: String?
    /// When it begins, nanoseconds after the recording's start.
    package var startNs: Int64
    /// From the start until everything is sent; nil when it does not end.
    package var totalNs: Bracket?
    package var bytes: Bracket?
    /// How long the guest is paused.
    package var downtimeNs: Bracket?
    /// The rounds before the pause.
    package var rounds: [ReplayRound] = []
}

/// What one replay assumes.
struct Scenario: Sendable {
    var bandwidth: Int64
    var downtimeNs: Int64
    var policy: MigrationPolicy
    var syncNs: Int64 = 0
    var maxRounds = 1000
    /// Share of its time that the guest is kept from running, in percent.
    var throttlePercent: Int64 = 0
}

/// Replays pre-copy migrations against a recording (question C3).
///
/// S₀ is the whole guest. Round k sends S_k, which takes bytes/bandwidth + sync; S_{k+1} is what was dirtied meanwhile.
/// Where a round's ends lie on boundaries that is exact. Between boundaries every quantity is a bracket: the window
/// rounded in gives the low end, rounded out the high end, over all places where the round may begin.
struct Replayer: Sendable {
    let clock: ReplayClock
    let pageSize: Int64

    /// Nanoseconds, rounded up, that `pages` take at `bandwidth` bytes per second.
    func sendingTime(_ pages: Int64, _ bandwidth: Int64) -> Int64 {
        let bytes = (pages * pageSize).multipliedFullWidth(by: 1_000_000_000)
        // Beyond 146 years it does not matter how much longer.
        guard bandwidth > 0, bytes.high < bandwidth / 4 else { return .max / 4 }
        let (quotient, remainder) = bandwidth.dividingFullWidth(bytes)
        return min(quotient + (remainder > 0 ? 1 : 0), .max / 4)
    }

    /// What may still end the migration, over the rounds in which it may already have ended.
    private struct Ending {
        var total: Bracket
        var pages: Bracket
        var downtime: Bracket

        mutating func widen(_ other: Ending) {
            total = Self.union(total, other.total)
            pages = Self.union(pages, other.pages)
            downtime = Self.union(downtime, other.downtime)
        }
        private static func union(_ one: Bracket, _ other: Bracket) -> Bracket {
            Bracket(low: min(one.low, other.low), high: one.high.flatMap { a in other.high.map { max(a, $0) } })
        }
    }

    /// Replays one migration that begins `start` nanoseconds after the recording's start, with so many pages if they are not
    /// those of the first start.
    func run(_ scenario: Scenario, start: Int64, memoryPages: Int64? = nil) -> ReplayOutcome {
        let limit = Rational(bandwidth: scenario.bandwidth, nanoseconds: scenario.downtimeNs)
        var outcome = ReplayOutcome(verdict: .recordingTooShort, startNs: start)
        let all = memoryPages ?? clock.memoryPages
        var dirty = (low: all, high: all)
        var elapsed = (low: Int64(0), high: Int64(0))
        var sent = (low: Int64(0), high: Int64(0))
        var ending: Ending?

        while true {
            let stoppable = scenario.policy.largestStoppable(
                rounds: outcome.rounds.count, limitBytes: limit, pageSize: pageSize)
            if dirty.low <= stoppable {
                let last = (low: dirty.low, high: min(dirty.high, stoppable))
                let pause = Bracket(
                    low: sendingTime(last.low, scenario.bandwidth), high: sendingTime(last.high, scenario.bandwidth))
                let here = Ending(
                    total: Bracket(low: elapsed.low + pause.low, high: elapsed.high + (pause.high ?? 0)),
                    pages: Bracket(low: sent.low + last.low, high: sent.high + last.high), downtime: pause)
                if ending == nil { ending = here } else { ending?.widen(here) }
                if dirty.high <= stoppable {
                    finish(&outcome, ending, scenario, isCertain: true)
                    return outcome
                }
                // Going on means that more than that is dirty.
                dirty.low = stoppable + 1
            }
            if outcome.rounds.count == scenario.maxRounds {
                finish(&outcome, ending, scenario, isCertain: false)
                if ending == nil {
                    outcome.verdict = .doesNotConverge
                    outcome.reason = "not within \(scenario.maxRounds) rounds of the extended recording"
                }
                return outcome
            }
            let duration = (
                low: sendingTime(dirty.low, scenario.bandwidth) + scenario.syncNs,
                high: sendingTime(dirty.high, scenario.bandwidth) + scenario.syncNs
            )
            let next = dirtied(scenario, start: start, from: elapsed, for: duration)
            outcome.rounds.append(
                ReplayRound(
                    startNs: Bracket(low: elapsed.low, high: elapsed.high),
                    pages: Bracket(low: dirty.low, high: dirty.high),
                    bytes: Bracket(low: dirty.low * pageSize, high: dirty.high * pageSize),
                    durationNs: Bracket(low: duration.low, high: duration.high),
                    dirtyPages: next.map { Bracket(low: $0.low, high: $0.high) }))
            guard let next else {
                finish(&outcome, ending, scenario, isCertain: false)
                if ending == nil, let proof = divergence(scenario) {
                    outcome.verdict = .doesNotConverge
                    outcome.reason = proof
                }
                return outcome
            }
            sent = (sent.low + dirty.low, sent.high + dirty.high)
            elapsed = (elapsed.low + duration.low, elapsed.high + duration.high)
            dirty = next
        }
    }

    private func finish(_ outcome: inout ReplayOutcome, _ ending: Ending?, _ scenario: Scenario, isCertain: Bool) {
        guard var ending else { return }
        if !isCertain {
            ending.total.high = nil
            ending.pages.high = nil
            ending.downtime.high = nil
        }
        outcome.totalNs = ending.total
        outcome.bytes = Bracket(low: ending.pages.low * pageSize, high: ending.pages.high.map { $0 * pageSize })
        outcome.downtimeNs = ending.downtime
        if ending.downtime.low > scenario.downtimeNs {
            outcome.verdict = .exceedsDowntime
        } else if let high = ending.downtime.high, high <= scenario.downtimeNs {
            outcome.verdict = .converges
        } else {
            outcome.verdict = .mayConverge
        }
    }

    /// Nanoseconds of guest time in `real` nanoseconds under the scenario's throttle, rounded down or up.
    private func guestTime(_ real: Int64, _ scenario: Scenario, roundedUp: Bool) -> Int64 {
        if scenario.throttlePercent == 0 { return real }
        let share = 100 - scenario.throttlePercent
        let (hundreds, rest) = real.quotientAndRemainder(dividingBy: 100)
        return hundreds * share + (rest * share + (roundedUp ? 99 : 0)) / 100
    }

    /// Fewest and most pages dirtied in a window that begins `elapsed` after the start and lasts `duration`.
    /// Nil when it may reach beyond the recording.
    private func dirtied(
        _ scenario: Scenario, start: Int64, from elapsed: (low: Int64, high: Int64),
        for duration: (low: Int64, high: Int64)
    ) -> (low: Int64, high: Int64)? {
        // Beyond 73 years nothing is known, and sums would overflow.
        guard elapsed.high < .max / 4 else { return nil }
        let origin = clock.table.boundaries[0] + start
        let earliest = origin + guestTime(elapsed.low, scenario, roundedUp: false)
        let latest = origin + guestTime(elapsed.high, scenario, roundedUp: true)
        let shortest = guestTime(duration.low, scenario, roundedUp: false)
        let longest = guestTime(duration.high, scenario, roundedUp: true)
        guard latest < .max / 2, longest < .max / 2, clock.boundary(atOrAfter: latest + longest) != nil,
            let first = clock.boundary(atOrBefore: earliest), let last = clock.boundary(atOrBefore: latest)
        else { return nil }
        var low = Int64.max
        var high: Int64 = 0
        // The window may begin anywhere in earliest...latest: stretch by stretch between boundaries. Of more than 16,
        // neighbours are taken together, which widens the bracket a little: there may be millions.
        let together = max(1, (last - first) / 16)
        for boundary in stride(from: first, through: last, by: together) {
            let begin = max(earliest, clock.time(of: boundary))
            let end = boundary == last ? latest : min(latest, clock.time(of: boundary + together))
            guard let outer = clock.boundary(atOrAfter: end + longest),
                let inner = clock.boundary(atOrBefore: begin + shortest),
                let innerBegin = clock.boundary(atOrAfter: together > 1 ? end : begin == end ? begin : begin + 1)
            else { return nil }
            high = max(high, clock.pages(after: boundary, through: outer).high)
            low = min(low, clock.pages(after: innerBegin, through: inner).low)
            if begin == clock.time(of: boundary), begin < end {
                low = min(low, clock.pages(after: boundary, through: inner).low)
            }
        }
        return (min(low, high), high)
    }

    /// Lengths of windows, in groups, that prove that no round ever leaves little enough; ascending.
    ///
    /// If every recorded window of w groups holds at least L pages, and sending L pages takes at least as long as any
    /// w + 1 groups, then a round of at least L pages always contains such a window and leaves at least L.
    func proofs(_ scenario: Scenario) -> some Sequence<Int> {
        let limit = Rational(bandwidth: scenario.bandwidth, nanoseconds: scenario.downtimeNs)
        let stoppable = scenario.policy.largestStoppable(rounds: .max, limitBytes: limit, pageSize: pageSize)
        return stride(from: 1, to: clock.table.groups, by: 1).lazy.filter { window in
            let pages = clock.extremes.fewest[window]
            guard pages > stoppable else { return false }
            let time = guestTime(sendingTime(pages, scenario.bandwidth), scenario, roundedUp: false)
            return time >= clock.extremes.longestNs[window + 1]
        }
    }

    /// The shortest proof as a clause, or nil.
    private func divergence(_ scenario: Scenario) -> String? {
        guard let window = proofs(scenario).first(where: { _ in true }) else { return nil }
        let pages = clock.extremes.fewest[window]
        let iterations = window * clock.table.iterationsPerGroup
        let which = Units.counted(pages, "page", "pages")
        return "any \(iterations == 1 ? "tick dirties" : "\(iterations) ticks dirty") at least \(which), "
            + "which \(pages == 1 ? "takes" : "take") \(Units.duration(sendingTime(pages, scenario.bandwidth))) to send"
    }
}
