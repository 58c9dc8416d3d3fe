import Analysis
import ArgumentParser
import Report
import TraceModel
import TraceStore

/// `dirtyrec report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Say what a recording shows: rates, writable working set, duplicates, convergence, fidelity.",
        discussion: """
            Works on cut-off recordings too, from every committed iteration. docs/json-output.md describes --json.

            Example:
              dirtyrec report demo.db --tau 1s,10s
            """)

    @Argument(help: "The recording.")
    var file: String

    @Flag(help: "Print JSON (docs/json-output.md).")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Windows of the writable working set, separated by commas (default: on ticks).", valueName: "times"))
    var tau: DurationList?

    @Option(help: ArgumentHelp("Pages in each list of pages.", valueName: "n"))
    var top = 16

    func validate() throws {
        guard (0...100_000).contains(top) else {
            throw ValidationError("--top \(top) is not usable: give 0 to 100000.")
        }
    }

    func run() throws {
        let recording = try RecordingFile(path: file)
        var options = AnalysisOptions()
        options.tausNs = tau?.ns ?? []
        options.topPages = top
        let analysis = try Analyzer.analyze(recording, options: options)
        printResult(json ? JSONReport.render(analysis).text(indented: true) : TextReport.render(analysis))
    }
}

/// `dirtyrec converge`.
struct Converge: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay pre-copy migration over a recording: would it converge, how long, how many bytes?",
        discussion: """
            The recorded writes are replayed round by round, exactly on harvest ticks and as low..high between them.

            Example:
              dirtyrec converge demo.db --bandwidth 1Gbit/s,10Gbit/s --downtime 50ms,300ms --policy qemu --start all
            """)

    @Argument(help: "The recording.")
    var file: String

    @Option(help: ArgumentHelp("Bandwidths, separated by commas (default: 1, 10 and 25 Gbit/s).", valueName: "list"))
    var bandwidth: BandwidthList?

    @Option(help: ArgumentHelp("Downtime limits, separated by commas (default: 50ms,300ms,1s).", valueName: "list"))
    var downtime: DurationList?

    @Option(help: ArgumentHelp("qemu, cloud-hypervisor or xen; several separated by commas.", valueName: "list"))
    var policy: PolicyList?

    @Option(
        help: ArgumentHelp(
            "When the migration begins: first, all (every boundary), or a time after the start.", valueName: "when"))
    var start: MigrationStart?

    @Option(help: "Beyond the recording's end: none, loop or steady.")
    var extend = ConvergenceOptions.Extension.none

    @Option(help: ArgumentHelp("Time of each bitmap synchronisation.", valueName: "time"))
    var sync: Nanoseconds?

    @Flag(help: "Print JSON (docs/json-output.md).")
    var json = false

    func run() throws {
        let recording = try RecordingFile(path: file)
        var options = ConvergenceOptions()
        if let bandwidth { options.bandwidths = bandwidth.bytesPerSecond }
        if let downtime { options.downtimesNs = downtime.ns }
        if let policy { options.policies = policy.policies }
        if let start { options.start = start.value }
        if let sync { options.syncNs = sync.ns }
        options.extend = extend
        let report = try Convergence.grid(recording, options: options)
        printResult(json ? JSONConvergence.render(report).text(indented: true) : TextConvergence.render(report))
    }
}
