import Model

/// Drives migrations along a recording, all of them in one pass.
///
/// Memory follows the distinct pages: 16 bytes each for the iteration in progress, and two bits each a migration.
struct QEMUStreamReplay: RecordingVisitor {
    private struct Write {
        var time: Int64
        var page: Int
    }

    private(set) var streams: [QEMUStream]
    private let pages: PageLedger
    /// Number in the order of addresses, of each page.
    private let places: [Int32]
    /// The last iteration, counted over all passes, in which a page was written.
    private var seen: [Int32]
    private var writes: [Write] = []
    private var iteration: Int32 = 1
    private var place = 0
    private let iterations: Int
    private var isFirstPass = true
    /// Of each stream, the iteration with whose end it begins.
    private let firstIterations: [Int]
    /// Nanoseconds after the recording's start before which none begins.
    private let delayNs: Int64
    /// Whether the first and the last iteration are left out: a recording that is repeated would take the time before
    /// logging began, and after it ended, for a guest at rest.
    private let skipsEnds: Bool
    private let startNs: Int64
    private var endNs: Int64

    /// Replays each bandwidth with each downtime limit, from the recording's begin; from several places when it is repeated,
    /// for where a migration meets the guest decides which waiting pages are dirty anyway.
    ///
    /// - Throws: whatever reading the recording throws.
    static func run(
        _ recording: some Recording, _ gathered: Gathered, memory: LoggedMemory, options: ConvergenceOptions,
        assuming stream: QEMUStreamOptions, progress: @Sendable (ConvergenceProgress) -> Void = { _ in }
    ) throws -> [QEMUStreamOutcome] {
        let pages = gathered.pass.pages
        let (order, sortedGFNs) = pages.inOrder
        var delay: Int64 = 0
        var isAsked = false
        if case .at(let offset) = options.start { (delay, isAsked) = (max(0, offset), true) }
        let begin = gathered.windows.boundaries[0] + delay
        let layout = StreamLayout(
            sortedGFNs: sortedGFNs, slots: memory.slots(at: begin).filter(\.isKnown),
            memoryPages: memory.pages(at: begin).pages, pageSize: recording.info.pageSize,
            zeroPages: stream.zeroPages ?? 0, log: stream.log,
            firstIterations: {
                var first: [UInt32] = []
                pages.forEach { first.append($0.firstIteration) }
                return order.map { first[Int($0)] }
            })
        let iterations = gathered.pass.iterations
        // Less is no guest's behaviour that could go on.
        let canRepeat = options.extend != .none && gathered.durationNs > 0 && iterations >= 4
        let cells = options.bandwidths.count * options.downtimesNs.count
        var starts = [0]
        if !isAsked, canRepeat {
            starts = startIterations(iterations, writes: gathered.pass.total.entries, cells: cells)
        }
        var replay = QEMUStreamReplay(
            pages, order: order, startNs: gathered.pass.startNs ?? 0,
            streams: options.bandwidths.flatMap { bandwidth in
                options.downtimesNs.flatMap { downtime in
                    starts.map { _ in
                        QEMUStream(
                            layout, pageSize: recording.info.pageSize, bandwidth: bandwidth, downtimeNs: downtime,
                            assuming: stream, syncNs: options.syncNs, maxSyncs: min(options.maxRounds, mostSyncs))
                    }
                }
            }, starts: starts, delayNs: delay, iterations: iterations, skipsEnds: canRepeat)
        for pass in 0..<(canRepeat ? mostPasses : 1) {
            replay.isFirstPass = pass == 0
            replay.place = 0
            progress(.stream(pass: pass + 1, of: canRepeat ? mostPasses : 1))
            if !replay.skipsEnds { replay.start(at: replay.startNs) }
            try recording.replay(into: &replay)
            if replay.streams.allSatisfy(\.isDone) { break }
        }
        let outcomes = replay.streams.map {
            var stream = $0
            if !stream.isDone { stream.giveUp(hasRepeated: canRepeat) }
            return stream.outcome
        }
        return QEMUStreamOutcome.settled(
            stride(from: 0, to: outcomes.count, by: starts.count).map {
                QEMUStreamOutcome(of: Array(outcomes[$0..<$0 + starts.count]))
            })
    }

