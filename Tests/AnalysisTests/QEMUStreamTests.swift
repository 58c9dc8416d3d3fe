import Model
import Testing

@testable import Analysis

/// Migrations whose course can be worked out by hand. A page takes 4104 bytes; at 41,040,000 bytes a second 10,000 pages go
/// in a second and 1,000 in a window of 100 ms.
@Suite struct `QEMU's stream` {
    private let bandwidth: Int64 = 41_040_000

    private func run(
        _ recording: some Recording, downtimeMs: Int64 = 300, link: Int64? = nil, zeroPages: Int64? = nil,
        zeroPageNs: Int64 = 0, log: QEMUStreamOptions.DirtyLog = .ring, autoConverge: AutoConverge? = nil,
        rounds: Int = 20,
        extend: ConvergenceOptions.Extension = .none
    ) throws -> QEMUStreamOutcome {
        var options = ConvergenceOptions()
        options.bandwidths = [bandwidth]
        options.downtimesNs = [downtimeMs * 1_000_000]
        options.extend = extend
        options.maxRounds = rounds
        options.qemu = QEMUStreamOptions()
        options.qemu?.link = link
        options.qemu?.zeroPages = zeroPages
        options.qemu?.zeroPageNs = zeroPageNs
        options.qemu?.log = log
        options.qemu?.autoConverge = autoConverge
        return try #require(
            try QEMUStreamReplay.run(
                recording, Gathered(recording), memory: LoggedMemory(recording, dirtyPages: 0), options: options,
                assuming: options.qemu ?? QEMUStreamOptions()
            ).first)
    }

    /// Iterations of a second; each dirties these pages, evenly spread over the iteration.
    private func recording(_ iterations: Int, of pages: Range<GFN>, memory: Int64 = 50_000, iterationMs: Int64 = 1000)
        -> MemoryRecording
    {
        Recordings.plain(
            Array(repeating: Array(pages), count: iterations), iterationNs: iterationMs * 1_000_000, memoryPages: memory
        )
    }

    @Test func `a guest that writes nothing costs its pages once`() throws {
        let outcome = try run(recording(10, of: 0..<0))
        #expect(outcome.verdict == .converges)
        #expect(outcome.bytes == 50_000 * 4104)
        // The log is read as soon as less than 300 ms are left, and the pause sends that.
        #expect(outcome.syncs == 3)
        let pause = try #require(outcome.downtimeNsActual)
        #expect(pause > 0 && pause <= 300_000_000)
        #expect(abs(outcome.totalNs - 5_000_000_000) < 20_000_000)
    }

    @Test func `zero pages cost nine bytes`() throws {
        let outcome = try run(recording(10, of: 0..<0), zeroPages: 40_000)
        #expect(abs(outcome.bytes - (10_000 * 4104 + 40_000 * 9)) < 10)
        #expect(outcome.totalNs < 1_100_000_000)
        // 10 µs each: 400 ms more, during which hardly a byte goes.
        let slow = try run(recording(10, of: 0..<0), zeroPages: 40_000, zeroPageNs: 10_000)
        #expect(slow.bytes == outcome.bytes)
        #expect(abs(slow.totalNs - outcome.totalNs - 400_000_000) < 100_000_000)
    }

    @Test func `pages that are written later may hold zeros, too`() throws {
        // All 2,000 pages are written, 100 an iteration: those that are written last hold zeros for longest.
        let recording = Recordings.plain(
            (0..<20).map { iteration in (0..<100).map { GFN(iteration * 100 + $0) } }, iterationNs: 1_000_000_000,
            memoryPages: 2000)
        let bytes = try [0, 100, 500, 1900, 2000, 5000].map { try run(recording, zeroPages: $0).bytes }
        #expect(bytes.first.map { $0 >= 2000 * 4104 } == true)
        for (fewer, more) in zip(bytes.dropFirst(), bytes.dropLast()) { #expect(fewer <= more) }
        // Each page of zeros that is not written before it is sent saves its content.
        // It also takes less time, in which fewer pages are dirtied.
        let saved = bytes[0] - bytes[2]
        #expect(saved >= 500 * (4104 - 9) && saved <= 500 * (4104 - 9) + 20 * 4104)
        #expect(bytes[4] == bytes[5])
    }

    @Test func `a hot set below the threshold is sent twice`() throws {
        // Dirtied 2,000 pages in every iteration; 300 ms carry 3,006 pages of 4096 bytes.
        let outcome = try run(recording(20, of: 0..<2000))
        #expect(outcome.verdict == .converges)
        #expect(abs(outcome.bytes - 52_000 * 4104) < 100 * 4104)
        #expect(outcome.dirtyPages.last.map { $0 >= 2000 && $0 <= 3006 } == true)
    }

    @Test func `a hot set above the threshold never ends`() throws {
        // Dirtied 4,000 pages in every iteration of 100 ms, and 1,000 pages go in that time.
        let hot = recording(60, of: 0..<4000, iterationMs: 100)
        #expect(try run(hot).verdict == .recordingTooShort)
        let extended = try run(hot, extend: .loop)
        #expect(extended.verdict == .doesNotConverge)
        #expect(extended.dirtyPages.allSatisfy { $0 >= 4000 })
        // With a limit of 500 ms they fit.
        #expect(try run(hot, downtimeMs: 500, extend: .loop).verdict == .converges)
    }

    @Test func `a repeated recording leaves out its ends`() throws {
        // Before logging began and after it ended nothing is recorded: that is no guest at rest.
        var hot = recording(60, of: 0..<4000, iterationMs: 100)
        for place in [0, 59] { hot.batches[place].harvests = [] }
        let outcome = try run(hot, extend: .loop)
        #expect(outcome.verdict == .doesNotConverge)
        #expect(outcome.dirtyPages.allSatisfy { $0 >= 4000 })
    }

    @Test func `the pause goes at the connection's speed`() throws {
        let slow = try run(recording(20, of: 0..<2000))
        let fast = try run(recording(20, of: 0..<2000), link: bandwidth * 10)
        let (long, short) = (try #require(slow.downtimeNsActual), try #require(fast.downtimeNsActual))
        #expect(abs(long - short * 10) < 1_000_000_000 / 20)
    }

    @Test func `exact times decide which pages are dirty`() throws {
        // All writes of an iteration come in its last 50 ms: a log that is read before sees the iteration before only.
        var late = recording(20, of: 0..<2000, memory: 2000)
        for batch in late.batches.indices {
            let end = late.batches[batch].iteration.endNs
            late.batches[batch].exactTimes[0] = (0..<2000).map { end - 50_000_000 + $0 }
        }
        // The 200 ms that 2,000 pages take are over before anybody writes.
        let outcome = try run(late, downtimeMs: 1)
        #expect(outcome.verdict == .converges)
        #expect(outcome.bytes == 2000 * 4104)
    }

    @Test func `auto-converge slows a hot set down until it fits`() throws {
        // 4,000 pages in every 100 ms, of which 1,000 go. At 70 % still 1,200 are written in that time, at 80 % 800: then each lap is shorter than the one before.
        let hot = recording(60, of: 0..<4000, iterationMs: 100)
        let outcome = try run(
            hot, downtimeMs: 100, autoConverge: AutoConverge(), rounds: 200, extend: .loop)
        #expect((outcome.verdict, outcome.throttle) == (.converges, 80))
        // What is never exceeded may be too little.
        var gentle = AutoConverge()
        gentle.most = 50
        let weak = try run(hot, downtimeMs: 100, autoConverge: gentle, rounds: 200, extend: .loop)
        #expect((weak.verdict, weak.throttle) == (.doesNotConverge, 50))
        // A guest that converges anyway is left alone.
        #expect(try run(recording(20, of: 0..<2000), autoConverge: AutoConverge()).throttle == 0)
    }

    @Test func `auto-converge steps in at the second period that counts, not twice in a row`() {
        var state = AutoConverge.State()
        var options = AutoConverge()
        options.initial = 30
        var sent = 0.0
        var percents: [Int] = []
        // Pages dirtied while 1,000 are sent in 1.1 s: 501 count, 500 do not.
        for (number, dirtied) in [501, 500, 501, 501, 0, 501, 1000, 1000].enumerated() {
            sent += 1000
            state.look(options, dirtied: Int64(dirtied), pageSize: 1, bytes: sent, at: Double(number + 1) * 1.1e9)
            percents.append(state.percent)
        }
        #expect(percents == [0, 0, 30, 30, 30, 40, 40, 50])
        // Within a second nothing is judged, but counted.
        state.look(options, dirtied: 400, pageSize: 1, bytes: sent, at: 8.9e9)
        state.look(options, dirtied: 400, pageSize: 1, bytes: sent + 1000, at: 10.1e9)
        state.look(options, dirtied: 600, pageSize: 1, bytes: sent + 2000, at: 11.2e9)
        #expect(state.percent == 60)
        #expect(abs(state.slowdown - 2.5) < 1e-9)
    }

    @Test func `with bitmaps a page that is written before its chunk is sent goes once`() throws {
        /// 2,000 pages are written in the first second, of the five that all pages take.
        func bytes(from first: GFN, in iteration: Int, _ log: QEMUStreamOptions.DirtyLog) throws -> Int64 {
            var recording = Recordings.plain(
                (0..<10).map { $0 == iteration ? Array(first..<first + 2000) : [] }, iterationNs: 1_000_000_000,
                memoryPages: 50_000)
            recording.slots = [MemorySlot(slot: 0, baseGFN: 0, pages: 50_000, logged: true)]
            return try run(recording, log: log).bytes
        }
        // They lie in chunks 4 and 5 of 4,096 pages, whose first pages go after 1.6 and 2 s.
        #expect(try bytes(from: 20_000, in: 0, .ring) == 52_000 * 4104)
        #expect(try bytes(from: 20_000, in: 0, .bitmap(clearShift: 12)) == 50_000 * 4104)
        // One chunk is protected when its first page is sent, before all of these writes.
        #expect(try bytes(from: 20_000, in: 0, .bitmap(clearShift: 18)) == 52_000 * 4104)
        // Pages that were sent before are protected in any case.
        for log in [QEMUStreamOptions.DirtyLog.ring, .bitmap(clearShift: 12)] {
            #expect(try bytes(from: 0, in: 1, log) == 52_000 * 4104)
        }
    }

    @Test func `random recordings end, with sums that can be`() throws {
        for seed in UInt64(0)..<100 {
            let recording = Recordings.random(seed)
            for extend in ConvergenceOptions.Extension.allCases {
                let outcome = try run(recording, downtimeMs: Int64(seed % 5), extend: extend)
                #expect(outcome.bytes >= 0 && outcome.totalNs >= 0 && outcome.syncs >= 1)
            }
        }
    }

    @Test func `where the migration begins decides, and the range says how much`() throws {
        // 3 s at rest, then 3 s that dirty 4,000 pages in every 100 ms. 5,000 pages are sent in half a second, and from
        // the busy half on a migration ends when the recording comes back to its begin.
        let busy = Array(GFN(0)..<4000)
        let recording = Recordings.plain(
            (0..<60).map { $0 < 30 ? [] : busy }, iterationNs: 100_000_000, memoryPages: 5000)
        let outcome = try run(recording, extend: .loop)
        #expect((outcome.starts, outcome.converging, outcome.verdict) == (7, 7, .converges))
        let (total, bytes) = (try #require(outcome.totalRangeNs), try #require(outcome.bytesRange))
        #expect(total.lowerBound < 600_000_000 && total.upperBound > 1_200_000_000)
        #expect(bytes.lowerBound == 5000 * 4104 && bytes.upperBound > bytes.lowerBound)
        #expect(total.contains(outcome.totalNs) && bytes.contains(outcome.bytes))
        // Without repetition there is one start, the recording's.
        let once = try run(recording)
        #expect((once.starts, once.converging) == (1, 1))
        #expect(once.totalRangeNs == once.totalNs...once.totalNs)
    }

    @Test func `of several starts the median is shown, those without an end last`() {
        func made(_ verdict: ConvergenceVerdict, _ total: Int64) -> QEMUStreamOutcome {
            var outcome = QEMUStreamOutcome(bandwidth: 1, downtimeNs: 1)
            (outcome.verdict, outcome.totalNs, outcome.bytes) = (verdict, total, total * 10)
            return outcome
        }
        let most = QEMUStreamOutcome(of: [made(.converges, 5), made(.doesNotConverge, 1), made(.converges, 3)])
        #expect((most.verdict, most.totalNs, most.starts, most.converging) == (.mayConverge, 3, 3, 2))
        #expect((most.totalRangeNs, most.bytesRange) == (3...5, 30...50))
        let few = QEMUStreamOutcome(of: [made(.converges, 5), made(.doesNotConverge, 1), made(.doesNotConverge, 2)])
        #expect((few.verdict, few.totalNs, few.converging) == (.mayConverge, 5, 1))
        let none = QEMUStreamOutcome(of: [made(.recordingTooShort, 5)])
        #expect(none.verdict == .recordingTooShort && none.totalRangeNs == nil)
    }

    @Test func `absurd times and slots overflow nothing`() throws {
        // One cell converges in the first pass, the other one goes on through all 64: 2^60 ns each.
        let pages = Array(GFN(0)..<100)
        var recording = Recordings.plain(Array(repeating: pages, count: 4), iterationNs: 1 << 58, memoryPages: 100)
        var options = ConvergenceOptions()
        options.bandwidths = [1, 1 << 40]
        options.downtimesNs = [1_000_000]
        options.extend = .loop
        options.qemu = QEMUStreamOptions()
        #expect(try Convergence.grid(recording, options: options).streams.count == 2)
        // Slots that say they hold 2^63 pages, several times over.
        recording.slots = (0..<5000).map {
            MemorySlot(slot: $0, baseGFN: 0, pages: 1 << 51 - 1, logged: true)
        }
        recording.batches[0].harvests[0].gfns[99] = 1 << 51 - 1
        #expect(try Convergence.grid(recording, options: options).streams.count == 2)
    }

    @Test func `a slot of unknown size is no memory`() throws {
        var recording = Recordings.plain([[1 << 50 | 5], [1 << 50 | 6]], memoryPages: 0)
        recording.slots = [MemorySlot(slot: 0, baseGFN: MemorySlot.firstUnknownGFN, pages: 1 << 32, logged: true)]
        #expect(try Convergence.grid(recording, options: ConvergenceOptions()).memoryPages == 2)
        recording.info.memoryBytes = 100 * 4096
        #expect(try Convergence.grid(recording, options: ConvergenceOptions()).memoryPages == 100)
    }

    @Test func `a start that is asked for is the only one`() throws {
        // Busy for 3 s, then at rest.
        let busy = Array(GFN(0)..<4000)
        let recording = Recordings.plain(
            (0..<60).map { $0 < 30 ? busy : [] }, iterationNs: 100_000_000, memoryPages: 5000)
        var options = ConvergenceOptions()
        options.bandwidths = [bandwidth]
        options.downtimesNs = [300_000_000]
        options.qemu = QEMUStreamOptions()
        options.extend = .loop
        func bytes(_ start: ConvergenceOptions.Start) throws -> (starts: Int?, bytes: Int64) {
            options.start = start
            let stream = try Convergence.grid(recording, options: options).streams.first
            return (stream?.starts, stream?.bytes ?? 0)
        }
        let (early, late) = (try bytes(.at(200_000_000)), try bytes(.at(4_000_000_000)))
        #expect(early.starts == 1 && late.starts == 1)
        #expect(late.bytes == 5000 * 4104 && early.bytes > late.bytes)
    }

    @Test func `a guest runs on while the log is read`() throws {
        // 100 pages in every 100 ms, spread evenly: one second of reading dirties ten times as many.
        let recording = Recordings.plain(
            (0..<200).map { iteration in (0..<100).map { GFN(iteration * 100 + $0) } }, iterationNs: 100_000_000,
            memoryPages: 30_000)
        var options = ConvergenceOptions()
        options.bandwidths = [bandwidth]
        options.downtimesNs = [1_000_000]
        options.qemu = QEMUStreamOptions()
        func last(_ syncNs: Int64) throws -> Int64 {
            options.syncNs = syncNs
            return try Convergence.grid(recording, options: options).streams.first?.dirtyPages.last ?? 0
        }
        #expect(try last(1_000_000_000) > last(0) + 500)
    }

    @Test func `absurd figures end the replay, and overflow nothing`() throws {
        // A page that takes centuries, a connection that carries a byte a second, pages of zeros that take for ever.
        for extend in ConvergenceOptions.Extension.allCases {
            let slow = try run(recording(10, of: 0..<2000), link: 1, extend: extend)
            #expect(slow.verdict != .converges && slow.totalNs > 0)
            let zeros = try run(recording(10, of: 0..<2000), zeroPages: 40_000, zeroPageNs: .max, extend: extend)
            #expect(zeros.verdict != .converges && zeros.totalNs > 0)
        }
    }
}
