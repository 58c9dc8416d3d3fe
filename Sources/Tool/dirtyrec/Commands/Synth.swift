import ArgumentParser
import Foundation
import Guests
import Model
import Store

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

    @OptionGroup var recording: RecordingOptions

    @Option(help: ArgumentHelp("Built-in workload, as NAME:key=value,….", valueName: "spec"), completion: .workload)
    var workload = "zipf"

    @Option(help: "Number of vCPUs.")
    var vcpus = 1

    @Option(
        help: ArgumentHelp("Time that the guest runs (default: 10s).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var duration: Nanoseconds?

    @Option(
        help: ArgumentHelp("Time from one iteration to the next (default: 100ms).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var interval: Nanoseconds?

    @OptionGroup var labels: LabelOptions

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
        var guest = try SyntheticRecording(
            workload: Workload(parsing: workload), vcpus: vcpus, labels: labels.values,
            durationNs: duration?.ns ?? 10_000_000_000, intervalNs: interval?.ns ?? 100_000_000)
        let intake = try Intake(recording, guest.info, guest.slots, groupNs: Intake.groupNs)
        // After Ctrl-C it ends with the last iteration.
        var endNs = guest.endNs
        try intake.run(endNs: { endNs }) { keep in
            while let batch = guest.next() {
                if intake.mustStop { throw Interrupted() }
                try keep(batch)
                endNs = batch.iteration.endNs
            }
            endNs = guest.endNs
            return (.duration, [:])
        }
        Terminal.say(
            """
            Made \(Units.count(intake.committedIterations)) synthetic iterations with \
            \(Units.counted(intake.committedEntries, "entry", "entries")): \(recording.output).
            """)
    }
}
