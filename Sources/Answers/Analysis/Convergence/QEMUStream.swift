import Model

/// What a replay of QEMU's own stream assumes beyond bandwidth and downtime limit (question C3).
package struct QEMUStreamOptions: Sendable, Equatable {
    /// Pages that hold nothing but zeros when the migration begins: QEMU sends 9 bytes for each. Nil when unknown.
    package var zeroPages: Int64?
    /// Nanoseconds that QEMU takes to see that a page holds only zeros. Its limit counts bytes, so nothing hides them.
    package var zeroPageNs: Int64 = 0
    /// Bytes a second that the connection carries while the guest is paused, when QEMU lifts its own limit. Nil when that
    /// is the bandwidth.
    package var link: Int64?
    /// How QEMU reads the dirty log.
    package var log = DirtyLog.ring
    /// How QEMU slows the guest down; nil when it does not.
    package var autoConverge: AutoConverge?

    /// When the pages of a dirty log are protected again (question C3b).
    package enum DirtyLog: Sendable, Equatable {
        /// All of them when the log is read: with dirty rings.
        case ring
        /// 2^`clearShift` pages when the first of them is sent after a reading: with bitmaps, QEMU's `clear-bitmap-shift`.
        case bitmap(clearShift: Int)

        /// QEMU's default: 1 GiB of pages of 4 KiB.
        package static let defaultShift = 18
        /// What QEMU takes, within what pages of a guest can be.
        package static let shifts = 6...52

        /// Nil with rings.
        package var clearShift: Int? {
            switch self {
            case .ring: nil
            case .bitmap(let clearShift): clearShift
            }
        }
    }

    package init() {}
}

/// One migration as QEMU would run it: one figure each, where ``ReplayOutcome`` has brackets. Of several starts, the one with the
/// median total of those that converge; of all, if none does.
package struct QEMUStreamOutcome: Sendable, Equatable {
    /// Bytes per second of QEMU's `max-bandwidth`.
    package var bandwidth: Int64
    /// QEMU's `downtime-limit` in nanoseconds.
    package var downtimeNs: Int64
    /// `converges`, `doesNotConverge` or `recordingTooShort`; `mayConverge` when some starts converge.
    package var verdict = ConvergenceVerdict.recordingTooShort
    /// From the start to the end; until the replay gave up when it does not converge.
    package var totalNs: Int64 = 0
    /// Bytes in the stream's pages, headers included: QEMU's `ram.transferred`.
    package var bytes: Int64 = 0
    /// How long the guest is paused; nil when it never is.
    package var downtimeNsActual: Int64?
    /// How often the dirty log was read, as QEMU counts it: once before the first page and once in the pause included.
    package var syncs = 1
    /// Pages that were dirty after the last times that the log was read, oldest first, at most 8.
    package var dirtyPages: [Int64] = []
    /// Percent of their time that vCPUs did not run at the end; 0 without `auto-converge`.
    package var throttle = 0
    /// Whether everything had been sent before QEMU's first window was over, so that it paused without asking the limit.
    package var isPausedAtOnce = false
    /// Why it does not converge, or why it says the opposite of the replay in rounds.
    package var reason: String?
    /// Replays from different places of the recording.
    package var starts = 1
    /// Those of them that converge.
    package var converging = 0
    /// ``totalNs`` of those that converge, in nanoseconds; nil without any.
    package var totalRangeNs: ClosedRange<Int64>?
    /// ``bytes`` of those that converge; nil without any.
    package var bytesRange: ClosedRange<Int64>?

    /// One outcome of several starts, at least one.
    init(of starts: [QEMUStreamOutcome]) {
        let converging = starts.filter { $0.verdict == .converges }
        let shown = (converging.isEmpty ? starts : converging).sorted { $0.totalNs < $1.totalNs }
        self = shown[(shown.count - 1) / 2]
        if !converging.isEmpty, converging.count < starts.count { verdict = .mayConverge }
        self.starts = starts.count
        self.converging = converging.count
        totalRangeNs = Self.range(converging.map(\.totalNs))
        bytesRange = Self.range(converging.map(\.bytes))
    }

    init(bandwidth: Int64, downtimeNs: Int64) { (self.bandwidth, self.downtimeNs) = (bandwidth, downtimeNs) }

    /// How good a verdict is.
    private var rank: Int { verdict == .converges ? 2 : verdict == .mayConverge ? 1 : 0 }

    /// More bandwidth and a longer limit cannot make it worse. Where they seem to, QEMU's windows happen to fall in step with a
    /// guest that repeats itself to the nanosecond, which no real one does: then neither verdict is certain.
    static func settled(_ outcomes: [Self]) -> [Self] {
        outcomes.map { outcome in
            let isContested = outcomes.contains { other in
                let isLess = other.bandwidth <= outcome.bandwidth && other.downtimeNs <= outcome.downtimeNs
                let isMore = other.bandwidth >= outcome.bandwidth && other.downtimeNs >= outcome.downtimeNs
                return isLess && other.rank > outcome.rank || isMore && other.rank < outcome.rank
            }
            guard isContested else { return outcome }
            var result = outcome
            result.verdict = .mayConverge
            result.reason =
                "with less bandwidth or a shorter limit it ends better: how QEMU's windows of 100 ms meet the guest decides"
            return result
        }
    }

    /// With a reason where it says the opposite of the replay in rounds.
    func explained(against cell: ConvergenceCell) -> Self {
        var result = self
        switch (cell.outcome.verdict, verdict) {
        case (.doesNotConverge, .converges) where isPausedAtOnce:
            result.reason =
                "everything was sent within its first 100 ms, when QEMU knows no bandwidth yet and pauses whatever is left"
        case (.doesNotConverge, .converges):
            result.reason =
                "QEMU looks every 100 ms while it sends, and pauses in the middle of a round, where the replay looks at its end"
        default: break
        }
        return result
    }

    private static func range(_ values: [Int64]) -> ClosedRange<Int64>? {
        guard let least = values.min(), let most = values.max() else { return nil }
        return least...most
    }
}

