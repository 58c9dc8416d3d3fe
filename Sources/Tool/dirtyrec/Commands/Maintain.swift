import ArgumentParser
import Import
import Model
import Store

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check everything in a recording that can be checked; segments, rows and summaries must agree.",
        discussion: """
            Exit status 1 when something was found. Each finding names the table, the row and what to do.

            With --snapshot, whether a sparse diff holds every page that changed since its base image: FILE is the image of memory \
            after it, or a recording of the time between.

            Example:
              dirtyrec verify demo.db
              dirtyrec verify --snapshot base.img diff.img after.img
            """)

    @Argument(
        help: "The recording; with --snapshot, the diff and then the image or the recording.", completion: .file())
    var files: [String]

    @Option(
        help: ArgumentHelp("The full image of memory on which the diff builds.", valueName: "base"), completion: .file()
    )
    var snapshot: String?

    @Option(
        help: ArgumentHelp(
            "With --snapshot: bytes in a page (default: the recording's, else 4KiB).", valueName: "size"),
        transform: ByteSize.init(parsing:))
    var pageSize: ByteSize?

    private var file: String { files.last ?? "" }

    func validate() throws {
        guard files.count == (snapshot == nil ? 1 : 2) else {
            throw ValidationError(
                snapshot == nil
                    ? "Give one recording." : "Give the base, the diff, and the image or the recording after it.")
        }
        guard snapshot != nil || pageSize == nil else { throw ValidationError("--page-size belongs to --snapshot.") }
        if let size = pageSize?.bytes, size < 4096 || size > 1 << 30 || size & (size - 1) != 0 {
            throw ValidationError("--page-size \(size) is not usable: give a power of two from 4KiB to 1GiB.")
        }
    }

    func run() throws {
        if let snapshot { return try checkSnapshot(base: snapshot, diff: files[0]) }
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

extension Verify {
    private func checkSnapshot(base: String, diff: String) throws {
        let (base, diff) = try (MemoryImage(base), MemoryImage(diff))
        let recording = try isDatabase ? RecordingFile(path: file) : nil
        let size = pageSize?.bytes ?? recording?.info.pageSize ?? 4096
        if let recording, recording.info.pageSize != size {
            throw ValidationError(
                "The pages of \(file) have \(Units.size(recording.info.pageSize)): leave --page-size out.")
        }
        let check: SnapshotCheck
        if let recording {
            var pages = RecordedPages()
            try recording.replay(into: &pages)
            check = try SnapshotCheck(
                base: base, diff: diff, recorded: pages.index.gfns.sorted(), pageSize: size)
        } else {
            check = try SnapshotCheck(base: base, diff: diff, after: MemoryImage(file), pageSize: size)
        }
        let what = recording == nil ? "changed" : "recorded"
        for range in check.missing {
            printResult("missing: \(Self.text(range, size)) \(what), not in \(diff.path)")
        }
        for range in check.wrong {
            printResult(
                recording == nil
                    ? "stale: \(Self.text(range, size)) in \(diff.path) is not what \(file) holds"
                    : "unrecorded: \(Self.text(range, size)) is in \(diff.path), differs from \(base.path), and is not in \(file)"
            )
        }
        if check.missing.count == SnapshotCheck.mostRanges || check.wrong.count == SnapshotCheck.mostRanges {
            printResult("There may be more; these are the first \(SnapshotCheck.mostRanges) ranges of a kind.")
        }
        let held = Units.counted(check.held, "page", "pages")
        guard check.missingCount == 0, check.wrongCount == 0 else {
            printResult(
                "\(diff.path) holds \(held): of \(Units.count(check.changed)) \(what), "
                    + "\(Units.count(check.missingCount)) are missing; "
                    + "\(Units.count(check.wrongCount)) \(recording == nil ? "stale" : "unrecorded").")
            throw Failure.answerIsNo
        }
        printResult(
            "\(diff.path) is complete: it holds \(held), and all \(Units.count(check.changed)) \(what) ones among them."
        )
    }

    private var isDatabase: Bool {
        (try? MemoryImage(file).isDatabase) ?? false
    }

    private static func text(_ range: Range<GFN>, _ pageSize: Int64) -> String {
        let address = "0x" + String(range.lowerBound &* UInt64(pageSize), radix: 16)
        return range.count == 1
            ? "page at \(address)" : "\(Units.count(Int64(range.count))) pages from \(address)"
    }
}

/// The pages of a recording.
private struct RecordedPages: RecordingVisitor {
    var index = PageIndex()
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { for gfn in gfns { _ = index.insert(gfn) } }
    mutating func visit(_ iteration: Iteration) throws {}
}

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
        RecordingOptions.tell(outcome.completion, of: file)
    }
}

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
