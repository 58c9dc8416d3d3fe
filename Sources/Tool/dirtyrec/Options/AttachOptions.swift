import ArgumentParser
import Attach
import Content
import Model
import Platform
import Recorder

/// Another VMM's guest, and how it is looked at.
struct AttachOptions: ParsableArguments {
    @Option(help: "Process of the VMM (default: whoever answers at --qmp or --libvirt).")
    var pid: Int32?

    @Option(help: ArgumentHelp("Which VM, from 1, of a process that runs several.", valueName: "n"))
    var vm: Int?

    @Option(help: ArgumentHelp("QEMU's QMP socket.", valueName: "socket"), completion: .file())
    var qmp: String?

    @Option(
        help: ArgumentHelp(
            "A domain of libvirt's QEMU driver, as virsh takes it: name, id or UUID. virsh passes QMP on.",
            valueName: "domain"), completion: .domain)
    var libvirt: String?

    @Option(
        help: ArgumentHelp(
            "Shortest iteration: one ends with the VMM's first re-protection after this time (default: 100ms; with --soft-dirty 1s).",
            valueName: "time"), transform: Nanoseconds.init(parsing:))
    var interval: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "Kernel memory of the trace buffer of each host CPU on which the VMM may run (default: by ring size, at most 3.5 MiB).",
            valueName: "size"), transform: ByteSize.init(parsing:))
    var buffer: ByteSize?

    @Option(
        help: ArgumentHelp(
            "Whether entries of a bitmap get their times and vCPUs (default: on); off costs the guest almost nothing.",
            valueName: "on|off"))
    var times: Times = .on

    @Flag(
        help: """
            Follow a VM that logs nothing: once an interval its pages are protected and fault again, reads too, which slows the \
            guest down. Needs soft-dirty bits in the kernel.
            """)
    var softDirty = false

    /// Whether entries have times.
    enum Times: String, ExpressibleByArgument, CaseIterable { case on, off }

    func validate() throws {
        if let buffer, !(64 << 10...1 << 30).contains(buffer.bytes) {
            throw ValidationError("--buffer must be 64KiB to 1GiB; it is the memory of one CPU's buffer.")
        }
        if let vm, vm < 1 { throw ValidationError("--vm counts from 1.") }
        guard qmp == nil || libvirt == nil else {
            throw ValidationError("--qmp and --libvirt both lead to QEMU's monitor: give one of them.")
        }
        if libvirt?.isEmpty == true { throw ValidationError("--libvirt needs the name, id or UUID of a domain.") }
        if softDirty {
            guard qmp == nil, libvirt == nil else {
                throw ValidationError(
                    "--\(qmp == nil ? "libvirt" : "qmp") lets QEMU log, and --soft-dirty is for a VM that logs nothing: give --pid, or leave --soft-dirty away."
                )
            }
            guard times == .on else {
                throw ValidationError("Write faults have times: leave --times off away with --soft-dirty.")
            }
            if let interval, interval.ns < Self.shortestSoftNs {
                throw ValidationError(
                    "--interval must be at least \(Units.exactDuration(Self.shortestSoftNs)) with --soft-dirty: every page faults again in each."
                )
            }
        }
    }

    /// Whether a VMM is named.
    var isGiven: Bool { pid != nil || qmp != nil || libvirt != nil }
    /// What to say where none is.
    static let wanted = "--pid PID, --qmp SOCKET or --libvirt DOMAIN"
    /// Shortest iteration, in nanoseconds.
    var intervalNs: Int64 { interval?.ns ?? (softDirty ? 1_000_000_000 : 100_000_000) }
    private static let shortestSoftNs: Int64 = 10_000_000
}

/// A guest that `dirtyrec` is attached to, and what is known of it.
struct AttachedGuest {
    let attachment: Attachment
    let meter: DirtyRateMeter?
    let info: RecordingInfo

    /// Attaches, and says what that takes.
    ///
    /// - Parameter content: Of which pages it is to be said what they hold; of none without.
    /// - Throws: `AttachError`.
    init(_ options: AttachOptions, content: ContentShare? = nil) throws {
        let monitor =
            try options.qmp.map { QMP(try QMPSocket($0)) } ?? options.libvirt.map { QMP(try Virsh(domain: $0)) }
        guard let pid = try options.pid ?? monitor?.process() else {
            throw ValidationError("Name the VMM: \(AttachOptions.wanted).")
        }
        let target = try Target(pid: pid)
        meter = monitor.map { DirtyRateMeter($0, hasRings: target.ringEntries != nil) }
        // Before the recording begins: QEMU's answers may take a while.
        let (name, memoryBytes) = (monitor?.guestName, meter?.memoryBytes)
        if target.ringEntries == nil, !options.softDirty {
            Terminal.say("The VM has no dirty ring: its bitmaps are followed, by probes in the kernel.")
        }
        let buffers = TraceBuffers(for: target, kibibytes: options.buffer.map { Int($0.bytes / 1024) })
        attachment = try Attachment(
            target, machine: options.vm, times: options.times == .on, softDirty: options.softDirty, content: content,
            intervalNs: options.intervalNs, buffers: buffers)
        if let large = attachment.largePages {
            Terminal.say(
                "Soft-dirty bits and write faults are followed: every \(Units.duration(options.intervalNs)) all pages are protected, and fault again."
            )
            Terminal.say(
                "Guest memory: \(Units.size(attachment.memoryBytes)), \(Units.percent(large)) of it in large pages\(large > 0 ? ", where an entry stands for 512 pages" : "")."
            )
        }
        Terminal.say(
            """
            Trace buffers: \(Units.size(Int64(buffers.kibibytes) << 10)) for each of \
            \(Units.counted(Int64(buffers.cpuCount), "host CPU", "host CPUs")), \
            \(Units.size(Int64(buffers.total) << 10)) of kernel memory; --buffer changes it.
            """)
        var info = Self.describe(target, attachment, intervalNs: options.intervalNs)
        info.memoryBytes = memoryBytes ?? attachment.memoryBytes
        info.labels[RecordingInfo.contentKey] = content?.description
        info.labels[WayIn.loggingKey] = monitor.map { "QEMU's calc-dirty-rate, by \($0.way)" }
        if let name { info.guest = "\(name) (\(target.command), process \(target.pid))" }
        self.info = info
    }

