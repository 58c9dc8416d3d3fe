import Analysis
import Model
import Schemas

/// The convergence grid as a heat table, and one cell's rounds with the statement that counts them anew.
enum ConvergenceView {
    /// Rounds of a cell that the page holds: the first ones tell the story, thousands more would not.
    static let maxRounds = 40
    private static let marker = "(VALUES (1, 0, 0, 0, 0))"

    /// The statement, with `ROUNDS` in the place of the rounds.
    static var template: String {
        (Schemas.charts["convergence"]?.sql ?? "").replacing(marker, with: "(VALUES ROUNDS)")
    }

    /// The statement for the rounds of one cell that leave something known; nil when there is none.
    static func sql(_ outcome: ReplayOutcome) -> String? {
        let rounds = shown(outcome).filter { $0.round.dirtyPages?.high != nil }
        guard !rounds.isEmpty else { return nil }
        let values = rounds.compactMap { number, round -> String? in
            guard let startHigh = round.startNs.high, let lastsHigh = round.durationNs.high else { return nil }
            return
                "(\(number), \(outcome.startNs + round.startNs.low), \(outcome.startNs + startHigh), \(round.durationNs.low), \(lastsHigh))"
        }
        return template.replacing("ROUNDS", with: values.joined(separator: ", "))
    }

    static func shown(_ outcome: ReplayOutcome) -> [(number: Int, round: ReplayRound)] {
        outcome.rounds.prefix(maxRounds).enumerated().map { ($0 + 1, $1) }
    }

    /// One cell for the page's script.
    static func cell(_ cell: ConvergenceCell, of report: ConvergenceReport) -> JSON {
        let (outcome, table) = (cell.outcome, Tables.rounds)
        return [
            "bandwidth": JSON(cell.bandwidth), "downtime_ns": JSON(cell.downtimeNs), "verdict": JSON(outcome.verdict),
            "start_ns": JSON(outcome.startNs), "count": JSON(outcome.rounds.count), "title": JSON(title(cell)),
            "sentence": JSON(sentence(cell)),
            "rounds": JSON(shown(outcome)) { _, round in table.pairs(round, report) },
        ]
    }

    static func title(_ cell: ConvergenceCell) -> String {
        "\(Units.bandwidth(Double(cell.bandwidth))), \(Units.duration(cell.downtimeNs))"
    }

    static func word(_ verdict: ConvergenceVerdict) -> String {
        switch verdict {
        case .converges: "yes"
        case .mayConverge: "perhaps"
        case .doesNotConverge: "no"
        case .exceedsDowntime: "too long"
        case .recordingTooShort: "not seen"
        }
    }

    /// A bracket in few words: the figure, at most its high end, or at least its low one.
    private static func atMost(_ bracket: Bracket) -> String {
        guard let high = bracket.high else { return "≥ " + Units.duration(bracket.low) }
        return (bracket.low == high ? "" : "≤ ") + Units.duration(high)
    }

    static func sentence(_ cell: ConvergenceCell) -> String {
        let outcome = cell.outcome
        var text = ""
        switch outcome.verdict {
        case .converges, .mayConverge, .exceedsDowntime:
            text =
                "\(outcome.verdict == .converges ? "Converges" : outcome.verdict == .mayConverge ? "May converge" : "Pauses for too long") "
                + "after \(outcome.rounds.count) round\(outcome.rounds.count == 1 ? "" : "s"): "
                + "\(Text.bracket(outcome.totalNs, Units.duration)) in all, "
                + "\(Text.bracket(outcome.bytes, Units.size)) sent, guest paused for \(Text.bracket(outcome.downtimeNs, Units.duration))."
        case .doesNotConverge: text = "Does not converge: \(outcome.reason ?? "every round leaves too much")."
        case .recordingTooShort:
            text = "The recording ends in round \(outcome.rounds.count), before the migration does."
        }
        if let throttle = cell.throttle?.percent {
            text += " Keeping the guest from running \(throttle) % of the time would make it converge."
        }
        if cell.modelDiffers {
            text +=
                " The average-rate model (λ = \(Units.fixed(cell.lambda.lambda, decimals: 2))) says the opposite: it forgets that the same pages are dirtied again."
        }
        return text
    }

    /// The grid, bandwidth by bandwidth, for the template.
    static func table(_ report: ConvergenceReport) -> (heads: [String], rows: [[String: Any]]) {
        let cells = report.grid.filter { $0.policy == .qemu }
        var heads: [String] = []
        var rows: [[String: Any]] = []
        for (place, cell) in cells.enumerated() {
            let head = Units.duration(cell.downtimeNs)
            if !heads.contains(head) { heads.append(head) }
            let view: [String: Any] = [
                "place": place, "verdict": cell.outcome.verdict.rawValue, "word": word(cell.outcome.verdict),
                "detail": cell.outcome.totalNs.map(atMost) ?? "",
                "isChosen": cell.bandwidth == Verdict.bandwidth && cell.downtimeNs == Verdict.downtimeNs,
                "title": "\(title(cell)): \(sentence(cell))",
            ]
            let name = Units.bandwidth(Double(cell.bandwidth))
            if let last = rows.last, last["name"] as? String == name {
                rows[rows.count - 1]["cells"] = (last["cells"] as? [[String: Any]] ?? []) + [view]
            } else {
                rows.append(["name": name, "cells": [view]])
            }
        }
        return (heads, rows)
    }
}
