import ArgumentParser
import Attach
import Foundation
import Import
import Model
import Platform
import Store

struct Import: ParsableCommand {
    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    static let configuration = CommandConfiguration(
        abstract: "Turn a trace, another recorder's text or files of snapshots into a recording.",
        discussion: """
            Formats (docs/import.md): text, dirtyrec's own, one harvest a line; events, text of kvm_dirty_ring events by \
            ftrace, trace-cmd report or perf script; trace-cmd, its binary file trace.dat. Without --format the file says \
            what it is.

            Files of snapshots, each an iteration, in order, need --format: sparse, diffs whose holes are clean pages; images, \
            full memory images, each compared with the one before; bitmaps, as KVM_GET_DIRTY_LOG gives them.

            Examples:
              dirtyrec import mine.txt -o mine.db
              dirtyrec import trace.dat -o vm.db
              dirtyrec import --migration info-migrate.txt -o migration.db
              dirtyrec import --format sparse --interval 30s diff1 diff2 diff3 -o snapshots.db
            """)

    @Argument(
        help: "File to read; - is standard input. Of snapshots, every file. None with --migration alone.",
        completion: .file())
    var files: [String] = []

    @OptionGroup var recording: RecordingOptions

    @Option(help: "What the file is.")
    var format: ImportFormat?

    @Option(
        help: ArgumentHelp(
            "Of a trace with several guests: the threads of the VMM wanted, separated by commas.", valueName: "tid,…"))
    var threads: String?