    private static func describe(_ target: Target, _ attachment: Attachment, intervalNs: Int64) -> RecordingInfo {
        let host = Host()
        var info = RecordingInfo()
        info.id = RecordingInfo.newID()
        info.guestKind = "attached"
        info.guest = "\(target.command) (process \(target.pid))"
        host.describe(&info)
        info.vcpuCount = target.vcpuCount
        info.source = .tracefs
        info.ringEntries = target.ringEntries
        info.ringSoftLimit = target.ringEntries.map {
            RingLimits.softLimit(ringEntries: $0, pml: host.pml == true)
        }
        info.intervalNs = intervalNs
        info.startNs = attachment.startNs
        info.wallOffsetNs = wallClockOffset()
        info.labels[WayIn.key] = attachment.wayIn.rawValue
        info.labels[WayIn.largePagesKey] = attachment.largePages.map { Units.percent($0) }
        info.labels[WayIn.unseenKey] = attachment.unseenWriters
        return info
    }

    /// What is known of the recording at its end.
    var endLabels: [String: String] {
        var labels = [WayIn.checkKey: attachment.selfCheck]
        if let looks = attachment.looks {
            if looks.unseen > 0 { labels[RecordingInfo.contentUnseenKey] = "\(looks.unseen)" }
            if looks.early > 0 { labels[RecordingInfo.contentEarlyKey] = "\(looks.early)" }
        }
        return labels
    }

    /// What the time of an event means where the CPU logs pages.
    static let timesWithPML =
        "With PML an entry's time is when the CPU's log was emptied, up to 512 writes after the write; first touches of a page have their own."

    /// Says what was recorded in the file `output`, if there is one, and what is to be known of it.
    ///
    /// - Throws: exit status 1 if something was lost.
    func conclude(_ losses: [Loss], iterations: Int64, in output: String?) throws {
        Terminal.say(
            """
            \(output == nil ? "Saw" : "Recorded") \(Units.counted(iterations, "iteration", "iterations")) with \
            \(Units.counted(attachment.entries, "entry", "entries"))\
            \(output.map { " into " + $0 } ?? "")\(attachment.wayIn == .ring ? "; \(Units.count(attachment.fullExits)) exits because a ring was full" : "").
            """)
        if attachment.wayIn != .ring { Terminal.say("Self-check: \(attachment.selfCheck).") }
        if let costs = attachment.costs { Terminal.say("Cost to the guest, an iteration: \(costs).") }
        if let slot = attachment.loggedSlot {
            Terminal.say(
                "The VMM logs slot \(slot) and has not ended it: the last iteration is as long as that. Its own harvests are followed without --soft-dirty."
            )
        }
        if let unseen = attachment.unseenWriters { Terminal.say("Unseen writers: \(unseen).") }
        if Host().pml == true, attachment.entries > 0, [.ring, .bitmap].contains(attachment.wayIn) {
            Terminal.say(Self.timesWithPML)
        }
        if attachment.entries == 0 {
            Terminal.say(
                attachment.wayIn == .softDirty
                    ? "No page was written."
                    : meter == nil
                        ? "No page was reported: dirty logging was never on. Let dirtyrec switch it on with --qmp or --libvirt, or attach to a migration."
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
        if let looks = attachment.looks {
            if looks.unseen > 0 {
                Terminal.say(
                    """
                    \(Units.counted(looks.unseen, "look", "looks")) at a page failed: where it lay in the VMM's memory was not known or \
                    no slot's any more, or the VMM had given it back.
                    """)
            }
            if looks.early > 0 {
                Terminal.say(
                    """
                    \(Units.counted(looks.early, "look", "looks")) at a page came before the VMM had protected it again: what the \
                    guest wrote from then on until it did is seen when the page is dirty the next time.
                    """)
            }
        }
        for loss in losses.prefix(10) { Terminal.say("LOSS (\(loss.kind.rawValue)): \(loss.detail)") }
        if losses.count > 10 {
            Terminal.say("… and \(losses.count - 10) more losses\(output == nil ? "" : "; all are in the file").")
        }
        if let output { Terminal.say("Next: dirtyrec report \(ShellWords.file(output))") }
        if !losses.isEmpty { throw ExitCode(Failure.no) }
    }
}