/// The pages of a guest as a migration walks over them: ranks in the order of guest addresses. Pages that the recording
/// names are told apart, and the others are taken as alike.
struct StreamLayout: Sendable {
    /// Bytes of the header of a page, and of all that is sent for a page of zeros.
    static let headerBytes = 8.0
    static let zeroPageBytes = 9.0

    /// Rank of each named page, ascending.
    let ranks: [Int64]
    /// Chunk of each named page, counted from 0 without gaps; empty where pages are protected when the log is read.
    let chunks: [Int32]
    private let clearShift: Int64
    let memoryPages: Int64
    /// Bytes in the stream for a page with content.
    let pageBytes: Double
    /// Pages with content that no entry names. The pages of zeros are taken to lie together behind them: free memory does.
    let others: Int64
    /// Pages of zeros that no entry names.
    let zeros: Int64
    /// Named pages that hold zeros until they are written: when more pages of zeros are there than unnamed ones, those whose first
    /// write comes last.
    let namedZeros: [Int]

    init(
        sortedGFNs: [GFN], slots: [MemorySlot], memoryPages: Int64, pageSize: Int64, zeroPages: Int64,
        log: QEMUStreamOptions.DirtyLog,
        firstIterations: () -> [UInt32]
    ) {
        let named = Int64(sortedGFNs.count)
        let all = max(memoryPages, named)
        self.memoryPages = all
        pageBytes = Double(pageSize) + Self.headerBytes
        zeros = min(max(zeroPages, 0), all - named)
        others = all - named - zeros
        let more = Int(min(max(zeroPages, 0) - zeros, named))
        if more == 0 {
            namedZeros = []
        } else {
            let first = firstIterations()
            namedZeros = Array(first.indices.sorted { (first[$1], $1) < (first[$0], $0) }.prefix(more))
        }
        let ranks = Self.ranks(sortedGFNs, slots, all)
        self.ranks = ranks
        clearShift = Int64(log.clearShift ?? 0)
        chunks = log.clearShift.map { Self.chunks(ranks, Int64($0)) } ?? []
    }

    private static func chunks(_ ranks: [Int64], _ shift: Int64) -> [Int32] {
        var chunk: Int32 = 0
        return ranks.indices.map { page in
            if page > 0, ranks[page] >> shift != ranks[page - 1] >> shift { chunk += 1 }
            return chunk
        }
    }

    /// The chunk of the unnamed page at `rank` if it is that of the named page `page`.
    func chunk(of rank: Int64, ifThatOf page: Int) -> Int? {
        guard chunks.indices.contains(page), ranks[page] >> clearShift == rank >> clearShift else { return nil }
        return Int(chunks[page])
    }

