import ArgumentParser
import Model
import Store

/// `dirtyrec verify`.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check everything in a recording that can be checked; segments, rows and summaries must agree.",
        discussion: """
            Exit status 1 when something was found. Each finding names the table, the row and what to do.

            Example:
              dirtyrec verify demo.db
            """)

    @Argument(help: "The recording.", completion: .recording)
    var file: String

    func run() throws {
        let findings = try Verifier.verify(path: file) { entries in
            Terminal.live("verified \(Units.counted(entries, "entry", "entries"))")
        }
        Terminal.endLive()
        for finding in findings { printResult(finding.description) }
        if findings.count == Verifier.mostFindings {
            printResult("There may be more findings; these are the first \(findings.count).")
        }
        guard findings.isEmpty else { throw Failure.answerIsNo }
        let recording = try RecordingFile(path: file)
        let counts = try recording.counts
        let rows =
            counts.rows == 0 && counts.entries > 0 ? "no plain rows" : "\(Units.counted(counts.rows, "row", "rows"))"
        printResult(
            """
            \(file) is in order: \(Units.counted(counts.iterations, "iteration", "iterations")), \(Units.counted(counts.harvests, "harvest", "harvests")), \
            \(Units.counted(counts.entries, "entry", "entries")) in segments, \(rows)\(recording.isSummarized ? ", summaries agree" : ", no summaries").
            """)
    }
}

/// `dirtyrec recover`.
struct Recover: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finish a recording that was cut off: rows, summaries, end reason. Nothing committed is lost.",
        discussion: """
            Example:
              dirtyrec recover demo.db
            """)

    @Argument(help: "The recording; it is changed.", completion: .recording)
    var file: String

    @Flag(inversion: .prefixedNo, help: "Make plain rows (dirty_entry) too.")
    var rows = true

    func run() throws {
        let outcome: Recovery.Outcome
        do { outcome = try Recovery.recover(path: file, rows: rows, progress: showProgress) } catch let error
            as RecordingError where error.problem == .notCutOff
        {
            return printResult(error.description)
        }
        Terminal.endLive()
        printResult(
            """
            \(file) is complete: \(Units.counted(outcome.iterations, "iteration", "iterations")), \(Units.counted(outcome.entries, "entry", "entries"))\
            \(outcome.wasCutOff ? "; it had been cut off" : "")\(outcome.migratedFrom.map { "; brought up from schema version \($0)" } ?? "").
            """)
    }
}

/// `dirtyrec rows`.
struct Rows: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the plain rows of a recording that was made with --no-rows.",
        discussion: """
            Example:
              dirtyrec rows demo.db --index gfn
            """)

    @Argument(help: "The recording; it is changed.", completion: .recording)
    var file: String

    @Option(help: ArgumentHelp("Also make an index, for many questions about single pages: gfn.", valueName: "column"))
    var index: Index?

    @Flag(help: "Make rows and summaries anew even if they are there.")
    var rebuild = false

    /// What can be indexed.
    enum Index: String, ExpressibleByArgument, CaseIterable { case gfn }

    func run() throws {
        try Recovery.expandRows(path: file, indexed: index != nil, rebuild: rebuild, progress: showProgress)
        Terminal.endLive()
        let counts = try RecordingFile(path: file).counts
        printResult(
            "\(file) has \(Units.counted(counts.rows, "row", "rows"))\(index == nil ? "" : " and an index on gfn").")
    }
}

private func showProgress(_ progress: FinishProgress) {
    Terminal.live("\(progress.phase.rawValue): \(Units.count(progress.completed)) of \(Units.count(progress.total))")
}
