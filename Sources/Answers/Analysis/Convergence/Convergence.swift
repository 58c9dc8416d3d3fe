import Model
import Platform

/// Will a migration converge, how long does it take, and what would help? (Questions C1–C6.)
package enum Convergence {
    /// Replays every combination of policy, bandwidth and downtime against a recording, on all cores.
    ///
    /// - Parameter progress: told now and then how far it is; from any thread, one call at a time.
    /// - Throws: ``StartBeyondRecording``, or whatever reading the recording throws.
    package static func grid(
        _ recording: some Recording, options: ConvergenceOptions,
        progress: @escaping @Sendable (ConvergenceProgress) -> Void = { _ in }
    ) throws -> ConvergenceReport {
        try report(recording, Gathered(recording), options, progress: progress)
    }

    static func report(
        _ recording: some Recording, _ gathered: Gathered, _ options: ConvergenceOptions,
        progress: @escaping @Sendable (ConvergenceProgress) -> Void = { _ in }
    ) throws -> ConvergenceReport {
        var first: Int64 = 0
        if case .at(let offset) = options.start {
            first = max(0, offset)
            guard first == 0 || first < gathered.durationNs else {
                throw StartBeyondRecording(startNs: first, durationNs: gathered.durationNs)
            }
        }
        let memory = try LoggedMemory(recording, dirtyPages: gathered.pass.pages.count)
        let (memoryPages, basis) = memory.pages(at: gathered.windows.boundaries[0] + first)
        let clock = ReplayClock(
            gathered.pass, table: gathered.windows, extend: options.extend, memoryPages: memoryPages)
        let room = Room(
            info: recording.info, gathered: gathered,
            replayer: Replayer(clock: clock, pageSize: recording.info.pageSize),
            memory: memory, firstStart: first, options: options)
        var report = ConvergenceReport(
            memoryPages: memoryPages, memoryBasis: basis, extend: clock.extend,
            iterationsPerBoundary: Int64(gathered.windows.iterationsPerGroup), losses: Int64(try recording.losses.count)
        )
        let cells = options.policies.flatMap { policy in
            options.bandwidths.flatMap { bandwidth in
                options.downtimesNs.map { (policy: policy, bandwidth: bandwidth, downtimeNs: $0) }
            }
        }
        let leasts = options.policies.flatMap { policy in options.downtimesNs.map { (policy: policy, downtimeNs: $0) } }
        let counter = WorkCounter(total: cells.count + leasts.count, report: progress)
        report.grid = Parallel.map(cells.count) { place in
            defer { counter.finish() }
            return room.cell(cells[place].policy, cells[place].bandwidth, cells[place].downtimeNs)
        }
        report.leastBandwidth = Parallel.map(leasts.count) { place in
            defer { counter.finish() }
            return room.leastBandwidth(leasts[place].policy, downtimeNs: leasts[place].downtimeNs)
        }
        report.leastDowntime = options.bandwidths.map(room.leastDowntime)
        report.postCopy = options.bandwidths.flatMap(room.postCopy)
        if let stream = options.qemu, options.policies.contains(.qemu) {
            let streams = try QEMUStreamReplay.run(
                recording, gathered, memory: memory, options: options, assuming: stream, progress: progress)
            report.streams = zip(streams, report.grid.filter { $0.policy == .qemu }).map { $0.explained(against: $1) }
            (report.log, report.autoConverge) = (stream.log, stream.autoConverge)
            report.zeroPages = stream.zeroPages.map { min(max($0, 0), memoryPages) }
            if recording.info.source != .tracefs, gathered.pass.iterations > 0 {
                report.unknownTimesNs = gathered.durationNs / Int64(gathered.pass.iterations)
            }
        }
        if options.namesBlockingPages { report.blocking = try room.blocking(recording, report.grid) }
        return report
    }
}

/// How far a convergence report is.
package enum ConvergenceProgress: Sendable {
    /// Cells, and searches for a least bandwidth.
    case replays(done: Int, of: Int)
    /// Reading the recording for QEMU's stream.
    case stream(pass: Int, of: Int)
}

/// The asked start lies beyond the recording.
package struct StartBeyondRecording: Error, CustomStringConvertible {
    /// Nanoseconds after the recording's start.
    package let startNs: Int64
    /// The recording's length in nanoseconds.
    package let durationNs: Int64

    package var description: String {
        "The migration cannot begin \(Units.duration(startNs)) after the start of a recording of "
            + "\(Units.duration(durationNs)): choose an earlier start."
    }
}

/// What all cells share.
private struct Room: Sendable {
    let info: RecordingInfo
    let gathered: Gathered
    let replayer: Replayer
    let memory: LoggedMemory
    /// Nanoseconds after the recording's start.
    let firstStart: Int64
    let options: ConvergenceOptions

