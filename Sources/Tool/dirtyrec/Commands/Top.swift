import Analysis
import ArgumentParser
import Attach
import Model
import Platform
import Report
import Store

struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch a guest while it dirties memory: rates, working set, hot regions, would it migrate now?",
        discussion: """
            Shows a recording that is being made, or attaches to a guest as `dirtyrec attach` does. On a terminal a full screen, \
            where h shows the keys; elsewhere one line a second. A recording that has ended is shown as it ended. See docs/top.md.

            Examples:
              dirtyrec top vm.db
              dirtyrec top --qmp /run/vm.sock -o vm.db
              dirtyrec top --libvirt web1
              dirtyrec top vm.db --json --link 25Gbit/s --downtime 50ms
            """)

    @Argument(help: "A recording that is being made.", completion: .recording)
    var file: String?

    @OptionGroup var way: AttachOptions

    @Option(
        name: .shortAndLong, help: "Keep what is seen of an attached guest in this recording.", completion: .recording)
    var output: String?

    @Flag(help: "Replace an existing file once an iteration of the new one is on the disk.")
    var force = false

    @Option(
        help: ArgumentHelp("End after this time (default: with q or Ctrl-C).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var duration: Nanoseconds?

    @Option(
        help: ArgumentHelp("Time between two frames or lines, from 100ms on (default: 1s).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var delay: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "How far back working set, regions and migration look (default: 60s; at most 1,024 iterations and 4 M entries).",
            valueName: "time"), transform: Nanoseconds.init(parsing:))
    var stretch: Nanoseconds?

    @Option(
        help: ArgumentHelp("The link of the migration to begin with (default: 10Gbit/s).", valueName: "bandwidth"),
        transform: Bandwidth.init(parsing:))
    var link: Bandwidth?

    @Option(
        help: ArgumentHelp("Its downtime limit to begin with (default: 300ms).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var downtime: Nanoseconds?

    @Flag(help: "Print one line at a time instead of a full screen, as where there is no terminal.")
    var plain = false

    @Flag(help: "Print one JSON object a line (docs/top.md).")
    var json = false

    func validate() throws {
        guard (file == nil) == way.isGiven else {
            throw ValidationError("Name either a recording, or a VMM by \(AttachOptions.wanted).")
        }
        guard output == nil || way.isGiven else {
            throw ValidationError(
                "-o keeps what is seen of an attached guest; \(file ?? "the file") is a recording already.")
        }
        guard !force || output != nil else { throw ValidationError("--force is for -o.") }
        guard !plain || !json else { throw ValidationError("Give either --plain or --json, not both.") }
        for (name, time, least) in [
            ("delay", delay, 100_000_000), ("stretch", stretch, 1), ("downtime", downtime, 1),
            ("duration", duration, 1),
        ] where (time?.ns ?? .max) < Int64(least) {
            throw ValidationError("--\(name) must be at least \(Units.exactDuration(Int64(least))).")
        }
    }

    func run() throws {
        if form == .screen { try Screen.prepare() }
        let signals = StopFlag.ofSignals()
        if let file { try follow(file, until: signals) } else { try attach(until: signals) }
    }

    private var form: LiveDisplay.Form { json ? .json : plain || !Screen.isThere ? .lines : .screen }

    private func feed(_ info: RecordingInfo) -> LiveFeed {
        LiveFeed(info, stretch: RecentStretch(lengthNs: stretch?.ns ?? 60_000_000_000))
    }

    private func display(_ feed: LiveFeed, until signals: StopFlag) -> LiveDisplay {
        LiveDisplay(
            feed, until: signals, delayNs: delay?.ns ?? 1_000_000_000,
            bandwidth: link?.bytesPerSecond ?? LiveDisplay.bandwidth,
            downtimeNs: downtime?.ns ?? LiveDisplay.downtimeNs,
            form: form)
    }

    private func follow(_ file: String, until signals: StopFlag) throws {
        let feed = feed(try LiveFeed.open(file).info)
        let endNs = duration.map { monotonicNow() + $0.ns }
        try display(feed, until: signals).showing {
            let hasEnded = try feed.follow(file, every: delay?.ns ?? 1_000_000_000, until: endNs, or: signals)
            if !hasEnded { feed.leave() }
        }
    }

    private func attach(until signals: StopFlag) throws {
        let options = try output.map { try RecordingOptions.parse(["--output", $0] + (force ? ["--force"] : [])) }
        let guest = try AttachedGuest(way)
        let attachment = guest.attachment
        signals.beforeExit = attachment.cleanup.run
        var info = guest.info
        let intake = try options.map { try Intake($0, info, until: signals) }
        let feed = feed(info)
        var counter = IterationCounter(vcpuCount: info.vcpuCount)
        let session = AttachSession(attachment: attachment, meter: guest.meter, durationNs: duration?.ns)
        let display = display(feed, until: signals)
        var slots: [MemorySlot] = []
        func watch(_ keep: (IterationBatch) throws -> Void) throws -> EndReason {
            try session.run(until: { signals.isSet || feed.mustStop }) { batch in
                info.vcpuCount = batch.vcpus ?? info.vcpuCount
                try keep(batch)
                try counter.add(batch)
                Self.keep(batch.slots, in: &slots)
                feed.add(batch)
                if !batch.isPart { feed.show(info, slots: slots, try counter.totals(), .recording) }
            }
        }
        try display.showing {
            if let intake {
                try intake.run(endNs: { attachment.endNs }) { keep in
                    let reason = try watch(keep)
                    feed.end(.ended(reason))
                    return (reason, guest.endLabels)
                }
            } else {
                feed.end(.ended(try watch { _ in }))
            }
            // Nobody wants to see more of what he ended himself.
            if signals.isSet || feed.mustStop { feed.leave() }
        }
        try guest.conclude(session.losses, iterations: feed.moment.totals.iterations, in: output)
    }

    /// A slot that is known comes again when it is deleted; no honest guest has had so many.
    private static func keep(_ new: [MemorySlot], in slots: inout [MemorySlot]) {
        for slot in new {
            if let place = slots.firstIndex(where: {
                ($0.addressSpace, $0.slot, $0.generation) == (slot.addressSpace, slot.slot, slot.generation)
            }) {
                slots[place] = slot
            } else {
                slots.append(slot)
            }
        }
        if slots.count > 4096 { slots.removeAll { $0.deletedNs != nil } }
    }
}
