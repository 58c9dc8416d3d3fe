import ArgumentParser
import Attach
import Content
import Foundation
import Import
import Model
import Platform
import Recorder
import Store
import Synchronization

struct Attach: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record the pages that another VMM's running guest dirties, from the kernel's trace events.",
        discussion: """
            A guest with a dirty ring is followed by KVM's events of the ring, one without by probes on what marks pages in \
            its bitmaps; nothing changes for the VMM. With --qmp dirtyrec lets QEMU switch dirty logging on and keeps QEMU's \
            own figure beside ours; without, logging must be on, by a migration for instance. `dirtyrec doctor` lists the \
            guests of this host. Needs root and tracefs. See docs/attach.md.

            Examples:
              dirtyrec attach --qmp /run/vm.sock --duration 10s -o vm.db
              dirtyrec attach --pid 4711 -o vm.db
            """)

    @OptionGroup var way: AttachOptions

    @OptionGroup var recording: RecordingOptions

    @Option(
        help: ArgumentHelp("End after this time (default: at Ctrl-C, or with the guest).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var duration: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "Say what dirty pages hold, for `dirtyrec snapshots`, of this share of the pages: all, one in so many such as 1/16, or 5%. Reads them in the VMM's memory after each harvest.",
            valueName: "share"),
        completion: .list(["all", "1/4", "1/16", "1/64"]), transform: ContentShare.init(parsing:))
    var content: ContentShare?

    @OptionGroup var metrics: MetricsOptions

    @Flag(
        help: """
            Count the pages that hold only zeros at the end, for `dirtyrec converge`: QEMU does not send them. Reads the \
            guest's memory.
            """)
    var zeroPages = false

    func validate() throws {
        guard way.isGiven else { throw ValidationError("Name the VMM: --pid PID or --qmp SOCKET.") }
        if let duration, duration.ns <= 0 { throw ValidationError("--duration must be longer than 0.") }
    }

    func run() throws {
        let signals = StopFlag.ofSignals()
        let guest = try AttachedGuest(way, content: content)
        let attachment = guest.attachment
        signals.beforeExit = attachment.cleanup.run
        let info = guest.info
        let figures = try metrics.file(of: info)
        defer { figures?.end() }
        let intake = try Intake(recording, info, until: signals)
        let session = AttachSession(attachment: attachment, meter: guest.meter, durationNs: duration?.ns)
        try intake.run(endNs: { attachment.endNs }) {
            var vcpus = info.vcpuCount
            let reason = try session.run(until: { intake.mustStop }) { batch in
                if attachment.vcpuCount > vcpus {
                    vcpus = attachment.vcpuCount
                    try intake.writer.add(vcpus: vcpus)
                }
                try intake.commit(batch)
                figures?.show(intake.writer.totals)
            }
            Terminal.endLive()
            let zeros = zeroPages ? attachment.countZeroPages() : nil
            if zeroPages, zeros == nil {
                Terminal.say("Zero pages could not be counted: where the guest's memory lies is unknown.")
            }
            var labels = [WayIn.checkKey: attachment.selfCheck]
            labels["zero_pages"] = zeros.map(String.init)
            return (reason, labels)
        }
        try conclude(attachment, session.losses, intake.writer.committedIterations)
    }

    /// What the time of an event means where the CPU logs pages.
    static let timesWithPML =
        "With PML an entry's time is when the CPU's log was emptied, up to 512 writes after the write; first touches of a page have their own."

    private func conclude(_ attachment: Attachment, _ losses: [Loss], _ iterations: Int64) throws {
        Terminal.say(
            """
            Recorded \(Units.counted(iterations, "iteration", "iterations")) with \
            \(Units.counted(attachment.entries, "entry", "entries")) into \
            \(recording.output)\(attachment.wayIn == .ring ? "; \(Units.count(attachment.fullExits)) exits because a ring was full" : "").
            """)
        if attachment.wayIn != .ring { Terminal.say("Self-check: \(attachment.selfCheck).") }
        if Host().pml == true, attachment.entries > 0, attachment.wayIn != .masks { Terminal.say(Self.timesWithPML) }
        if attachment.entries == 0 {
            Terminal.say(
                way.qmp == nil
                    ? "No page was reported: dirty logging was never on. Let dirtyrec switch it on with --qmp, or attach to a migration."
                    : "No page was reported: the guest wrote nothing while QEMU logged, or QEMU had not harvested yet."
            )
        }
        if attachment.hasUnknownSlots {
            Terminal.say(
                """
                The guest addresses of some memory slots could not be learnt\
                \(attachment.seesSlots ? " (logging was on before)" : " (this kernel has no kprobes)"): their pages have \
                numbers relative to the slot, from 2^50 on. See docs/attach.md.
                """)
        }
        if attachment.unseenContents > 0 {
            Terminal.say(
                """
                What the pages of \(Units.counted(attachment.unseenContents, "entry", "entries")) hold is not in the file: where \
                they lie in the VMM's memory was not known, or it could not be read.
                """)
        }
        for loss in losses.prefix(10) { Terminal.say("LOSS (\(loss.kind.rawValue)): \(loss.detail)") }
        if losses.count > 10 { Terminal.say("… and \(losses.count - 10) more losses; all are in the file.") }
        Terminal.say("Next: dirtyrec report \(ShellWords.file(recording.output))")
        if !losses.isEmpty { throw ExitCode(Failure.no) }
    }
}