    private var table: WindowTable { gathered.windows }
    private var average: AverageConvergence {
        AverageConvergence(
            footprint: gathered.footprint, iterations: gathered.pass.iterations,
            iterationNs: gathered.pass.iterations == 0
                ? 0 : Double(gathered.durationNs) / Double(gathered.pass.iterations),
            pageSize: info.pageSize)
    }
    private var dirtyBytesPerSecond: Double {
        gathered.durationNs == 0
            ? 0 : Double(gathered.pass.total.distinct) * Double(info.pageSize) * 1e9 / Double(gathered.durationNs)
    }

    private func scenario(_ policy: MigrationPolicy, _ bandwidth: Int64, _ downtimeNs: Int64) -> Scenario {
        Scenario(
            bandwidth: bandwidth, downtimeNs: downtimeNs, policy: policy, syncNs: options.syncNs,
            maxRounds: options.maxRounds)
    }

    func cell(_ policy: MigrationPolicy, _ bandwidth: Int64, _ downtimeNs: Int64) -> ConvergenceCell {
        let scenario = scenario(policy, bandwidth, downtimeNs)
        var cell = ConvergenceCell(
            bandwidth: bandwidth, downtimeNs: downtimeNs, policy: policy,
            outcome: replayer.run(scenario, start: firstStart),
            lambda: LambdaModel(
                memoryBytes: Double(replayer.clock.memoryPages) * Double(info.pageSize),
                dirtyBytesPerSecond: dirtyBytesPerSecond, bandwidth: bandwidth, downtimeNs: downtimeNs))
        if options.start == .all { cell.starts = spread(scenario) }
        if cell.outcome.verdict != .converges {
            var throttle = Throttle(replayer, scenario, start: firstStart)
            throttle.setDirtyLimit(rates: vcpuRates(downtimeNs), affordable: Double(bandwidth))
            cell.throttle = throttle
        }
        return cell
    }

    private func spread(_ scenario: Scenario) -> StartSpread {
        let starts = table.boundaries.dropLast()
        let outcomes = Parallel.map(starts.count) { place in
            let start = starts[place] - table.boundaries[0]
            let outcome = replayer.run(scenario, start: start, memoryPages: memory.pages(at: starts[place]).pages)
            return (
                converges: outcome.verdict == .converges,
                point: StartSpread.Point(startNs: start, totalNs: outcome.totalNs)
            )
        }
        // What was not seen to end is longer than anything; of open ends, the one that may end first.
        func order(_ point: StartSpread.Point) -> (Int64, Int64, Int64) {
            (point.totalNs?.high ?? .max, point.totalNs?.low ?? .max, point.startNs)
        }
        let points = outcomes.map(\.point).sorted { order($0) < order($1) }
        let none = StartSpread.Point(startNs: 0, totalNs: nil)
        return StartSpread(
            count: points.count, converging: outcomes.count { $0.converges }, best: points.first ?? none,
            median: points.isEmpty ? none : points[(points.count - 1) / 2], worst: points.last ?? none)
    }

    /// First reports per vCPU, scaled so that together they are the average footprint of a downtime.
    private func vcpuRates(_ downtimeNs: Int64) -> [(vcpu: Int, rate: Double)] {
        guard let need = average.leastBandwidth(downtimeNs: downtimeNs) else { return [] }
        let total = Double(gathered.pass.total.distinct)
        guard total > 0 else { return [] }
        return gathered.rings.compactMap { ring in
            guard let vcpu = ring.vcpu else { return nil }
            return (vcpu, Double(need.high) * (Double(ring.duplicates.distinct) / total))
        }
    }

    /// Climbs by 5 % from 100 kB/s to the first bandwidth that converges, then halves the last step. Convergence need
    /// not be monotone in bandwidth, so the climb looks at each step.
    func leastBandwidth(_ policy: MigrationPolicy, downtimeNs: Int64) -> LeastBandwidth {
        func converges(_ bandwidth: Int64) -> Bool {
            replayer.run(scenario(policy, bandwidth, downtimeNs), start: firstStart).verdict == .converges
        }
        var result = LeastBandwidth(downtimeNs: downtimeNs, policy: policy)
        if let need = average.leastBandwidth(downtimeNs: downtimeNs) {
            result.average = Bracket(low: need.low, high: need.high)
        }
        var low: Int64 = 0
        var high: Int64 = 100_000
        while high <= 1_000_000_000_000, !converges(high) {
            low = high
            high += high / 20
        }
        guard high <= 1_000_000_000_000 else { return result }
        while high - low > max(1, high / 1000) {
            let middle = (low + high) / 2
            if converges(middle) { high = middle } else { low = middle }
        }
        result.bandwidth = high
        return result
    }

    func leastDowntime(_ bandwidth: Int64) -> LeastDowntime {
        // A limit of nothing is never met: the replay goes on to the recording's end.
        var endless = scenario(.qemu, bandwidth, 0)
        endless.maxRounds = min(options.maxRounds, 1000)
        let left = replayer.run(endless, start: firstStart).rounds.compactMap(\.dirtyPages)
        var result = LeastDowntime(bandwidth: bandwidth, averageNs: average.leastDowntimeNs(bandwidth: bandwidth))
        if let low = left.map(\.low).min(), let high = left.compactMap(\.high).min() {
            result.downtimeNs = Bracket(
                low: replayer.sendingTime(low, bandwidth), high: replayer.sendingTime(high, bandwidth))
        }
        return result
    }

