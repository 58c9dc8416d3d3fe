import ArgumentParser
import Attach
import Foundation
import Import
import Model
import Store

/// `dirtyrec import`.
struct Import: ParsableCommand {
    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    static let configuration = CommandConfiguration(
        abstract: "Turn a trace or another recorder's text into a recording.",
        discussion: """
            Formats (docs/import.md): text, dirtyrec's own, one harvest a line; events, text of kvm_dirty_ring events by \
            ftrace, trace-cmd report or perf script; trace-cmd, its binary file trace.dat. Without --format the file says \
            what it is.

            Examples:
              dirtyrec import mine.txt -o mine.db
              dirtyrec import trace.dat -o vm.db
            """)

    @Argument(help: "File to read; - is standard input.", completion: .file())
    var file: String

    @OptionGroup var recording: RecordingOptions

    @Option(help: "What the file is.")
    var format: ImportFormat?

    @Option(
        help: ArgumentHelp(
            "Of a trace with several guests: the threads of the VMM wanted, separated by commas.", valueName: "tid,…"))
    var threads: String?

    @Option(
        help: ArgumentHelp(
            "Of a trace: shortest iteration; one ends with the VMM's first re-protection after this time (default: 100ms).",
            valueName: "time"), transform: Nanoseconds.init(parsing:))
    var interval: Nanoseconds?

    @Option(
        help: ArgumentHelp(
            "Whether PML was on where this was traced, as /sys/module/kvm_intel/parameters/pml says there; AMD has none.",
            valueName: "on|off"))
    var pml: Switch?

    @Option(
        help: ArgumentHelp("QEMU's answer to query-dirty-rate as JSON, kept beside our rates.", valueName: "file"),
        completion: .file())
    var qemuRate: String?

    func run() throws {
        try FileName.keep([file, qemuRate].compactMap(\.self), from: recording.output)
        let source = try open()
        var info = source.info
        info.id = RecordingInfo.newID()
        info.pml = pml.map { $0 == .on } ?? info.pml
        let rates = try qemuRate.map { try QEMUDirtyRate.read($0, since: source.info.startNs) } ?? []
        let intake = try Intake(recording, info, source.slots, groupNs: Intake.groupNs)
        try intake.run(endNs: { source.endNs }) {
            // One is read ahead: it says why there is no next one.
            var next = try source.next()
            next?.foreignRates += rates
            while var batch = next {
                if intake.mustStop { throw Interrupted() }
                do { next = try source.next() } catch {
                    batch.losses.append(
                        Loss(
                            iteration: batch.iteration.id, tsNs: batch.iteration.endNs, kind: .aborted, entries: nil,
                            detail: "The import ended at an error, and what follows is missing: \(error)"))
                    try intake.commit(batch)
                    throw error
                }
                try intake.commit(batch)
            }
            return (source.endReason, [:])
        }
        let writer = intake.writer
        guard !writer.isEmpty else { throw ImportError(file, "holds no harvest; nothing was written.") }
        Terminal.say(
            """
            Imported \(Units.counted(writer.committedIterations, "iteration", "iterations")) with \
            \(Units.counted(writer.committedEntries, "entry", "entries")) into \(recording.output).
            """)
        if info.pml == true, info.source == .tracefs { Terminal.say(Attach.timesWithPML) }
        Terminal.say("Next: dirtyrec report \(ShellWords.join([recording.output]))")
    }

    private func open() throws -> any ImportSource {
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
