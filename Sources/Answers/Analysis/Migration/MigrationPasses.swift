import Model

/// One migration's observations, gathered pass by pass.
///
/// A poll sees a pass somewhere in its course. A pass begins between the last sight of the one before and its own first sight, and before
/// more was sent than the one before had left. What it sent, how long it took, and what was dirty when it began are bracketed so.
struct MigrationPasses {
    private(set) var lines: [MigrationReport.Pass] = []

    /// What was seen of one pass.
    private struct Seen {
        var pass: Int64?
        var count: Int64 = 0
        var first: Int64?
        var last: Int64?
        var firstSent: Int64?
        var lastSent: Int64?
        /// Memory that was sent, pages of zeros as a whole.
        var firstMemory: Int64?
        var lastMemory: Int64?
        var firstLeft: Int64?
        var lastLeft: Int64?
        var wholeBytes: Int64?
        var wholeNs: Int64?
        var toolRate: Int64?
        var throttle: Int64?
        var expected: Int64?
        /// Whether ``first`` is when it began: QEMU's event says so.
        var beginsAtFirst = false
    }

    init(_ group: ArraySlice<MigrationObservation>) {
        let seen = Self.gather(group)
        let setup = group.last { $0.setupNs != nil }?.setupNs ?? 0
        let isOver = group.contains(where: \.isOver)
        lines = seen.indices.map { place in
            let this = seen[place]
            let before = place > 0 ? seen[place - 1] : nil
            let next = place + 1 < seen.count ? seen[place + 1] : nil
            var line = MigrationReport.Pass(
                attempt: group.first?.attempt ?? 1, pass: this.pass, observations: this.count)
            line.seenNs = this.first
            (line.remainingBytes, line.throttlePercent, line.expectedDowntimeNs) = (
                this.lastLeft, this.throttle, this.expected
            )
            let lastSent = before == nil ? 0 : before?.lastSent
            let lastTime = before == nil ? setup : before?.last
            line.bytesPerSecond = this.toolRate.map(Double.init)
            if let sent = this.lastSent, let time = this.last, let lastSent, let lastTime, time > lastTime,
                sent >= lastSent
            {
                line.bytesPerSecond = Double(sent - lastSent) * 1e9 / Double(time - lastTime)
            }
            guard this.pass != nil else {
                if let left = this.lastLeft, let former = before?.lastLeft {
                    line.isStalled = left >= former && left > 0
                }
                return line
            }
            let end = next == nil ? (isOver ? this : nil) : next
            line.bytes =
                this.wholeBytes.map { Bracket(low: $0, high: $0) }
                ?? Self.span(
                    from: (lastSent, Self.latestBegin(this.firstSent, before?.lastSent, before?.lastLeft)),
                    to: (
                        this.lastSent,
                        next == nil ? end?.lastSent : Self.latestBegin(next?.firstSent, this.lastSent, this.lastLeft)
                    ))
            line.durationNs =
                this.wholeNs.map { Bracket(low: $0, high: $0) }
                ?? Self.span(
                    from: (this.beginsAtFirst ? this.first : lastTime, this.first),
                    to: (next?.beginsAtFirst == true ? next?.first : this.last, next == nil ? end?.last : next?.first))
            guard let next, let pass = this.pass, next.pass == pass + 1 else { return line }
            line.dirtiedBytes = Self.dirty(next, after: this)
            if let dirty = line.dirtiedBytes, let high = dirty.high, let bytes = line.bytes, let most = bytes.high,
                bytes.low > 0, most > 0
            {
                line.lambda =
                    Double(dirty.low)
                    / Double(most)...max(
                        Double(dirty.low) / Double(most), Double(high) / Double(bytes.low))
            }
            let former = before?.pass == pass - 1 ? Self.dirty(this, after: before) : nil
            if let dirty = line.dirtiedBytes, let former, dirty.low > 0 { line.isStalled = dirty.low >= former.low }
            return line
        }
    }

    /// From one place to another, each between two; nil where nothing is known.
    private static func span(from: (low: Int64?, high: Int64?), to: (low: Int64?, high: Int64?)) -> Bracket? {
        let low = to.low.flatMap { end in from.high.map { max(0, end - $0) } } ?? 0
        guard let first = from.low, let last = to.high else { return low > 0 ? Bracket(low: low, high: nil) : nil }
        return Bracket(low: low, high: max(low, last - first))
    }

