import Analysis
import ArgumentParser
import Model
import Platform
import Report
import Store

struct SnapshotsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots",
        abstract: "Say what snapshots of the guest would hold and cost, by cadence and block size.",
        discussion: """
            A diff holds the blocks that were dirtied since the snapshot before. The recorded writes are cut at the ends of \
            iterations, so that every figure is exact.

            Example:
              dirtyrec snapshots demo.db --cadence 100ms,1s --block 4KiB,64KiB,2MiB --coalesce 16KiB
              dirtyrec snapshots demo.db --write 500MB/s --per-extent 100us --pause-base 10ms --json
            """)

    @Argument(help: "The recording.", completion: .recording)
    var file: String

    @Option(
        help: ArgumentHelp(
            "Times between two snapshots, separated by commas (default: up to six that fit).", valueName: "times"),
        transform: DurationList.init(parsing:))
    var cadence: DurationList?

    @Option(
        help: ArgumentHelp(
            "Block sizes, separated by commas (default: 4KiB,16KiB,64KiB,2MiB).", valueName: "sizes"),
        transform: SizeList.init(parsing:))
    var block: SizeList?

    @Option(
        help: ArgumentHelp(
            "Write clean gaps of at most this size too: more bytes in fewer extents (default: none).", valueName: "size"
        ),
        transform: ByteSize.init(parsing:))
    var coalesce: ByteSize?

    @Option(
        help: ArgumentHelp("What is written, or read, in a second (default: 2GB/s).", valueName: "bandwidth"),
        transform: Bandwidth.init(parsing:))
    var write: Bandwidth?

    @Option(
        help: ArgumentHelp("What an extent costs beside its bytes (default: 20us).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var perExtent: Nanoseconds?

    @Option(
        help: ArgumentHelp("What a snapshot costs beside its extents (default: 3ms).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var pauseBase: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "Times after a fork at which its own pages are counted (default: the cadences).", valueName: "times"),
        transform: DurationList.init(parsing:))
    var within: DurationList?

    @Option(help: ArgumentHelp("Forks to plan memory for.", valueName: "n"))
    var forks: Int64 = 100

    @Option(
        help: ArgumentHelp(
            "Write the pages that foretell the next diff best, at one --cadence, to this file (docs/snapshots.md).",
            valueName: "file"),
        completion: .file())
    var prefetch: String?

    @Flag(help: "Print JSON (docs/json-output.md).")
    var json = false

    func validate() throws {
        guard (1...1_000_000_000).contains(forks) else {
            throw ValidationError("--forks \(forks) is not usable: give 1 to 1000000000.")
        }
        guard prefetch == nil || cadence?.ns.count == 1 else {
            throw ValidationError("--prefetch is for one cadence: give --cadence one time.")
        }
        guard prefetch != "-" else {
            throw ValidationError("The figures go to standard output: give --prefetch a file.")
        }
    }

    /// The largest block and gap, in bytes: sums over any recording stay in range.
    private static let largest: Int64 = 1 << 30

    func run() throws {
        let recording = try RecordingFile(path: file)
        let pageSize = recording.info.pageSize
        if let size = block?.bytes.first(where: { $0 < pageSize || $0 % pageSize != 0 || $0 > Self.largest }) {
            throw ValidationError(
                "--block \(Units.exactSize(size)) is no multiple of the recording's page size up to 1GiB: give multiples of "
                    + "\(Units.exactSize(pageSize)).")
        }
        if let coalesce, coalesce.bytes > Self.largest {
            throw ValidationError("--coalesce \(Units.exactSize(coalesce.bytes)) is not usable: give at most 1GiB.")
        }
        var options = SnapshotOptions()
        options.cadencesNs = cadence?.ns
        if let block { options.blocks = block.bytes }
        options.coalesce = coalesce?.bytes ?? 0
        if let write { options.cost.bytesPerSecond = write.bytesPerSecond }
        if let perExtent { options.cost.perExtentNs = perExtent.ns }
        if let pauseBase { options.cost.baseNs = pauseBase.ns }
        options.withinNs = within?.ns
        options.forks = forks
        let report = try Snapshots.report(recording, options: options)
        if let prefetch, let cadence = cadence?.ns.first { try writeList(prefetch, report, cadence, recording) }
        printResult(json ? JSONSnapshots.render(report).text(indented: true) : TextSnapshots.render(report))
    }

    private func writeList(
        _ path: String, _ report: SnapshotReport, _ cadence: Int64, _ recording: RecordingFile
    ) throws {
        guard let best = report.ranked(cadence).first else {
            throw ValidationError(
                "\(file) has fewer than two diffs every \(Units.duration(cadence)), so nothing foretells the next: "
                    + "give a shorter --cadence.")
        }
        try FileName.keep([file], from: path)
        let target = try Output.open(path, existing: .replacedUnlessDatabase)
        let list = try PrefetchList(recording, policy: best)
        target.write(PrefetchText.render(list, pageSize: report.pageSize))
        try target.finish()
        Terminal.say(
            "Wrote \(path): \(Units.counted(list.pages, "page", "pages")) in "
                + "\(Units.counted(Int64(list.ranges.count), "range", "ranges")), foretold by \(best.policy.name).")
    }
}
