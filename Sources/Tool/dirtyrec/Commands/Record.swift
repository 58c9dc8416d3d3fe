import ArgumentParser
import Content
import Foundation
import Guests
import Model
import Platform
import Recorder
import Store
import Synchronization

struct Record: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a guest under KVM and store every page that it dirties.",
        discussion: """
            Workloads: \(Workload.Kind.allCases.map(\.rawValue).joined(separator: ", ")). Each takes \
            \(Workload.commonKeys.joined(separator: ", ")); zipf also theta, stride also stride, hotspot also hot, share \
            and phase, dma also burst. size is one vCPU's region (of all, with region=shared), rate is a vCPU's \
            operations a second: between two it spins, or sleeps where vCPUs outnumber the host's CPUs.

            Examples:
              dirtyrec record -o demo.db --vcpus 2 --workload zipf:size=64MiB,rate=50k/s --duration 5s
              dirtyrec record -o laps.db --workload sequential:size=16MiB,ops=8192 --mode paused --verify
              dirtyrec record -o boot.db --kernel vmlinuz --initrd initrd.gz --vcpus 2 --memory 512MiB
            """)

    @OptionGroup var recording: RecordingOptions

    @OptionGroup(title: "Guest")
    var guest: GuestOptions

    @Option(help: "Where entries come from: dirty-ring (the default), dirty-log (GET) or clear-log (GET + CLEAR).")
    var source: RecordSource?

    @Option(
        help:
            "live: harvest while vCPUs run; paused: stop them first; live+final: both, so that every entry of an iteration belongs to it."
    )
    var mode = HarvestMode.live

    @Option(
        help: ArgumentHelp("Time from one iteration to the next (default: 100ms).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var interval: Nanoseconds?

    @Option(help: ArgumentHelp("End after this time.", valueName: "time"), transform: Nanoseconds.init(parsing:))
    var duration: Nanoseconds?

    @Option(help: ArgumentHelp("End after so many iterations; the final harvest makes one more.", valueName: "n"))
    var iterations: Int64?

    @Option(
        help: ArgumentHelp(
            "Entries of a ring, a power of two (default: 65536, or the host's limit).", valueName: "entries"))
    var ringSize: Int?

    @Option(help: ArgumentHelp("Pages in one KVM_CLEAR_DIRTY_LOG (default: 262144, QEMU's).", valueName: "pages"))
    var clearChunk: Int?

    @Flag(help: "clear-log: begin with a bitmap of all ones (KVM_DIRTY_LOG_INITIALLY_SET).")
    var initiallySet = false

    @OptionGroup var watching: WatchOptions

    @Option(
        help: ArgumentHelp(
            "Change memory slots: TIME:add=SIZE, TIME:remove, TIME:readd or TIME:move=SIZE; may be repeated.",
            valueName: "event"))
    var slotEvent: [String] = []

    @Flag(
        help:
            "Run the same guest under all three sources, into FILE.dirty-ring.db and so on, and print the costs side by side."
    )
    var compareSources = false
    @Flag(help: "Let a kernel run although this host's KVM emulates kernel mode.")
    var slow = false

    @Flag(help: "Judge every pause by oracles: the workload's known answer, and a copy of guest memory.")
    var verify = false

    @Option(
        help: ArgumentHelp(
            "Say what dirty pages hold, for `dirtyrec snapshots`, of this share of the pages: all, one in so many such as 1/16, or 5%. Takes time, and as much memory as the pages.",
            valueName: "share"),
        completion: .list(["all", "1/4", "1/16", "1/64"]), transform: ContentShare.init(parsing:))
    var content: ContentShare?

    @OptionGroup var labels: LabelOptions

    @OptionGroup var metrics: MetricsOptions

    @OptionGroup(title: "Traps")
    var traps: TrapOptions

    @Option(
        help: ArgumentHelp(
            "Store nothing and say how far the guest got: discard (harvest all the same) or unlogged (no dirty logging).",
            visibility: .hidden))
    var measure: Measure?

    /// Yardsticks for what recording costs the guest.
    enum Measure: String, ExpressibleByArgument, CaseIterable { case discard, unlogged }

    func validate() throws {
        let sources = compareSources ? RecordSource.allCases : [source ?? .dirtyRing]
        guard !compareSources || source == nil else {
            throw ValidationError("--compare-sources runs all three sources: leave --source out.")
        }
        guard !compareSources || (guest.console == nil && !initiallySet) else {
            throw ValidationError("--console and --initially-set are for one source, and --compare-sources runs three.")
        }
        guard !compareSources || metrics.metrics == nil else {
            throw ValidationError("--metrics is of one recording, and --compare-sources makes three: leave it out.")
        }
        guard ringSize == nil || sources.contains(.dirtyRing) else {
            throw ValidationError("--ring-size is for --source dirty-ring: a bitmap has no ring.")
        }
        guard clearChunk == nil || sources.contains(.clearLog) else {
            throw ValidationError("--clear-chunk is for --source clear-log: no other source clears in chunks.")
        }
        guard !slow || guest.kernel != nil || guest.image != nil else {
            throw ValidationError("--slow is for --kernel or --image: built-in workloads run in user mode.")
        }
    }

    func plan() throws -> RecordPlan {
        var plan = RecordPlan()
        plan.slotEvents = try slotEvent.map(SlotEvent.init(parsing:))
        try watching.apply(to: &plan)
        try traps.apply(to: &plan)
        plan.source = (source ?? .dirtyRing).source
        plan.mode = mode
        if let interval { plan.intervalNs = interval.ns }
        plan.durationNs = duration?.ns
        plan.iterations = iterations
        plan.ringEntries = ringSize
        if let clearChunk { plan.clearChunkPages = clearChunk }
        plan.initiallySet = initiallySet
        plan.verify = verify
        plan.content = content
        plan.logsWrites = measure != .unlogged
        plan.slow = slow
        return plan
    }

    func run() throws {
        if measure != nil { return try measureProgress() }
        let interruption = Interruption()
        if compareSources { return try SourceComparison(record: self, interruption: interruption).run() }
        let (outcome, totals) = try record(plan(), into: recording.output, interruption)
        try conclude(outcome, totals)
    }

    /// Runs the guest without a file.
    private func measureProgress() throws {
        let recorder = try Recorder(plan: plan(), guest: guest.makeGuest().0)
        let sink = DiscardingSink()
        var startNs: Int64 = 0
        _ = try recorder.run { info, _ in
            startNs = info.startNs
            return sink
        }
        let last = sink.lastIteration
        printResult("\(last.guestProgress ?? 0) operations in \(last.endNs - startNs) ns")
    }

    /// How the file is made.
    var writerOptions: RecordingWriter.Options { recording.durability.writing(replace: recording.force) }

    /// Runs the guest once and finishes its file.
    func record(
        _ plan: RecordPlan, into path: String, _ interruption: Interruption
    ) throws -> (RecorderOutcome, RunningTotals) {
        let (guest, console) = try self.guest.makeGuest()
        guard interval == nil || (guest as? BuiltinGuest)?.workload.step == nil else {
            throw ValidationError("With step= an iteration ends when its operations are done: leave --interval out.")
        }
        let recorder = try Recorder(plan: plan, guest: guest)
        let live = LiveLine(recorder: recorder)
        let sink = Mutex<FileSink?>(nil)
        let figures = Mutex<MetricsFile?>(nil)
        defer { figures.withLock { $0 }?.end() }
        let outcome: RecorderOutcome
        do {
            interruption.begin(path) { recorder.stop() }
            defer { interruption.end() }
            outcome = try recorder.run { info, slots in
                let info = described(info, guest)
                let metrics = try metrics.file(of: info)
                figures.withLock { $0 = metrics }
                let file = try FileSink(
                    recording.writer(info, slots, at: path), logsCommits: recording.durability.logCommits,
                    metrics: metrics)
                sink.withLock { $0 = file }
                if !self.guest.usesTerminal { live.start(counting: file) }
                return file
            }
        } catch {
            live.stop()
            console?.finish()
            sink.withLock { $0?.discard() }
            throw error
        }
        live.stop()
        console?.finish()
        guard let file = sink.withLock({ $0 }) else { preconditionFailure("a recording that ran has a sink") }
        if let failure = outcome.storeFailure { throw failure }
        RecordingOptions.tell(try file.finish(outcome.reason, endNs: outcome.endNs, rows: recording.rows), of: path)
        return (outcome, file.totals)
    }

    private func described(_ info: RecordingInfo, _ guest: any Guest) -> RecordingInfo {
        var info = info
        info.guest = guest.label
        info.seed = (guest as? BuiltinGuest)?.workload.seed
        info.labels.merge(labels.values) { $1 }
        return info
    }

    /// Says what was recorded and what to type next.
    private func conclude(_ outcome: RecorderOutcome, _ totals: RunningTotals) throws {
        let size =
            (try? FileManager.default.attributesOfItem(atPath: FilePlace(recording.output).path)[.size] as? Int64) ?? 0
        Terminal.say(
            """
            Recorded \(Units.counted(totals.iterations, "iteration", "iterations")) with \
            \(Units.counted(totals.counts.entries, "entry", "entries")) of \
            \(Units.counted(totals.pages, "page", "pages")) into \(recording.output) (\(Units.size(size))); ended by \(outcome.reason.rawValue).
            """)
        if outcome.ringFull > 0 {
            Terminal.say("\(Units.count(outcome.ringFull)) exits because a ring was full; vCPUs stood still meanwhile.")
        }
        for loss in outcome.losses.prefix(10) { Terminal.say("LOSS (\(loss.kind.rawValue)): \(loss.detail)") }
        if outcome.losses.count > 10 {
            Terminal.say("… and \(outcome.losses.count - 10) more losses; all are in the file.")
        }
        for oracle in Set(outcome.verdicts.map(\.oracle)).sorted() {
            let verdicts = outcome.verdicts.filter { $0.oracle == oracle }
            func sum(_ field: KeyPath<OracleVerdict, Int64>) -> String {
                Units.count(verdicts.reduce(0) { $0 + $1[keyPath: field] })
            }
            Terminal.say(
                """
                Oracle \(oracle): \(sum(\.expected)) pages had to be dirty, \(sum(\.missing)) missing, \
                \(sum(\.unexplained)) unexplained, \(sum(\.provisional)) provisional, \(sum(\.firstRead)) first reads, \
                \(sum(\.initiallySet)) initially set, \(sum(\.silent)) silent; \(verdicts.count) verdicts.
                """)
        }
        Terminal.say("Next: dirtyrec report \(ShellWords.file(recording.output))")
        if !outcome.isComplete { throw Failure.answerIsNo }
    }
}

/// Where `record` takes entries from.
enum RecordSource: String, ExpressibleByArgument, CaseIterable {
    case dirtyRing = "dirty-ring"
    case dirtyLog = "dirty-log"
    case clearLog = "clear-log"

    var source: Source {
        switch self {
        case .dirtyRing: .dirtyRing
        case .dirtyLog: .dirtyLog
        case .clearLog: .clearLog
        }
    }
}
