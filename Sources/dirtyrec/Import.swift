import ArgumentParser
import Foundation
import TraceModel
import TraceStore
import Tracing

/// `dirtyrec import`.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn a trace or another recorder's text into a recording.",
        discussion: """
            Formats (docs/import.md): text, dirtyrec's own, one harvest a line. Without --format the file says what it is.

            Example:
              dirtyrec import mine.txt -o mine.db
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument { case text }

    @Argument(help: "File to read; - is standard input.")
    var file: String

    @Option(name: .shortAndLong, help: "File to create.")
    var output: String

    @Flag(name: .long, help: "Replace an existing file once the first iteration was read.")
    var force = false

    @Option(help: "What the file is.")
    var format: Format?

    @Flag(
        inversion: .prefixedNo,
        help: "Store plain rows at the end (dirty_entry); without them `dirtyrec rows` makes them later.")
    var rows = true

    func run() throws {
        let source = try open()
        var info = source.info
        info.id = RecordingID.make()
        info.tool = Dirtyrec.version
        info.commandLine = ShellWords.join(CommandLine.arguments)
        let writer = try RecordingWriter(
            path: output, info: info, slots: source.slots, options: .init(replace: force))
        do {
            while let batch = try source.next() {
                try writer.commit(batch)
                Terminal.live("\(Units.count(writer.committedEntries)) entries")
            }
            Terminal.endLive()
        } catch {
            Terminal.endLive()
            writer.discard()
            // What came before the broken place is worth keeping.
            if writer.committedIterations > 0 {
                try writer.finish(reason: .error, endNs: source.endNs, rows: rows)
                Terminal.say("\(output) holds the \(writer.committedIterations) iterations before the error.")
            }
            throw error
        }
        guard writer.committedIterations > 0 else {
            writer.discard()
            throw ImportError(file, "holds no harvest; nothing was written.")
        }
        try writer.finish(reason: source.endReason, endNs: source.endNs, rows: rows)
        Terminal.say(
            """
            Imported \(Units.count(writer.committedIterations)) iterations with \
            \(Units.count(writer.committedEntries)) entries into \(output).
            """)
        Terminal.say("Next: dirtyrec report \(ShellWords.join([output]))")
    }

    private func open() throws -> any ImportSource { try TextFormat(path: file) }
}
