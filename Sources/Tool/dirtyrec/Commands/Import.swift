import ArgumentParser
import Attach
import Foundation
import Import
import Model
import Store

/// `dirtyrec import`.
struct Import: ParsableCommand {
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

    @Argument(help: "File to read; - is standard input.")
    var file: String

    @Option(name: .shortAndLong, help: "File to create.")
    var output: String

    @Flag(name: .long, help: "Replace an existing file once the first iteration was read.")
    var force = false

    @Option(help: "What the file is.")
    var format: ImportFormat?

    @Option(
        help: ArgumentHelp(
            "Of a trace with several guests: the threads of the VMM wanted, separated by commas.", valueName: "tid,…"))
    var threads: String?

    @Option(
        help: ArgumentHelp(
            "Of a trace: shortest iteration; one ends with the VMM's first re-protection after this time (default: 100ms).",
            valueName: "time"))
    var interval: Nanoseconds?

    @Option(help: ArgumentHelp("QEMU's answer to query-dirty-rate as JSON, kept beside our rates.", valueName: "file"))
    var qemuRate: String?

    @Flag(
        inversion: .prefixedNo,
        help: "Store plain rows at the end (dirty_entry); without them `dirtyrec rows` makes them later.")
    var rows = true

    @OptionGroup var durability: SyncOptions

    func run() throws {
        try FileName.keep([file, qemuRate].compactMap(\.self), from: output)
        let source = try open()
        var info = source.info
        info.id = RecordingInfo.newID()
        info.tool = Dirtyrec.version
        info.commandLine = ShellWords.join(CommandLine.arguments)
        let rates = try qemuRate.map { try QEMUDirtyRate.read($0, since: source.info.startNs) } ?? []
        let writer = try RecordingWriter(
            path: output, info: info, slots: source.slots, options: durability.writing(replace: force))
        // The last iteration read: it says why there is no next one.
        var last: IterationBatch?
        do {
            last = try source.next()
            last?.foreignRates += rates
            while let batch = last {
                let next = try source.next()
                last = nil
                try writer.commit(batch)
                if durability.logCommits { Terminal.say("committed \(writer.committedIterations)") }
                Terminal.live("\(Units.counted(writer.committedEntries, "entry", "entries"))")
                last = next
            }
            Terminal.endLive()
        } catch {
            Terminal.endLive()
            // What came before the broken place is worth keeping.
            if var batch = last {
                batch.losses.append(
                    Loss(
                        iteration: batch.iteration.id, tsNs: batch.iteration.endNs, kind: .aborted, entries: nil,
                        detail: "The import ended at an error, and what follows is missing: \(error)"))
                try? writer.commit(batch)
            }
            writer.discard()
            if writer.committedIterations > 0 {
                try writer.finish(reason: .error, endNs: source.endNs, rows: rows)
                let kept = Units.counted(writer.committedIterations, "iteration", "iterations")
                Terminal.say("\(output) holds the \(kept) before the error.")
            }
            throw error
        }
        guard writer.committedIterations > 0 else {
            writer.discard()
            throw ImportError(file, "holds no harvest; nothing was written.")
        }
        let isWhole = try writer.finish(reason: source.endReason, endNs: source.endNs, rows: rows)
        if !isWhole { Terminal.say(Record.leftOut(output)) }
        Terminal.say(
            """
            Imported \(Units.counted(writer.committedIterations, "iteration", "iterations")) with \
            \(Units.counted(writer.committedEntries, "entry", "entries")) into \(output).
            """)
        Terminal.say("Next: dirtyrec report \(ShellWords.join([output]))")
    }

    private func open() throws -> any ImportSource {
        let wanted = (threads ?? "").split(separator: ",").map { Int($0) }
        guard !wanted.contains(nil) else {
            throw ValidationError("--threads \(threads ?? "") is not a list of thread ids.")
        }
        return try ImportFormat.open(
            file, as: format, threads: Set(wanted.compactMap(\.self)), intervalNs: interval?.ns ?? 100_000_000)
    }
}

extension ImportFormat: ExpressibleByArgument {}
