import ArgumentParser
import Foundation
import Guests
import Model
import Store

/// `dirtyrec synth`.
struct Synth: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a synthetic recording from a workload's model, without KVM: for tests of scale.",
        discussion: """
            The entries are what the workload's model writes, page by page; the same arguments give the same entries and \
            the same id. The recording says guest_kind 'synthetic'. Costs are 0 because nothing was measured. Workloads \
            are those of `dirtyrec record`; without rate= each vCPU does 1M operations a second.

            Example:
              dirtyrec synth -o one.db --vcpus 4 --workload zipf:size=256MiB,rate=100k/s,seed=7 --duration 10s
            """)

    @Option(name: .shortAndLong, help: "File to create.")
    var output: String

    @Flag(name: .long, help: "Replace an existing file.")
    var force = false

    @Option(help: ArgumentHelp("Built-in workload, as NAME:key=value,….", valueName: "spec"))
    var workload = "zipf"

    @Option(help: "Number of vCPUs.")
    var vcpus = 1

    @Option(help: ArgumentHelp("Time that the guest runs (default: 10s).", valueName: "time"))
    var duration: Nanoseconds?

    @Option(help: ArgumentHelp("Time from one iteration to the next (default: 100ms).", valueName: "time"))
    var interval: Nanoseconds?

    @OptionGroup var labels: LabelOptions

    @Flag(
        inversion: .prefixedNo,
        help: "Store plain rows at the end (dirty_entry); without them `dirtyrec rows` makes them later.")
    var rows = true

    func validate() throws {
        guard (1...4096).contains(vcpus) else {
            throw ValidationError("--vcpus \(vcpus) is not usable: give 1 to 4096.")
        }
        for (flag, time) in [("duration", duration), ("interval", interval)] {
            guard let time else { continue }
            guard (1_000_000...Self.longestNs).contains(time.ns) else {
                throw ValidationError(
                    "--\(flag) \(Units.duration(time.ns)) is not usable: give 1ms to \(Units.duration(Self.longestNs))."
                )
            }
        }
    }

    /// A week.
    private static let longestNs: Int64 = 604_800_000_000_000

    func run() throws {
        var recording = try SyntheticRecording(
            workload: Workload(parsing: workload), vcpus: vcpus, labels: labels.values,
            durationNs: duration?.ns ?? 10_000_000_000, intervalNs: interval?.ns ?? 100_000_000)
        var info = recording.info
        info.tool = Dirtyrec.version
        info.commandLine = ShellWords.join(CommandLine.arguments)
        let writer = try RecordingWriter(
            path: output, info: info, slots: recording.slots, options: .init(replace: force, groupNs: 50_000_000))
        while let batch = recording.next() {
            try writer.commit(batch)
            Terminal.live("\(Units.counted(writer.committedEntries, "entry", "entries"))")
        }
        try writer.finish(reason: .duration, endNs: recording.endNs, rows: rows)
        Terminal.endLive()
        Terminal.say(
            """
            Made \(Units.count(writer.committedIterations)) synthetic iterations with \
            \(Units.counted(writer.committedEntries, "entry", "entries")): \(output).
            """)
    }
}
