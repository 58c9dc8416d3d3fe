import ArgumentParser
import Attach
import Content
import Model
import Platform
import Store

struct Attach: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record the pages that another VMM's running guest dirties, from the kernel's trace events.",
        discussion: """
            A guest with a dirty ring is followed by KVM's events of the ring, one without by probes on what marks pages in \
            its bitmaps; nothing changes for the VMM. With --qmp, or --libvirt where QEMU's monitor is libvirt's, dirtyrec lets QEMU \
            switch dirty logging on and keeps QEMU's own figure beside ours; without, logging must be on, by a migration for instance. `dirtyrec doctor` lists the \
            guests of this host. Needs root and tracefs. See docs/attach.md.

            Examples:
              dirtyrec attach --qmp /run/vm.sock --duration 10s -o vm.db
              dirtyrec attach --libvirt web1 --duration 10s -o vm.db
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
            "Say what dirty pages hold, for `dirtyrec snapshots`, of this share of the pages: all, one in so many such as 1/16, or 5%. Reads them in the VMM's memory at the end of each iteration.",
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
        guard way.isGiven else { throw ValidationError("Name the VMM: \(AttachOptions.wanted).") }
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
        let intake = try Intake(recording, info, metrics: figures, until: signals)
        let session = AttachSession(attachment: attachment, meter: guest.meter, durationNs: duration?.ns)
        try intake.run(endNs: { attachment.endNs }) { keep in
            let reason = try session.run(until: { intake.mustStop }, commit: keep)
            Terminal.endLive()
            let zeros = zeroPages ? attachment.countZeroPages() : nil
            if zeroPages, zeros == nil {
                Terminal.say("Zero pages could not be counted: where the guest's memory lies is unknown.")
            }
            var labels = guest.endLabels
            labels["zero_pages"] = zeros.map(String.init)
            return (reason, labels)
        }
        try guest.conclude(session.losses, iterations: intake.committedIterations, in: recording.output)
    }
}
