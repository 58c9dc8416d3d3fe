import Analysis
import ArgumentParser
import Foundation
import Model
import Platform
import Report
import Store
import Synchronization
import Web

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Say what a recording shows: rates, writable working set, duplicates, convergence, fidelity.",
        discussion: """
            Works on cut-off recordings too, from every committed iteration. docs/json-output.md describes --json.

            Example:
              dirtyrec report demo.db --tau 1s,10s
              dirtyrec report demo.db --html demo.html --open
              dirtyrec report vm.db --follow --listen 127.0.0.1:8080
            """)

    @Argument(help: "The recording.", completion: .recording)
    var file: String

    @Flag(help: "Print JSON (docs/json-output.md).")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Windows of the writable working set, separated by commas (default: on ticks).", valueName: "times"),
        transform: DurationList.init(parsing:))
    var tau: DurationList?

    @Option(help: ArgumentHelp("Pages in each list of pages (default: 16, with --html 64).", valueName: "n"))
    var top: Int?

    @Option(
        help: ArgumentHelp("Write one self-contained HTML page to this file.", valueName: "page"), completion: .page)
    var html: String?

    @Flag(
        help:
            "Serve the page while the recording is being made: it follows, and ends as the page of --html. Until Ctrl-C (docs/report.md)."
    )
    var follow = false

    @Option(
        help: ArgumentHelp(
            "Where to serve it (default: 127.0.0.1:8080); port 0 is any that is free. Others than this machine need the token that is printed.",
            valueName: "address:port"), completion: .list(["127.0.0.1:8080", "[::1]:8080", "0.0.0.0:8080"]),
        transform: ListenAddress.init(parsing:))
    var listen: ListenAddress?

    @Flag(help: "Show the page in the browser; with --html or --follow.")
    var open = false

    @Flag(help: .hidden)
    var reference = false

    func validate() throws {
        if let top, !(0...100_000).contains(top) {
            throw ValidationError("--top \(top) is not usable: give 0 to 100000.")
        }
        guard html == nil || !json else { throw ValidationError("Give either --html or --json, not both.") }
        guard !follow || html == nil && !json else {
            throw ValidationError("--follow serves the page, so it takes neither --html nor --json.")
        }
        guard follow || listen == nil else {
            throw ValidationError("--listen says where a page is served: give --follow as well.")
        }
        guard html != nil || follow || !open else {
            throw ValidationError("--open shows a page: give --html FILE or --follow as well.")
        }
    }

    func run() throws {
        if reference { return try printReference() }
        let recording = try follow ? LiveFeed.open(file) : RecordingFile(path: file)
        var options = AnalysisOptions()
        options.tausNs = tau?.ns ?? []
        options.topPages = top ?? (html == nil && !follow ? 16 : 64)
        if follow { return try serve(recording.info, options) }
        if let html { return try writePage(html, of: recording, options) }
        let analysis = try Analyzer.analyze(recording, options: options)
        if json { return printResult(JSONReport.render(analysis).text(indented: true)) }
        printResult(TextReport.render(analysis))
        let details = TextDetails.render(analysis, writes: try recording.watchEvents)
        if !details.isEmpty { printResult(details) }
    }

    /// For scripts/gen-docs: `file` is the document.
    private func printReference() throws {
        guard let document = Reference.updated(try String(contentsOfFile: file, encoding: .utf8)) else {
            throw ValidationError(
                "\(file) has no place for what is made of declarations: give docs/json-output.md or docs/metrics.md.")
        }
        // The line's end is printResult's.
        printResult(String(document.dropLast()))
    }

    private func writePage(_ path: String, of recording: RecordingFile, _ options: AnalysisOptions) throws {
        let vega = VegaBundle.find()
        let text = try Self.page(of: recording, options, vega: vega)
        try Page.write(text, to: path, open: open)
        if vega == nil { Self.sayStatic() }
    }

    private static func sayStatic() {
        Terminal.say("Its charts are static; scripts/vega installs what makes them interactive.")
    }

    /// Half an hour of usual iterations; what they may hold is limited, too.
    private static let mostIterations = 16_384

    private func serve(_ info: RecordingInfo, _ options: AnalysisOptions) throws {
        let signals = StopFlag.ofSignals()
        let address = try listen ?? ListenAddress(parsing: "127.0.0.1:8080")
        let feed = LiveFeed(info, stretch: RecentStretch(lengthNs: .max / 2, iterations: Self.mostIterations))
        let vega = VegaBundle.find()
        let page = LivePage(feed, Self.forPage(options), fileName: file, vega: vega)
        let token = address.isLoopback ? nil : Self.token()
        let server = try WebServer(at: address, token: token, source: page.source)
        defer { server.stop() }
        let url = server.address.url(token: token)
        printResult(url)
        Output.standard.flush()
        try Output.standard.check()
        if vega == nil { Self.sayStatic() }
        if open { Page.show(url) }
        try page.serving(by: server) {
            let hasEnded = try feed.follow(file, every: 1_000_000_000, or: signals)
            return hasEnded ? try Self.page(of: RecordingFile(path: file), options, vega: vega) : nil
        }
        if signals.isSet { return }
        Terminal.say("The recording has ended, and its page is finished; Ctrl-C ends this.")
        feed.wait(until: .max) { signals.isSet }
    }

    /// 128 bits that nobody guesses.
    private static func token() -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(random.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// With what the page shows more than the text.
    private static func forPage(_ options: AnalysisOptions) -> AnalysisOptions {
        var options = options
        options.convergence = HTMLReport.convergenceOptions
        options.convergence.namesBlockingPages = false
        return options
    }

    static func page(of recording: RecordingFile, _ options: AnalysisOptions, vega: String?) throws -> String {
        let page = try HTMLReport(recording, options: forPage(options), fileName: recording.path, vega: vega)
        let session = try QuerySession(path: recording.path)
        return try page.render { sql in
            var rows: [[SQLValue]] = []
            try session.run(sql) { _ in
            } row: {
                rows.append($0)
            }
            return rows
        }
    }
}

