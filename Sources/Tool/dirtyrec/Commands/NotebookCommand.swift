import ArgumentParser
import Foundation
import Model
import Notebook
import Platform
import Store

struct NotebookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notebook",
        abstract: "Run the SQL in a Markdown text over recordings and write the page, as HTML or Markdown.",
        discussion: """
            docs/notebooks.md describes cells, charts, values in sentences and parameters. The first recording is \
            queried by plain names; with several, they are a, b, c … as in: SELECT * FROM b.iteration_rate. A cell that \
            fails says so in its place and makes the exit status 1.

            Example:
              dirtyrec notebook samples/notebooks/compare.md before.db after.db -o compare.html
            """)

    @Argument(help: "The notebook.", completion: .file(extensions: ["md"]))
    var notebook: String

    @Argument(help: "Recordings.", completion: .recording)
    var recordings: [String]

    @Option(
        name: .shortAndLong, help: "File to write, .html or .md; - is standard output.",
        completion: .file(extensions: ["html", "md"]))
    var output: String

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Value of a parameter, as NAME=VALUE; may be repeated.", valueName: "name=value"),
        transform: Setting.init(parsing:))
    var settings: [Setting] = []

    @Option(
        help: ArgumentHelp("The longest time for each cell (default: 1min).", valueName: "time"),
        transform: Nanoseconds.init(parsing:))
    var timeout: Nanoseconds?

    @Option(help: "html or markdown (default: what the output's name says; markdown for -).")
    var format: Format?

    enum Format: String, ExpressibleByArgument, CaseIterable { case html, markdown }

    private var written: Format? {
        if let format { return format }
        if output.hasSuffix(".html") { return .html }
        return output.hasSuffix(".md") || output == "-" ? .markdown : nil
    }

    func validate() throws {
        guard written != nil else {
            throw ValidationError("The output '\(output)' must end in .html or .md, or give --format.")
        }
        guard recordings.count <= QuerySession.mostAttached else {
            throw ValidationError("Give at most \(QuerySession.mostAttached) recordings.")
        }
        try FileName.keep([notebook] + recordings, from: output)
    }

    func run() throws {
        guard let text = try? String(contentsOfFile: notebook, encoding: .utf8) else {
            throw ValidationError("Cannot read \(notebook): it must be a readable file of UTF-8 text.")
        }
        let target = try Output.open(output, existing: .replacedUnlessDatabase)
        let session = try QuerySession(path: recordings[0])
        if recordings.count > 1 {
            for (place, path) in recordings.enumerated() { try session.attach(path, as: Self.schema(place)) }
        }
        Termination.watch { count in
            session.interrupt()
            if count > 1 { Termination.exit(Failure.no) }
        }
        let limitNs = timeout?.ns ?? Self.defaultLimitNs
        let watchdog = CellWatchdog(notebook, limitNs: limitNs)
        defer { watchdog.stop() }
        do {
            let result = try Notebook(text).run(
                session, settings: Setting.byName(settings).mapValues(\.text),
                timeout: .nanoseconds(limitNs), recordings: try descriptions(),
                as: written == .html ? .html(vega: VegaBundle.find()) : .markdown,
                progress: {
                    watchdog.restart()
                    Self.show($0)
                })
            target.write(result.text)
            try target.finish()
            guard result.failures == 0 else {
                Terminal.say(
                    "\(Units.counted(Int64(result.failures), "cell or value", "cells or values")) failed; \(target.name) says which."
                )
                throw ExitCode(Failure.no)
            }
        } catch let error as Notebook.Failure { throw ValidationError(error.description) }
    }

    private static let defaultLimitNs: Int64 = 60_000_000_000

    private static func schema(_ place: Int) -> String { String(UnicodeScalar(UInt8(0x61 + place))) }

    private func descriptions() throws -> [String] {
        try recordings.enumerated().map { place, path in
            let recording = try RecordingFile(path: path)
            let counts = try recording.counts
            let name = (recordings.count > 1 ? "\(Self.schema(place)): " : "") + (path as NSString).lastPathComponent
            if place > 0, counts.rows < counts.entries {
                Terminal.say(
                    "\(path) has no plain rows, so \(Self.schema(place)).dirty is empty; make them with: dirtyrec rows")
            }
            return """
                \(name): \(Units.counted(counts.entries, "entry", "entries")) in \(Units.counted(counts.iterations, "iteration", "iterations")), \
                recorded by \(recording.info.tool) on \(recording.info.host), id \(recording.info.id)
                """
        }
    }

    private static func show(_ progress: Notebook.Progress) {
        let outcome = progress.error ?? "\(Units.counted(progress.rows, "row", "rows"))"
        let ns =
            progress.duration.components.seconds * 1_000_000_000 + progress.duration.components.attoseconds
            / 1_000_000_000
        Terminal.say("cell \(progress.cell): \(outcome), \(Units.duration(ns))")
    }
}

/// A new watchdog for every cell, which runs three statements: its own, and two that read its result.
private final class CellWatchdog {
    private let path: String
    private let limitNs: Int64
    private var current: Watchdog

    init(_ path: String, limitNs: Int64) {
        (self.path, self.limitNs) = (path, limitNs.multipliedReportingOverflow(by: 3).overflow ? .max : limitNs * 3)
        current = Watchdog(path, limitNs: self.limitNs)
    }

    func restart() {
        current.stop()
        current = Watchdog(path, limitNs: limitNs)
    }

    func stop() { current.stop() }
}