    /// Where slots say where memory lies, pages keep their places; else they are taken to lie together at the front: sent first, they
    /// have the rest of the lap to be dirtied again, the worst case.
    private static func ranks(_ gfns: [GFN], _ slots: [MemorySlot], _ memoryPages: Int64) -> [Int64] {
        let sorted = slots.sorted { $0.baseGFN < $1.baseGFN }
        var ranks: [Int64] = []
        ranks.reserveCapacity(gfns.count)
        var slot = 0
        var before: Int64 = 0
        for (place, gfn) in gfns.enumerated() {
            while slot < sorted.count, gfn >= sorted[slot].baseGFN + sorted[slot].pages {
                before = min(before + min(Int64(clamping: sorted[slot].pages), memoryPages), memoryPages)
                slot += 1
            }
            let isInside = slot < sorted.count && gfn >= sorted[slot].baseGFN && before < memoryPages
            let rank = isInside ? before + Int64(gfn - sorted[slot].baseGFN) : Int64(place)
            // Ranks ascend, and leave room for the pages that follow.
            let most = memoryPages - Int64(gfns.count - place)
            ranks.append(min(max(rank, (ranks.last ?? -1) + 1), most))
        }
        return ranks
    }
}

/// A QEMU migration thread at work on a recording: what `migration.c` and `ram.c` do, as far as it decides time and bytes.
///
/// Time goes in windows of 100 ms. In each, QEMU sends until a tenth of `max-bandwidth` is used up, or the window is over.
/// When a window begins, and when nothing is left, it compares what is left with the bandwidth of the last window times the
/// downtime limit; if less is left it reads the dirty log, and if it is still less, pauses the guest and sends the rest
/// without its limit. Pages are sent in the order of addresses, again and again from the first to the last; one that is
/// dirtied while it waits is sent and stays dirty.
///
/// Reading the log re-protects all pages, or those of bitmaps chunk by chunk when they are sent first: what is written to a waiting page before
/// goes with it. In the recording, pages were re-protected between iterations: so after each reading the replay goes on with the next iteration.
struct QEMUStream: Sendable {
    private static let windowNs: Int64 = 100_000_000
    private static let manySyncs = 20
    /// Eleven days; whoever still migrates then is given up, so that hostile numbers do not keep us busy.
    private static let mostWindows = 10_000_000
    /// Nanoseconds beyond which nothing is computed: sums of two such times do not overflow.
    private static let latest = 4e18

    private let layout: StreamLayout
    private let pageSize: Double
    private let link: Double
    private let pageNs: Double
    private let zeroPageNs: Double
    private let budget: Double
    private let syncNs: Int64
    private let maxSyncs: Int
    private let autoConverge: AutoConverge?

    private(set) var outcome: QEMUStreamOutcome
    private(set) var isDone = false
    private var pending: PageSet
    private var dirty: PageSet
    /// Named pages that nobody wrote since the migration began, and that held zeros then.
    private var zeros: PageSet
    /// Chunks that were protected since the log was read.
    private var cleared: PageSet
    /// Where the walk is: a rank on the first lap, then the number of a named page.
    private var next: Int64 = 0
    private var nextNamed = 0
    private var isFirstLap = true
    private var othersSent: Int64 = 0
    /// Nanoseconds since the start. A page may take less than one.
    private var clock = 0.0
    private var now: Int64 { Int64(min(clock, Self.latest)) }
    private var windowStart: Int64 = 0
    private var windowBytes = 0.0
    private var bytes = 0.0
    private var threshold = 0.0
    private var isWindowNew = true
    /// Whether everything pending was sent.
    private var isDrained = false
    private var windows = 0
    /// The fewest pages left after a reading of the log that did not lead to a pause, and the bytes below which it would have.
    private var fewestLeft: (pages: Int64, threshold: Double)?
    private var throttle = AutoConverge.State()
    /// A time of the recording, and when that is in the migration; nil until the next iteration begins.
    private var anchor: (recorded: Int64, clock: Int64)?