    /// An odd number of iterations, evenly spaced, the first and the last left out.
    private static func startIterations(_ iterations: Int, writes: Int64, cells: Int) -> [Int] {
        let affordable = mostWrites / max(1, Int(clamping: writes)) / max(1, cells)
        let most = max(1, min(mostStarts, iterations - 2, affordable))
        let count = most - (most + 1) % 2
        return (0..<count).map { 1 + $0 * (iterations - 2) / count }
    }

    private static let mostStarts = 7
    /// Writes that all streams take in one pass, beyond which fewer starts must do: 64 passes take some ten seconds.
    private static let mostWrites = 1 << 24

    /// An extended replay reads a recording at most so often, and the dirty log.
    private static let mostPasses = 64
    private static let mostSyncs = 200

    private init(
        _ pages: PageLedger, order: [UInt32], startNs: Int64, streams: [QEMUStream], starts: [Int], delayNs: Int64,
        iterations: Int, skipsEnds: Bool
    ) {
        self.pages = pages
        self.streams = streams
        firstIterations = streams.indices.map { starts[$0 % starts.count] }
        (self.delayNs, self.iterations, self.skipsEnds) = (delayNs, iterations, skipsEnds)
        self.startNs = startNs
        endNs = startNs
        var places = [Int32](repeating: 0, count: order.count)
        for (place, number) in order.enumerated() { places[Int(number)] = Int32(place) }
        self.places = places
        seen = [Int32](repeating: 0, count: order.count)
    }

    /// Goes on at `time`, from wherever it was.
    private mutating func start(at time: Int64) {
        for place in streams.indices {
            streams[place].rewind(from: endNs, to: time)
            if hasBegun(place, at: time) { streams[place].begin(at: time) }
        }
        endNs = time
    }

    private func hasBegun(_ stream: Int, at time: Int64) -> Bool {
        !isFirstPass || place >= firstIterations[stream] && time &- startNs >= delayNs
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { try visit(harvest, gfns: gfns, times: []) }

    mutating func visit(_ harvest: Harvest, gfns: [GFN], times: [Int64]) throws {
        // What was pushed before the last re-protection is counted with the iteration that re-protection began: spread, too,
        // or it would be a heap of writes in the moment after each reading.
        let since = min(max(harvest.sinceNs, endNs), harvest.tsNs)
        let length = Double(harvest.tsNs &- since) / Double(max(gfns.count, 1))
        for (place, gfn) in gfns.enumerated() {
            // A file may have grown since it was first read.
            guard let page = pages.number(of: gfn), seen[page] != iteration else { continue }
            seen[page] = iteration
            // A ring is in the order of writes: without exact times they are taken to be as far apart as can be.
            let time = times.isEmpty ? since &+ Int64(length * Double(place + 1)) : times[place]
            writes.append(Write(time: max(time, endNs), page: Int(places[page])))
        }
    }

    mutating func visit(_ iteration: Iteration) throws {
        place += 1
        self.iteration &+= 1
        defer { writes.removeAll(keepingCapacity: true) }
        if skipsEnds, place == 1 { return start(at: iteration.endNs) }
        if skipsEnds, place >= iterations { return }
        writes.sort { ($0.time, $0.page) < ($1.time, $1.page) }
        let end = max(iteration.endNs, endNs)
        for place in streams.indices where !streams[place].isDone {
            for write in writes { streams[place].write(write.page, at: min(write.time, end)) }
            streams[place].advance(to: end)
            if hasBegun(place, at: end) { streams[place].begin(at: end) }
        }
        endNs = end
    }
}