    /// The most that had been sent when a pass began: not more than at its first sight, and not more than the pass before had left.
    /// A page takes 8 bytes of header and now and then its block's name: 1/256 more is enough.
    private static func latestBegin(_ firstSent: Int64?, _ sentBefore: Int64?, _ leftBefore: Int64?) -> Int64? {
        guard let firstSent, let sentBefore, let leftBefore else { return firstSent }
        return min(firstSent, sentBefore + leftBefore + leftBefore / 256)
    }

    /// What was dirty when a pass began.
    private static func dirty(_ pass: Seen, after before: Seen?) -> Bracket? {
        if let bytes = pass.wholeBytes { return Bracket(low: bytes, high: bytes) }
        guard let left = pass.firstLeft else { return nil }
        guard let now = pass.firstMemory, let then = before?.lastMemory else {
            return left > 0 ? Bracket(low: left, high: nil) : nil
        }
        let most = left + max(0, now - then)
        let least = before?.lastLeft.map { left + max(0, now - (then + $0)) } ?? left
        return Bracket(low: min(least, most), high: most)
    }

    /// Observations of one pass become one; those of tools that count none stay apart.
    private static func gather(_ group: ArraySlice<MigrationObservation>) -> [Seen] {
        let hasPasses = group.contains { $0.pass != nil }
        let clock = Clock(group)
        var seen: [Seen] = []
        for observation in group {
            let speaks = observation.transferredBytes != nil || observation.remainingBytes != nil
            guard hasPasses || speaks else { continue }
            if hasPasses, let pass = observation.pass, pass != seen.last?.pass {
                seen.append(Seen(pass: pass))
                seen[seen.count - 1].beginsAtFirst = !speaks && observation.passBytes == nil && observation.tsNs != nil
            } else if !hasPasses {
                seen.append(Seen())
            }
            guard var this = seen.popLast() else { continue }
            if observation.pass != nil || speaks { this.count += 1 }
            let time = clock.time(observation)
            if let time, observation.pass != nil || speaks { (this.first, this.last) = (this.first ?? time, time) }
            if let sent = observation.transferredBytes {
                (this.firstSent, this.lastSent) = (this.firstSent ?? sent, sent)
                let memory = Self.memory(observation) ?? sent
                (this.firstMemory, this.lastMemory) = (this.firstMemory ?? memory, memory)
            }
            if let left = observation.remainingBytes {
                (this.firstLeft, this.lastLeft) = (this.firstLeft ?? left, left)
            }
            this.wholeBytes = observation.passBytes ?? this.wholeBytes
            this.wholeNs = observation.passNs ?? this.wholeNs
            if observation.passBytes != nil { this.toolRate = observation.bytesPerSecond }
            this.throttle = [this.throttle, observation.throttlePercent].compactMap(\.self).max()
            this.expected = observation.expectedDowntimeNs ?? this.expected
            seen.append(this)
        }
        return seen
    }

    private static func memory(_ observation: MigrationObservation) -> Int64? {
        guard let zero = observation.zeroPages, let normal = observation.normalPages, let page = observation.pageBytes
        else { return nil }
        let (pages, isTooMany) = zero.addingReportingOverflow(normal)
        let (bytes, isTooMuch) = pages.multipliedReportingOverflow(by: page)
        return isTooMany || isTooMuch || bytes > 1 << 60 ? nil : bytes
    }

    /// Brings the log's times to the migration's own.
    private struct Clock {
        /// The log's time when the migration began.
        private var begin: Int64?

        init(_ group: ArraySlice<MigrationObservation>) {
            for case (let ts?, let elapsed?) in group.lazy.map({ ($0.tsNs, $0.elapsedNs) }) {
                begin = ts - elapsed
                return
            }
            begin = group.lazy.compactMap(\.tsNs).first
        }

        func time(_ observation: MigrationObservation) -> Int64? {
            if let elapsed = observation.elapsedNs { return elapsed }
            guard let ts = observation.tsNs, let begin else { return nil }
            return max(0, ts - begin)
        }
    }
}
