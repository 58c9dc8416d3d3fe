import Model
import Platform
import Recorder
import Report
import Store

/// `dirtyrec record --compare-sources`: one seeded guest under every source, and what each one cost.
struct SourceComparison {
    let record: Record
    let interruption: Interruption

    /// What is shown of each source: a name, a unit and a figure for one iteration or the whole run.
    private static let figures: [(name: String, value: @Sendable (RunningTotals) -> String)] = [
        ("iterations", { Units.count($0.iterations) }),
        ("entries", { Units.count($0.counts.entries) }),
        ("unique pages", { Units.count($0.counts.distinct) }),
        ("guest operations", { Units.count($0.guestProgress) }),
        ("kick, an iteration", { perIteration($0.kickNs, of: $0) }),
        ("pause, an iteration", { perIteration($0.pauseNs, of: $0) }),
        ("ring scan, an iteration", { perIteration($0.scanNs, of: $0) }),
        ("ring reset, an iteration", { perIteration($0.resetNs, of: $0) }),
        ("GET, an iteration", { perIteration($0.getNs, of: $0) }),
        ("CLEAR, an iteration", { perIteration($0.clearNs, of: $0) }),
        ("remote TLB flushes", { statistic($0, "remote_tlb_flush") }),
        ("page faults fixed", { statistic($0, "pf_fixed") }),
        ("fast page faults", { statistic($0, "pf_fast") }),
        ("exits", { statistic($0, "exits") }),
    ]

    private static func perIteration(_ costNs: Int64, of totals: RunningTotals) -> String {
        Units.duration(costNs / max(1, totals.iterations))
    }

    private static func statistic(_ totals: RunningTotals, _ name: String) -> String {
        Units.count(totals.statistics[name] ?? 0)
    }

    func run() throws {
        let stem =
            record.recording.output.hasSuffix(".db")
            ? String(record.recording.output.dropLast(3)) : record.recording.output
        let sources: [Source] = [.dirtyRing, .dirtyLog, .clearLog]
        let paths = sources.map { "\(stem).\($0.rawValue).db" }
        for path in paths { try RecordingWriter.checkPlace(path, options: record.writerOptions) }
        var columns: [RunningTotals] = []
        var isComplete = true
        for (source, path) in zip(sources, paths) {
            var plan = try record.plan()
            plan.source = source
            if source != .dirtyRing { plan.ringEntries = nil }
            Terminal.say("Recording \(path)")
            let (outcome, totals) = try record.record(plan, into: path, interruption)
            for loss in outcome.losses { Terminal.say("LOSS (\(loss.kind.rawValue)): \(loss.detail)") }
            isComplete = isComplete && outcome.isComplete
            columns.append(totals)
            // Runs of unequal length are no comparison.
            guard !interruption.isAsked else {
                Terminal.say(
                    "Interrupted: no comparison. Next: dirtyrec report \(paths.prefix(columns.count).map(ShellWords.file).joined(separator: " "))"
                )
                throw Failure.answerIsNo
            }
        }
        var table = TableFormatter(
            .table, columns: ["figure"] + sources.map(\.rawValue), write: Output.standard.write)
        for figure in Self.figures { table.add([.text(figure.name)] + columns.map { .text(figure.value($0)) }) }
        table.finish()
        if !isComplete { throw Failure.answerIsNo }
    }
}