    init(
        _ layout: StreamLayout, pageSize: Int64, bandwidth: Int64, downtimeNs: Int64,
        assuming options: QEMUStreamOptions,
        syncNs: Int64, maxSyncs: Int
    ) {
        self.layout = layout
        self.pageSize = Double(pageSize)
        link = Double(max(options.link ?? bandwidth, 1))
        pageNs = layout.pageBytes / link * 1e9
        zeroPageNs = Double(options.zeroPageNs)
        self.syncNs = syncNs
        self.maxSyncs = maxSyncs
        autoConverge = options.autoConverge
        budget = Double(bandwidth) * Double(Self.windowNs) / 1e9
        outcome = QEMUStreamOutcome(bandwidth: bandwidth, downtimeNs: downtimeNs)
        pending = PageSet(full: layout.ranks.count)
        dirty = PageSet(empty: layout.ranks.count)
        zeros = PageSet(empty: layout.ranks.count)
        cleared = PageSet(empty: layout.chunks.count)
        for page in layout.namedZeros { zeros.insert(page) }
    }

    /// How long a page of zeros takes.
    private var zeroNs: Double { StreamLayout.zeroPageBytes / link * 1e9 + zeroPageNs }
    private var isWaiting: Bool { anchor == nil }
    /// Pages that no recording names and that were not sent yet.
    private var othersLeft: Int64 { layout.others + layout.zeros - othersSent }
    private var leftPages: Int64 { Int64(pending.count) + othersLeft }
    private var leftBytes: Double { Double(leftPages) * pageSize }

    /// An iteration begins at `time`: all pages are protected.
    mutating func begin(at time: Int64) {
        guard isWaiting else { return }
        // The guest runs on while the log is read.
        anchor = (time, now - (outcome.syncs > 1 ? syncNs : 0))
    }

    /// The recording ends here and begins anew at `time`.
    mutating func rewind(from end: Int64, to time: Int64) {
        if !isDone { anchor = anchor.map { ($0.recorded + time - end, $0.clock) } }
    }

    /// A named page is written at `time`.
    mutating func write(_ page: Int, at time: Int64) {
        advance(to: time)
        if isDone { return }
        if !isWaiting, !isOpen(page) { dirty.insert(page) }
        if !isWaiting || outcome.syncs > 1 { _ = zeros.remove(page) }
    }

    /// Whether a page that waits to be sent is not protected yet.
    private func isOpen(_ page: Int) -> Bool {
        !layout.chunks.isEmpty && pending.contains(page) && !cleared.contains(Int(layout.chunks[page]))
    }

    mutating func advance(to time: Int64) {
        while !isDone, let anchor, isBefore(time, anchor) { step() }
    }

    /// Whether the migration has not come to a time of the recording yet.
    private func isBefore(_ time: Int64, _ anchor: (recorded: Int64, clock: Int64)) -> Bool {
        let (since, recorded) = (now - anchor.clock, time - anchor.recorded)
        return throttle.percent == 0 ? since < recorded : Double(since) < Double(recorded) * throttle.slowdown
    }

    private mutating func step() {
        if isDrained {
            isDrained = false
            // Before its first window is over QEMU knows no bandwidth, hence no threshold; with nothing left it pauses all the
            // same, and reads the log in the pause.
            return windows == 0 ? pause() : synchronize()
        }
        if isWindowNew {
            isWindowNew = false
            if leftBytes < threshold { return synchronize() }
        }
        let end = windowStart + Self.windowNs
        send(budget - windowBytes, until: end)
        if leftPages == 0 {
            // The guest wrote meanwhile: what it did comes before the next step.
            isDrained = true
            return
        }
        clock = max(clock, Double(end))
        threshold = windowBytes * Double(outcome.downtimeNs) / Double(now - windowStart)
        windowStart = now
        windowBytes = 0
        isWindowNew = true
        windows += 1
        if windows == Self.mostWindows || clock > Self.latest {
            keep()
            isDone = true
        }
    }

