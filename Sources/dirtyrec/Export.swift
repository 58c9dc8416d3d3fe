import ArgumentParser
import Foundation
import KVM
import Report
import TraceModel
import TraceStore

/// `dirtyrec export`.
struct Export: ParsableCommand {
    /// What can be written.
    enum Format: String, ExpressibleByArgument, CaseIterable { case csv, jsonl, perfetto }

    static let configuration = CommandConfiguration(
        abstract: "Write a recording for other tools: every entry as CSV or JSON lines, or a timeline for Perfetto.",
        discussion: """
            csv and jsonl have the columns of the view dirty (docs/sql.md), also without plain rows. perfetto is a Chrome \
            trace for ui.perfetto.dev: dirty rates, harvests, full rings, markers and losses. For other rows use: \
            dirtyrec sql FILE --csv QUERY

            Example:
              dirtyrec export demo.db --format perfetto -o demo.json
            """)

    @Argument(help: "The recording.")
    var file: String

    @Option(help: "csv, jsonl or perfetto.")
    var format: Format

    @Option(name: .shortAndLong, help: "File to write; - is standard output.")
    var output: String

    @Flag(help: "Replace an existing file.")
    var force = false

    func run() throws {
        let recording = try RecordingFile(path: file)
        let isStandard = output == "-"
        if !isStandard, !force, FileManager.default.fileExists(atPath: output) {
            throw ValidationError("\(output) exists already. Choose another name, or replace it with --force.")
        }
        guard
            isStandard
                || URL(fileURLWithPath: output).resolvingSymlinksInPath()
                    != URL(fileURLWithPath: file)
                    .resolvingSymlinksInPath()
        else { throw ValidationError("The output would replace the recording: choose another name.") }
        // A file appears under its name only when it is complete.
        let partial = output + ".partial"
        if !isStandard {
            guard FileManager.default.createFile(atPath: partial, contents: nil) else {
                throw ValidationError("Cannot write \(output): its folder must exist and be writable.")
            }
        }
        do {
            let handle = isStandard ? FileHandle.standardOutput : FileHandle(forWritingAtPath: partial)
            let target = BufferedOutput(handle ?? .nullDevice)
            try write(recording, to: target)
            target.flush()
            try target.check()
            if !isStandard { try Self.move(partial, to: output) }
        } catch {
            if !isStandard { try? FileManager.default.removeItem(atPath: partial) }
            throw error
        }
    }

    private func write(_ recording: RecordingFile, to target: BufferedOutput) throws {
        if format == .perfetto { return try ChromeTrace.render(recording, write: target.write) }
        let total = try recording.counts.entries
        let session = try QuerySession(path: file)
        Termination.watch { _ in session.interrupt() }
        var table: TableFormatter?
        var done: Int64 = 0
        try session.run("SELECT * FROM dirty") { columns in
            table = TableFormatter(format == .csv ? .csv : .jsonl, columns: columns, write: target.write)
        } row: { row in
            table?.add(row.map(Value.init))
            done += 1
            if done % 100_000 == 0 {
                try target.check()
                Terminal.live("exported \(Units.count(done)) of \(Units.count(total)) entries")
            }
        }
        table?.finish()
        Terminal.endLive()
    }

    private static func move(_ partial: String, to path: String) throws {
        guard unsafe rename(partial, path) == 0 else {
            throw ValidationError("Cannot write \(path): it must be a file in a writable folder.")
        }
    }
}