    @Option(
        help: ArgumentHelp(
            "Of a trace: shortest iteration; one ends with the VMM's first re-protection after this time (default: 100ms). Of snapshots: time between two (default: 1s).",
            valueName: "time"), transform: Nanoseconds.init(parsing:))
    var interval: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "Whether PML was on where this was traced, as /sys/module/kvm_intel/parameters/pml says there; AMD has none.",
            valueName: "on|off"))
    var pml: Switch?

    @Option(
        help: ArgumentHelp("Of snapshots: bytes in a page (default: 4KiB).", valueName: "size"),
        transform: ByteSize.init(parsing:))
    var pageSize: ByteSize?

    @Option(
        help: ArgumentHelp("QEMU's answer to query-dirty-rate as JSON, kept beside our rates.", valueName: "file"),
        completion: .file())
    var qemuRate: String?

    @Option(
        help: ArgumentHelp(
            """
            What a tool said of the guest's migration: QEMU's info migrate or query-migrate, virsh domjobinfo, logs of \
            virt-launcher, Cloud Hypervisor or Proxmox VE; - is standard input.
            """,
            valueName: "file"), completion: .file())
    var migration: String?

    private var file: String { files.first ?? "" }

    func validate() throws {
        guard !files.isEmpty || migration != nil else {
            throw ValidationError("There is nothing to import: name a file, or a migration's log with --migration.")
        }
        guard !files.isEmpty || (format == nil && threads == nil && interval == nil && pml == nil && qemuRate == nil)
        else {
            throw ValidationError(
                "Without a file there is a migration's log only: leave the other options out, or name one.")
        }
        guard migration != "-" || !files.contains("-") else {
            throw ValidationError("Standard input cannot be both: name the file or the migration's log.")
        }
        guard format?.snapshots != nil || files.count <= 1 else {
            throw ValidationError("Several files are snapshots: say with --format whether sparse, images or bitmaps.")
        }
        guard format?.snapshots != nil || pageSize == nil else {
            throw ValidationError("--page-size is for files of snapshots.")
        }
        guard format?.snapshots == nil || (threads == nil && !files.contains("-")) else {
            throw ValidationError("Snapshots are files and have no threads: leave --threads and - out.")
        }
        guard format != .images || files.count > 1 else {
            throw ValidationError("--format images compares each image with the one before: give at least two.")
        }
        if let size = pageSize?.bytes, size < 4096 || size > 1 << 30 || size & (size - 1) != 0 {
            throw ValidationError("--page-size \(size) is not usable: give a power of two from 4KiB to 1GiB.")
        }
        if let interval, interval.ns <= 0, format?.snapshots != nil {
            throw ValidationError("--interval \(interval.ns) is not above 0.")
        }
    }

    func run() throws {
        try FileName.keep(files + [qemuRate, migration].compactMap(\.self), from: recording.output)
        let log = try migration.map { try MigrationLog.read($0) }
        if let log, files.isEmpty { return try keep(log) }
        let source = try open()
        var info = source.info
        info.id = RecordingInfo.newID()
        info.pml = pml.map { $0 == .on } ?? info.pml
        let rates = try qemuRate.map { try QEMUDirtyRate.read($0, since: source.info.startNs) } ?? []
        let observations = log?.observations ?? []
        let intake = try Intake(recording, info, source.slots, migrations: observations, groupNs: Intake.groupNs)
        try intake.run(endNs: { source.endNs }) { keep in
            // One is read ahead: it says why there is no next one.
            var next = try source.next()
            next?.foreignRates += rates
            guard next != nil else { throw ImportError(file, "holds no harvest; nothing was written.") }
            while var batch = next {
                if intake.mustStop { throw Interrupted() }
                do { next = try source.next() } catch {
                    batch.losses.append(
                        Loss(
                            iteration: batch.iteration.id, tsNs: batch.iteration.endNs, kind: .aborted, entries: nil,
                            detail: "The import ended at an error, and what follows is missing: \(error)"))
                    try keep(batch)
                    throw error
                }
                try keep(batch)
            }
            return (source.endReason, [:])
        }
        Terminal.say(
            """
            Imported \(Units.counted(intake.committedIterations, "iteration", "iterations")) with \
            \(Units.counted(intake.committedEntries, "entry", "entries")) into \(recording.output)\(observations.isEmpty ? "" : ", with \(Self.counted(observations))").
            """)
        if info.pml == true, info.source == .tracefs { Terminal.say(AttachedGuest.timesWithPML) }
        Terminal.say("Next: dirtyrec report \(ShellWords.file(recording.output))")
    }

    /// A recording of nothing but a migration's log.
    private func keep(_ log: MigrationLog) throws {
        var info = RecordingInfo()
        info.id = RecordingInfo.newID()
        info.guestKind = "imported"
        info.guest = migration.map { $0 == "-" ? "standard input" : URL(fileURLWithPath: $0).lastPathComponent } ?? ""
        info.source = .imported
        info.wallOffsetNs = log.wallNs ?? 0
        let intake = try Intake(recording, info, migrations: log.observations)
        try intake.run(endNs: { log.endNs }) { _ in (.duration, [:]) }
        Terminal.say("Imported \(Self.counted(log.observations)) into \(recording.output).")
        Terminal.say("Next: dirtyrec report \(ShellWords.file(recording.output))")
    }

    private static func counted(_ observations: [MigrationObservation]) -> String {
        let attempts = Set(observations.map(\.attempt)).count
        return "\(Units.counted(Int64(observations.count), "observation", "observations")) of "
            + (attempts == 1 ? "a migration" : "\(attempts) migrations")
    }

    private func open() throws -> any ImportSource {
        if let kind = format?.snapshots {
            return try SnapshotImport(
                files, as: kind, intervalNs: interval?.ns ?? 1_000_000_000, pageSize: pageSize?.bytes ?? 4096)
        }
        let wanted = (threads ?? "").split(separator: ",").map { Int($0) }
        guard !wanted.contains(nil) else {
            throw ValidationError("--threads \(threads ?? "") is not a list of thread ids.")
        }
        let source = try ImportFormat.open(
            file, as: format, threads: Set(wanted.compactMap(\.self)), intervalNs: interval?.ns ?? 100_000_000)
        guard !(source is TextFormat) || (threads == nil && interval == nil) else {
            throw ValidationError("--threads and --interval are for traces, and \(file) is dirtyrec's own text.")
        }
        return source
    }
}

extension ImportFormat: ExpressibleByArgument {}
