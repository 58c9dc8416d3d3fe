import Analysis
import ArgumentParser
import Fleet
import Foundation
import Model
import Platform
import Store
import Synchronization

/// `dirtyrec export --parquet`: several recordings at once, each by itself.
struct ParquetExport {
    let files: [String]
    let into: String
    let jobs: Int?
    let force: Bool
    let pages: Bool

    /// What the workers share.
    private struct Progress {
        var next = 0
        var exported = 0
        var entries: Int64 = 0
        var unchanged = 0
        var failed = 0
        /// What stops everything: this machine lacks something.
        var lack: FleetError?
    }

    func run() throws {
        let page: @Sendable (RecordingFile) throws -> String = { file in
            try ReportCommand.page(of: file, AnalysisOptions(), vega: nil)
        }
        let export = FleetExport(
            into: try FleetFolder(exportingInto: into), force: force, page: pages ? page : nil)
        let progress = Mutex(Progress())
        let workers = min(jobs ?? ProcessInfo.processInfo.activeProcessorCount, files.count)
        DispatchQueue.concurrentPerform(iterations: workers) { _ in
            while let file = take(progress) { note(Result { try export.export(file) }, of: file, progress) }
        }
        Terminal.endLive()
        let outcome = progress.withLock { $0 }
        if let lack = outcome.lack { throw lack }
        printResult(
            """
            Exported \(Units.counted(Int64(outcome.exported), "recording", "recordings")) with \(Units.counted(outcome.entries, "entry", "entries")) into \
            \(into); \(Units.count(Int64(outcome.unchanged))) were there already, \(Units.count(Int64(outcome.failed))) failed.
            """)
        if outcome.failed > 0 { throw Failure.answerIsNo }
        Terminal.say("Next: dirtyrec fleet \(ShellWords.file(into)) --query overview")
    }

    private func take(_ progress: borrowing Mutex<Progress>) -> String? {
        progress.withLock { progress in
            guard progress.next < files.count, progress.lack == nil else { return nil }
            progress.next += 1
            return files[progress.next - 1]
        }
    }

    private func note(
        _ result: Result<FleetExport.Outcome, any Error>, of file: String, _ progress: borrowing Mutex<Progress>
    ) {
        progress.withLock { progress in
            switch result {
            case .success(.exported(_, let entries)):
                progress.exported += 1
                progress.entries += entries
            case .success(.unchanged): progress.unchanged += 1
            case .failure(let error as FleetError) where error.isHostLack: progress.lack = error
            case .failure(let error):
                progress.failed += 1
                Terminal.endLive()
                Terminal.say("dirtyrec: skipped: \(Failure.sentence(of: error))")
            }
            let done = progress.exported + progress.unchanged + progress.failed
            Terminal.live(
                "exported \(done) of \(files.count) recordings, \(Units.counted(progress.entries, "entry", "entries"))")
        }
    }
}
