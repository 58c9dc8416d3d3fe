import Model

/// Will a migration converge, how long does it take, and what would help? (Questions C1–C6.)
package enum Convergence {
    /// Replays every combination of policy, bandwidth and downtime against a recording.
    ///
    /// - Throws: whatever reading the recording throws.
    package static func grid(_ trace: some Trace, options: ConvergenceOptions) throws -> ConvergenceReport {
        try report(trace, Gathered(trace), options)
    }

    static func report(
        _ trace: some Trace, _ gathered: Gathered, _ options: ConvergenceOptions
    ) throws -> ConvergenceReport {
        let (memoryPages, basis) = memory(of: trace.info, slots: try trace.slots, dirty: gathered.collector.pages)
        let clock = ReplayClock(
            gathered.collector, table: gathered.windows, extend: options.extend, memoryPages: memoryPages)
        let room = Room(
            info: trace.info, gathered: gathered, replayer: Replayer(clock: clock, pageSize: trace.info.pageSize),
            options: options)
        var report = ConvergenceReport(
            memoryPages: memoryPages, memoryBasis: basis, extend: clock.extend,
            ticksPerBoundary: Int64(gathered.windows.ticksPerGroup), losses: Int64(try trace.losses.count))
        for policy in options.policies {
            for bandwidth in options.bandwidths {
                for downtime in options.downtimesNs {
                    report.grid.append(room.cell(policy, bandwidth, downtime))
                }
            }
            report.leastBandwidth += options.downtimesNs.map { room.leastBandwidth(policy, downtimeNs: $0) }
        }
        report.leastDowntime = options.bandwidths.map(room.leastDowntime)
        report.postCopy = options.bandwidths.flatMap(room.postCopy)
        if let stream = options.qemu, options.policies.contains(.qemu) {
            report.streams = try QEMUStreamReplay.run(
                trace, gathered, memoryPages: memoryPages, options: options, assuming: stream)
            report.zeroPages = stream.zeroPages.map { min(max($0, 0), memoryPages) }
            if trace.info.source != .tracefs, gathered.collector.ticks > 0 {
                report.unknownTimesNs = gathered.durationNs / Int64(gathered.collector.ticks)
            }
        }
        if options.namesBlockingPages { report.blocking = try room.blocking(trace, report.grid) }
        return report
    }

    /// S₀: the pages of every logged slot in its last generation. Where a slot's size is unknown, slots say nothing.
    private static func memory(
        of info: RecordingInfo, slots: [MemorySlot], dirty: PageTable
    ) -> (pages: Int64, basis: ConvergenceReport.MemoryBasis) {
        var last: [Int: MemorySlot] = [:]
        // Address space 1 is another view of the same memory.
        for slot in slots where slot.logged && slot.addressSpace == 0 {
            if slot.generation >= last[slot.slot]?.generation ?? 0 { last[slot.slot] = slot }
        }
        // x86 addresses 2^52 bytes: more is a lie, whose multiples would overflow.
        let most = 1 << 52 / info.pageSize
        let logged = last.values.reduce(Int64(0)) { min($0 + Int64(clamping: $1.pages), most) }
        if logged > 0, last.values.allSatisfy(\.isKnown) { return (logged, .slots) }
        if info.memoryBytes >= info.pageSize { return (min(info.memoryBytes / info.pageSize, most), .memorySize) }
        return (Int64(dirty.states.count), .dirtyPages)
    }
}

/// What all cells share.
private struct Room {
    let info: RecordingInfo
    let gathered: Gathered
    let replayer: Replayer
    let options: ConvergenceOptions