    func postCopy(_ bandwidth: Int64) -> [PostCopy] {
        let replay = replayer.run(scenario(.qemu, bandwidth, 0), start: firstStart)
        guard let first = replay.rounds.first else { return [] }
        var result: [PostCopy] = []
        if let written = first.dirtyPages {
            result.append(
                PostCopy(
                    bandwidth: bandwidth, precopyRounds: 0, pendingPages: first.pages, writtenPages: written,
                    sendingNs: first.durationNs))
        }
        if let second = replay.rounds.dropFirst().first, let written = second.dirtyPages {
            // |A ∩ B| = |A| + |B| − |A ∪ B|, and the union is at least the larger of the two.
            let both = replayer.inBoth(first, second, start: firstStart)
            result.append(
                PostCopy(
                    bandwidth: bandwidth, precopyRounds: 1, pendingPages: second.pages,
                    writtenPages: Bracket(
                        low: both.low, high: min(both.high, min(second.pages.high ?? .max, written.high ?? .max))),
                    sendingNs: second.durationNs))
        }
        return result
    }

    /// Names the pages that block the cell with the most bandwidth and the longest limit among those that do not
    /// converge: what still blocks that one is the core of the trouble.
    func blocking(_ recording: some Recording, _ grid: [ConvergenceCell]) throws -> Blocking? {
        let open = grid.filter {
            [.doesNotConverge, .recordingTooShort, .exceedsDowntime].contains($0.outcome.verdict)
        }
        guard let cell = open.max(by: { ($0.bandwidth, $0.downtimeNs) < ($1.bandwidth, $1.downtimeNs) }) else {
            return nil
        }
        let windows = blockingWindows(cell)
        guard !windows.isEmpty else { return nil }
        var collector = BlockingCollector(gathered.pass.pages, windows: windows)
        try recording.replay(into: &collector)
        var result = Blocking(
            bandwidth: cell.bandwidth, downtimeNs: cell.downtimeNs, policy: cell.policy, windows: windows.count)
        collector.finish(into: &result, ranges: 16)
        return result
    }

    /// The last 16 complete rounds, as iterations. A replay that completes none but is proven not to converge is judged by
    /// the last 16 windows of the proof, as long as fit twice into the recording.
    private func blockingWindows(_ cell: ConvergenceCell) -> [Range<Int>] {
        var windows: [Range<Int>] = []
        let complete = cell.outcome.rounds.filter { $0.dirtyPages != nil }.suffix(16)
        for round in complete {
            guard let iterations = replayer.iterations(of: round, start: firstStart) else { continue }
            // Rounds shorter than an iteration fall into the same iteration: they count once.
            if iterations.lowerBound >= windows.last?.upperBound ?? 1 { windows.append(iterations) }
        }
        if windows.count >= 2 { return windows }
        let proofs = replayer.proofs(scenario(cell.policy, cell.bandwidth, cell.downtimeNs))
        guard let length = proofs.prefix(while: { $0 <= table.groups / 2 }).max() else { return windows }
        let per = table.iterationsPerGroup
        let count = min(16, table.groups / length)
        return (0..<count).reversed().map { back in
            let last = table.groups - back * length
            return ((last - length) * per + 1)..<(last * per + 1)
        }
    }
}

extension Replayer {
    /// The iterations (from 1) that the window of a round touches, beginning after those of the round before; nil beyond the
    /// recording.
    fileprivate func iterations(of round: ReplayRound, start: Int64) -> Range<Int>? {
        let begin = clock.table.boundaries[0] + start + round.startNs.low
        guard let duration = round.durationNs.high,
            let first = clock.boundary(atOrAfter: begin) ?? clock.boundary(atOrBefore: begin),
            let last = clock.boundary(atOrAfter: begin + duration), last <= clock.table.groups
        else { return nil }
        let per = clock.table.iterationsPerGroup
        let from = min(first, last - 1) * per + 1
        return from..<max(from, last * per) + 1
    }

    /// Pages dirtied both during the first and during the second of two rounds.
    fileprivate func inBoth(_ one: ReplayRound, _ two: ReplayRound, start: Int64) -> (low: Int64, high: Int64) {
        let origin = clock.table.boundaries[0] + start
        guard let first = one.dirtyPages, let second = two.dirtyPages, let firstHigh = first.high,
            let secondHigh = second.high, let duration = two.durationNs.high, let begun = two.startNs.high,
            let outerLast = clock.boundary(atOrAfter: origin + begun + duration),
            let outerFirst = clock.boundary(atOrBefore: origin),
            let innerFirst = clock.boundary(atOrAfter: origin),
            let innerLast = clock.boundary(atOrBefore: origin + two.startNs.low + two.durationNs.low)
        else { return (0, 0) }
        let most = clock.pages(after: outerFirst, through: outerLast).high
        let fewest = clock.pages(after: innerFirst, through: innerLast).low
        return (max(0, first.low + second.low - most), max(0, firstHigh + secondHigh - fewest))
    }
}
