import EntryTable
import GRDB
import Model
import Platform

/// Something in a recording that does not agree with the rest of it.
package struct Finding: Sendable, Equatable, CustomStringConvertible {
    /// The table; `database` when it is the file as such.
    package let table: String
    /// The row's number, if one row is concerned.
    package let row: Int64?
    package let problem: String
    package let advice: String

    /// The finding in one line.
    package var description: String { "\(table)\(row.map { " row \($0)" } ?? ""): \(problem). \(advice)" }
}

/// Proves that a recording agrees with itself: pages, keys, segments, rows, summaries, counts, times and slots.
package enum Verifier {
    /// Findings beyond this number are left out: the first ones tell the story.
    package static let mostFindings = 1000

    /// Checks the recording at `path`, which is not changed.
    ///
    /// - Parameter progress: Receives the number of entries checked.
    /// - Returns: What was found, in the order of the file; empty for a sound recording.
    /// - Throws: ``RecordingError`` when the file cannot be opened as a recording at all.
    package static func verify(path: String, progress: @escaping (Int64) -> Void = { _ in }) throws -> [Finding] {
        let findings = Findings(file: ShellWords.file(path))
        let file: RecordingFile
        do { file = try RecordingFile(path: path) } catch let error as RecordingError where error.isDamage {
            findings.add(error)
            return findings.all
        }
        guard !file.connection.isHalfDone else {
            findings.add("recording", 1, "its completion was interrupted", .recover)
            return findings.all
        }
        // SQLite's own check reads every page once more: on a thread of its own where there are CPUs for it.
        let pages = Monitor([Problem]())
        let queue: DatabaseQueue
        do { queue = try file.connection.beside() } catch { throw RecordingError.reading(path, error) }
        let look = { @Sendable in
            let found = problems(queue, path)
            pages.change { $0 = found }
        }
        let check = Parallel.workers > 1 ? Worker("pages", look) : nil
        do {
            // Of a recording in progress, one moment is checked.
            try file.connection.snapshot { db in
                try checkRecording(file, findings)
                try checkEntries(db, file, findings, progress)
                try checkLists(file)
            }
        } catch { findings.add(RecordingError.reading(path, error)) }
        if let check { check.join() } else { look() }
        let database = Findings(file: ShellWords.file(path))
        for problem in pages.read({ $0 }) {
            database.add(problem.table, problem.row, problem.text, .restore)
        }
        return Array((database.all + findings.all).prefix(mostFindings))
    }

    private struct Problem: Sendable {
        var table = "database"
        var row: Int64?
        var text: String
    }

    /// What SQLite finds in the pages of the file, and then in what refers to other rows.
    private static func problems(_ queue: DatabaseQueue, _ path: String) -> [Problem] {
        do {
            return try queue.unsafeRead { db in
                // What constraints compute is the file's own SQL.
                try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
                let lines = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter { $0 != "ok" }
                // A walk along keys need not end where pages contradict each other.
                guard lines.isEmpty else { return lines.map { Problem(text: $0) } }
                return try Row.fetchAll(
                    db, sql: "SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 20"
                ).map {
                    Problem(
                        table: $0["table"], row: $0["rowid"],
                        text: "it refers to a row of \($0["parent"] as String) that does not exist")
                }
            }
        } catch { return [Problem(text: "\(RecordingError.reading(path, error))")] }
    }

    private static func checkRecording(_ file: RecordingFile, _ findings: Findings) throws {
        if file.state == .complete, file.info.endNs == nil {
            findings.add("recording", 1, "it has an end reason, but no end", .recover)
        }
        if file.state == .complete, !file.isSummarized {
            findings.add("recording", 1, "its completion was interrupted", .recover)
        }
    }

    private static func checkEntries(
        _ db: Database, _ file: RecordingFile, _ findings: Findings, _ progress: @escaping (Int64) -> Void
    ) throws {
        let walk = try VerifyingWalk(db, file, findings)
        var visitor = SummarizingWalk(walk: walk, vcpuCount: file.info.vcpuCount, progress: progress)
        do {
            try RecordingReader(db: db, path: file.path, info: file.info).replay(into: &visitor)
        } catch {
            try visitor.catchUp()
            throw error
        }
        try visitor.finish()
        if file.derived.exactTimes { try checkTimes(db, file, findings) }
    }

    private static func checkTimes(_ db: Database, _ file: RecordingFile, _ findings: Findings) throws {
        let kept = try RawStatement(db, "SELECT seq, ts_ns FROM main.entry_time ORDER BY seq")
        let decoded = try RawStatement(
            db, "SELECT seq, ts_ns FROM \(EntryTable.name) WHERE seq <= \(file.derived.rowsThrough) ORDER BY seq")
        while try decoded.step() {
            guard try kept.step(), kept.int64(0) == decoded.int64(0), kept.int64(1) == decoded.int64(1) else {
                findings.add("entry_time", decoded.int64(0), "it is missing or differs from the packed entry", .rebuild)
                return
            }
        }
        if try kept.step() { findings.add("entry_time", kept.int64(0), "no packed entry has this number", .rebuild) }
    }

    /// Reading a list checks each of its rows.
    private static func checkLists(_ file: RecordingFile) throws {
        try file.replayContents { _ in }
        _ = try (
            file.losses, file.markers, file.stops, file.verdicts, file.statistics, file.watchEvents, file.migrations
        )
    }
}

/// Findings of one run.
final class Findings {
    /// What a user can do about one.
    enum Advice {
        case rebuild, recover, restore, report
    }

    private(set) var all: [Finding] = []
    /// The recording, as an argument.
    private let file: String

    init(file: String) { self.file = file }

    func add(_ table: String, _ row: Int64?, _ problem: String, _ advice: Advice) {
        guard all.count < Verifier.mostFindings else { return }
        let text =
            switch advice {
            case .rebuild: "The packed entries decide; make the rest anew with: dirtyrec rows --rebuild \(file)"
            case .recover: "Complete it with: dirtyrec recover \(file)"
            case .restore: "The file was damaged after it was written; take another copy"
            case .report: "The recorder must not write this; please report it with the file"
            }
        all.append(Finding(table: table, row: row, problem: problem, advice: text))
    }

    func add(_ error: RecordingError) {
        switch error.problem {
        case .corrupt(let table, let row, let detail): add(table, row, detail, .restore)
        case .damaged(let detail): add("database", nil, detail, .restore)
        default: add("database", nil, error.description, .restore)
        }
    }
}