    private var firstStart: Int64 {
        if case .at(let offset) = options.start { return max(0, offset) }
        return 0
    }
    private var table: WindowTable { gathered.windows }
    private var average: AverageConvergence {
        AverageConvergence(
            footprint: gathered.footprint, ticks: gathered.collector.ticks,
            tickNs: gathered.collector.ticks == 0 ? 0 : Double(gathered.durationNs) / Double(gathered.collector.ticks),
            pageSize: info.pageSize)
    }
    private var dirtyBytesPerSecond: Double {
        gathered.durationNs == 0
            ? 0 : Double(gathered.collector.total.distinct) * Double(info.pageSize) * 1e9 / Double(gathered.durationNs)
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
        var converging = 0
        let points = table.boundaries.dropLast().map { boundary -> StartSpread.Point in
            let start = boundary - table.boundaries[0]
            let outcome = replayer.run(scenario, start: start)
            if outcome.verdict == .converges { converging += 1 }
            return StartSpread.Point(startNs: start, totalNs: outcome.totalNs)
        }.sorted { one, other in
            let times = (one.totalNs?.high ?? Int64.max, other.totalNs?.high ?? Int64.max)
            return times.0 == times.1 ? one.startNs < other.startNs : times.0 < times.1
        }
        let none = StartSpread.Point(startNs: 0, totalNs: nil)
        return StartSpread(
            count: points.count, converging: converging, best: points.first ?? none,
            median: points.isEmpty ? none : points[(points.count - 1) / 2], worst: points.last ?? none)
    }

    /// First reports per vCPU, scaled so that together they are the average footprint of a downtime.
    private func vcpuRates(_ downtimeNs: Int64) -> [(vcpu: Int, rate: Double)] {
        guard let need = average.leastBandwidth(downtimeNs: downtimeNs) else { return [] }
        let total = Double(gathered.collector.total.distinct)
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
    func blocking(_ trace: some Trace, _ grid: [ConvergenceCell]) throws -> Blocking? {
        let open = grid.filter { [.doesNotConverge, .traceTooShort, .exceedsDowntime].contains($0.outcome.verdict) }
        guard let cell = open.max(by: { ($0.bandwidth, $0.downtimeNs) < ($1.bandwidth, $1.downtimeNs) }) else {
            return nil
        }
        let windows = blockingWindows(cell)
        guard !windows.isEmpty else { return nil }
        var collector = BlockingCollector(windows: windows)
        try trace.replay(into: &collector)
        var result = Blocking(
            bandwidth: cell.bandwidth, downtimeNs: cell.downtimeNs, policy: cell.policy, windows: windows.count)
        collector.finish(into: &result, ranges: 16)
        return result
    }

    /// The last 16 complete rounds, as ticks. A replay that completes none but is proven not to converge is judged by
    /// the last 16 windows of the proof, as long as fit twice into the recording.
    private func blockingWindows(_ cell: ConvergenceCell) -> [Range<Int>] {
        var windows: [Range<Int>] = []
        let complete = cell.outcome.rounds.filter { $0.dirtyPages != nil }.suffix(16)
        for round in complete {
            guard let ticks = replayer.ticks(of: round, start: firstStart) else { continue }
            // Rounds shorter than a tick fall into the same tick: they count once.
            if ticks.lowerBound >= windows.last?.upperBound ?? 1 { windows.append(ticks) }
        }
        if windows.count >= 2 { return windows }
        let proofs = replayer.proofs(scenario(cell.policy, cell.bandwidth, cell.downtimeNs))
        guard let length = proofs.prefix(while: { $0 <= table.groups / 2 }).max() else { return windows }
        let per = table.ticksPerGroup
        let count = min(16, table.groups / length)
        return (0..<count).reversed().map { back in
            let last = table.groups - back * length
            return ((last - length) * per + 1)..<(last * per + 1)
        }
    }
}

extension Replayer {
    /// The ticks (from 1) that the window of a round touches, beginning after those of the round before; nil beyond the
    /// recording.
    fileprivate func ticks(of round: ReplayRound, start: Int64) -> Range<Int>? {
        let begin = clock.table.boundaries[0] + start + round.startNs.low
        guard let duration = round.durationNs.high,
            let first = clock.boundary(atOrAfter: begin) ?? clock.boundary(atOrBefore: begin),
            let last = clock.boundary(atOrAfter: begin + duration), last <= clock.table.groups
        else { return nil }
        let per = clock.table.ticksPerGroup
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
