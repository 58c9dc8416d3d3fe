import Analysis
import Model
import Platform

/// The sections about migrations that other tools saw.
enum TextMigration {
    /// Lines of each table that people read.
    private static let shown = 24

    /// None where nobody imported a log.
    static func sections(_ analysis: RecordingAnalysis) -> [Section] {
        guard let report = analysis.migration else { return [] }
        var attempts = Section(Tables.migrationAttempts.title)
        attempts.table(Tables.migrationAttempts.text(report.attempts.suffix(shown), analysis))
        let left = report.attemptsLeftOut + max(0, report.attempts.count - shown)
        if left > 0 { attempts.note("The last \(shown); \(Units.count(Int64(left))) more are in the table migration.") }

        var passes = Section(Tables.migrationPasses.title)
        if !report.passes.isEmpty {
            passes.table(Tables.migrationPasses.text(report.passes.prefix(shown), analysis))
            let more = report.passesLeftOut + max(0, report.passes.count - shown)
            if more > 0 {
                passes.note("The first \(shown); \(Units.count(Int64(more))) more are in the table migration.")
            }
            passes.note(Tables.migrationPasses.note)
        }
        var predictions = Section(Tables.migrationPredictions.title)
        if let first = report.predictions.first {
            predictions.table(Tables.migrationPredictions.text(analysis))
            predictions.note(
                "The replays begin where the recording does, and repeat it as long as they need"
                    + (first.assumesLimit ? "; the log tells no downtime limit: it is taken for the usual one." : "."))
        }
        return [attempts, passes, predictions]
    }
}

extension Verdict {
    /// How the last migration of the log went.
    static func migration(_ analysis: RecordingAnalysis) -> Verdict? {
        guard let seen = analysis.migration?.last, seen.outcome != .unknown else { return nil }
        var verdict = Verdict(
            question: "How did the migration go?", figure: seen.outcome.rawValue.capitalized, sentence: "",
            section: "migration")
        var parts: [String] = []
        if let total = seen.totalNs { parts.append("took \(Units.duration(total))") }
        if let bytes = seen.transferredBytes { parts.append("sent \(Units.size(bytes))") }
        if let passes = seen.passes { parts.append("made \(Units.counted(passes, "pass", "passes"))") }
        if let downtime = seen.downtimeNs { parts.append("paused the guest for \(Units.duration(downtime))") }
        let list =
            parts.count > 1 ? parts.dropLast().joined(separator: ", ") + " and " + parts[parts.count - 1] : parts.first
        verdict.sentence =
            list.map { "It \($0)\(seen.isPostCopy ? ", the end of it in post-copy" : "")." }
            ?? "Its log gives no figures."
        if seen.stalledPasses > 0 {
            verdict.sentence +=
                " \(Units.counted(seen.stalledPasses, "pass", "passes")) left no less than the one before."
        }
        switch seen.outcome {
        case .completed: verdict.tone = .good
        case .failed, .cancelled: verdict.tone = .bad
        case .running:
            verdict.figure = "Not seen to end"
            verdict.tone = .open
        case .unknown: break
        }
        return verdict
    }
}