    /// Sends pages until more than `room` bytes are used, the window is over, or nothing is left.
    private mutating func send(_ room: Double, until end: Int64) {
        let start = bytes
        var used: Double { bytes - start }
        // Not asked of self for each page, which would count references each time.
        let (ranks, chunks) = (layout.ranks, layout.chunks)
        while used <= room, now < end, leftPages > 0 {
            if isFirstLap {
                let upTo = nextNamed < ranks.count ? ranks[nextNamed] : layout.memoryPages
                if next < upTo {
                    sendOthers(upTo - next, room - used, until: end)
                    continue
                }
                if nextNamed == ranks.count {
                    isFirstLap = false
                    nextNamed = 0
                    continue
                }
                next += 1
            }
            if pending.remove(nextNamed) {
                if !chunks.isEmpty { cleared.insert(Int(chunks[nextNamed])) }
                if zeros.contains(nextNamed) {
                    put(1, StreamLayout.zeroPageBytes, zeroNs)
                } else {
                    put(1, layout.pageBytes, pageNs)
                }
            }
            nextNamed += 1
            if !isFirstLap { nextNamed = pending.first(from: nextNamed) ?? pending.first(from: 0) ?? 0 }
        }
        windowBytes += used
    }

    /// Sends at most `count` pages that no entry names, at least one.
    private mutating func sendOthers(_ count: Int64, _ room: Double, until end: Int64) {
        let isZero = othersSent >= layout.others
        let size = isZero ? StreamLayout.zeroPageBytes : layout.pageBytes
        let duration = isZero ? zeroNs : pageNs
        let alike = isZero ? count : min(count, layout.others - othersSent)
        let fit = min(room / size, (Double(end) - clock) / max(duration, 1e-9)).rounded(.down) + 1
        let sent = Int64(max(1, min(fit, Double(alike))))
        // Only the named pages before and behind may lie in the chunks of these.
        if let chunk = layout.chunk(of: next, ifThatOf: nextNamed - 1) { cleared.insert(chunk) }
        if let chunk = layout.chunk(of: next + sent - 1, ifThatOf: nextNamed) { cleared.insert(chunk) }
        othersSent += sent
        next += sent
        put(sent, size, duration)
    }

    private mutating func put(_ pages: Int64, _ size: Double, _ duration: Double) {
        bytes += Double(pages) * size
        clock += Double(pages) * duration
    }

    private mutating func synchronize() {
        clock += Double(syncNs)
        let before = pending.count
        pending.formUnion(dirty)
        if let autoConverge {
            throttle.look(
                autoConverge, dirtied: Int64(pending.count - before), pageSize: pageSize, bytes: bytes, at: clock)
            outcome.throttle = throttle.percent
        }
        dirty.removeAll()
        cleared.removeAll()
        outcome.syncs += 1
        outcome.dirtyPages = outcome.dirtyPages.suffix(7) + [leftPages]
        if leftPages == 0 || leftBytes < threshold { return pause() }
        if fewestLeft.map({ leftPages < $0.pages }) ?? true { fewestLeft = (leftPages, threshold) }
        anchor = nil
        if outcome.syncs >= maxSyncs {
            isDone = true
            outcome.verdict = .doesNotConverge
        }
        keep()
    }

    private mutating func pause() {
        let start = now
        pending.formUnion(dirty)
        dirty.removeAll()
        outcome.isPausedAtOnce = windows == 0 && outcome.syncs == 1
        if outcome.isPausedAtOnce { outcome.dirtyPages = [leftPages] }
        let zeroPages = Int64(pending.count(in: zeros))
        put(Int64(pending.count) - zeroPages + max(0, layout.others - othersSent), layout.pageBytes, pageNs)
        put(zeroPages + min(layout.zeros, othersLeft), StreamLayout.zeroPageBytes, zeroNs)
        outcome.downtimeNsActual = now - start
        outcome.syncs += 1
        outcome.verdict = .converges
        isDone = true
        keep()
    }

    /// The recording is over. A repeated one has shown enough when the log was read often.
    mutating func giveUp(hasRepeated: Bool) {
        if hasRepeated, outcome.syncs >= Self.manySyncs { outcome.verdict = .doesNotConverge }
        keep()
    }

    /// Writes down how far it got.
    mutating func keep() {
        outcome.totalNs = now
        outcome.bytes = Int64(bytes)
        guard outcome.verdict == .doesNotConverge, let fewestLeft else { return }
        let enough = Int64(min((fewestLeft.threshold / pageSize).rounded(.up), 9e18))
        outcome.reason =
            "after each of \(Units.counted(Int64(outcome.syncs - 1), "reading", "readings")) of the log at least "
            + "\(Units.counted(fewestLeft.pages, "page was", "pages were")) left, and QEMU pauses with fewer than "
            + Units.count(enough)
    }
}