struct Converge: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay pre-copy migration over a recording: would it converge, how long, how many bytes?",
        discussion: """
            The recorded writes are replayed round by round, exactly on harvest ticks and as low..high between them.

            Example:
              dirtyrec converge demo.db --bandwidth 1Gbit/s,10Gbit/s --downtime 50ms,300ms --policy qemu --start all
            """)

    @Argument(help: "The recording.", completion: .recording)
    var file: String

    @Option(
        help: ArgumentHelp("Bandwidths, separated by commas (default: 1, 10 and 25 Gbit/s).", valueName: "list"),
        transform: BandwidthList.init(parsing:))
    var bandwidth: BandwidthList?

    @Option(
        help: ArgumentHelp("Downtime limits, separated by commas (default: 50ms,300ms,1s).", valueName: "list"),
        transform: DurationList.init(parsing:))
    var downtime: DurationList?

    @Option(
        help: ArgumentHelp("qemu, cloud-hypervisor or xen; several separated by commas.", valueName: "list"),
        completion: .list(MigrationPolicy.allCases.map(\.rawValue)), transform: PolicyList.init(parsing:))
    var policy: PolicyList?

    @Option(
        help: ArgumentHelp(
            "When the migration begins: first, all (every boundary), or a time after the start.", valueName: "when"),
        completion: .list(["first", "all"]), transform: MigrationStart.init(parsing:))
    var start: MigrationStart?

    @Option(help: "Beyond the recording's end: none, loop or steady.")
    var extend = ConvergenceOptions.Extension.none

    @Option(
        help: ArgumentHelp("Time of each bitmap synchronisation.", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var sync: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "Pages that hold only zeros, which QEMU does not send (default: what attach --zero-pages counted).",
            valueName: "pages"))
    var zeroPages: Int64?

    @Option(
        help: ArgumentHelp("Time that QEMU takes to look at such a page (default: none).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var zeroPageTime: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "What the connection carries during the pause, when QEMU lifts its limit (default: the bandwidth).",
            valueName: "bandwidth"), transform: Bandwidth.init(parsing:))
    var link: Bandwidth?

    enum Log: String, CaseIterable, ExpressibleByArgument { case ring, bitmap }

    @Option(
        help: ArgumentHelp(
            "How that QEMU reads its dirty log: ring, or bitmap, its default (default: as the recorded guest was seen to; ring when unknown).",
            valueName: "log"))
    var log: Log?

    @Option(
        help: ArgumentHelp(
            "With bitmaps, the pages that it protects again at a time, as a power of two (default: 18, 1 GiB of pages of 4 KiB).",
            valueName: "bits"))
    var clearBitmapShift: Int?

    @Flag(
        help:
            "That QEMU slows the guest down when it dirties memory nearly as fast as it is sent: its capability auto-converge."
    )
    var autoConverge = false

    @Option(
        help: ArgumentHelp(
            "Percent of a vCPU's time that its first step takes away (default: 20).", valueName: "percent"))
    var cpuThrottleInitial: Int?

    @Option(help: ArgumentHelp("What each further step adds (default: 10).", valueName: "percent"))
    var cpuThrottleIncrement: Int?

    @Option(
        name: .customLong("max-cpu-throttle"),
        help: ArgumentHelp("What is never exceeded (default: 99).", valueName: "percent"))
    var maxCPUThrottle: Int?

    @Option(
        help: ArgumentHelp(
            "Bytes dirtied, in percent of those sent, from which on it steps in (default: 50).", valueName: "percent"))
    var throttleTriggerThreshold: Int?

    @Flag(help: "Print JSON (docs/json-output.md).")
    var json = false

    /// The parameters of `auto-converge`, by their names in QEMU.
    private var throttles: [(name: String, percent: Int?)] {
        [
            ("cpu-throttle-initial", cpuThrottleInitial), ("cpu-throttle-increment", cpuThrottleIncrement),
            ("max-cpu-throttle", maxCPUThrottle), ("throttle-trigger-threshold", throttleTriggerThreshold),
        ]
    }

    func validate() throws {
        guard
            policy == nil || policy?.policies.contains(.qemu) == true
                || (zeroPages == nil && zeroPageTime == nil && link == nil && log == nil && clearBitmapShift == nil
                    && !autoConverge)
        else {
            throw ValidationError(
                "--zero-pages, --zero-page-time, --link, --log, --clear-bitmap-shift and --auto-converge are for --policy qemu."
            )
        }
        if let clearBitmapShift {
            guard QEMUStreamOptions.DirtyLog.shifts.contains(clearBitmapShift) else {
                throw ValidationError("--clear-bitmap-shift must be from 6 to 52.")
            }
            guard log == .bitmap else { throw ValidationError("--clear-bitmap-shift is for --log bitmap.") }
        }
        for (name, percent) in throttles {
            guard let percent else { continue }
            guard autoConverge else { throw ValidationError("--\(name) is for --auto-converge.") }
            guard AutoConverge.percents.contains(percent) else {
                throw ValidationError("--\(name) must be from 1 to 99.")
            }
        }
        if let zeroPages, zeroPages < 0 { throw ValidationError("--zero-pages \(zeroPages) is below 0.") }
    }

    func run() throws {
        let recording = try RecordingFile(path: file)
        var options = ConvergenceOptions()
        options.qemu = QEMUStreamOptions()
        options.qemu?.zeroPages = zeroPages ?? recording.info.labels["zero_pages"].flatMap { Int64($0) }
        options.qemu?.zeroPageNs = zeroPageTime?.ns ?? 0
        options.qemu?.link = link?.bytesPerSecond
        let seen = recording.info.labels[WayIn.key].flatMap(WayIn.init)
        if log.map({ $0 == .bitmap }) ?? (seen == .bitmap || seen == .masks) {
            options.qemu?.log = .bitmap(clearShift: clearBitmapShift ?? QEMUStreamOptions.DirtyLog.defaultShift)
        }
        if autoConverge {
            var parameters = AutoConverge()
            parameters.initial = cpuThrottleInitial ?? parameters.initial
            parameters.increment = cpuThrottleIncrement ?? parameters.increment
            parameters.most = maxCPUThrottle ?? parameters.most
            parameters.trigger = throttleTriggerThreshold ?? parameters.trigger
            options.qemu?.autoConverge = parameters
        }
        if let bandwidth { options.bandwidths = bandwidth.bytesPerSecond }
        if let downtime { options.downtimesNs = downtime.ns }
        if let policy { options.policies = policy.policies }
        if let start { options.start = start.value }
        if let sync { options.syncNs = sync.ns }
        options.extend = extend
        let report: ConvergenceReport
        do {
            let line = ProgressLine()
            report = try Convergence.grid(recording, options: options) { line.show($0) }
            Terminal.endLive()
        } catch let error as StartBeyondRecording {
            throw ValidationError(error.description)
        }
        printResult(json ? JSONConvergence.render(report).text(indented: true) : TextConvergence.render(report))
    }
}

/// Says on stderr how far a replay is: four times a second where somebody looks, else a line every ten seconds.
private final class ProgressLine: Sendable {
    private let nextNs: Mutex<Int64>
    private static var pauseNs: Int64 { Terminal.isInteractive ? 250_000_000 : 10_000_000_000 }

    init() { nextNs = Mutex(monotonicNow() + Self.pauseNs) }

    func show(_ progress: ConvergenceProgress) {
        let isDue = nextNs.withLock { next in
            let now = monotonicNow()
            guard now >= next else { return false }
            next = now + Self.pauseNs
            return true
        }
        guard isDue else { return }
        let text =
            switch progress {
            case .replays(let done, let total):
                "Replayed \(Units.count(Int64(done))) of \(Units.count(Int64(total))) migrations and searches for a bandwidth"
            case .stream(let pass, let total):
                "Replaying QEMU's stream: the recording for the \(pass). time of at most \(total)"
            }
        if Terminal.isInteractive { Terminal.live(text) } else { Terminal.say(text + ".") }
    }
}
