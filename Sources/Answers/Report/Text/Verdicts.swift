import Analysis
import Model
import Platform

/// One answer on the first screen: a question, a figure, a sentence, and where to read on.
struct Verdict {
    enum Tone: String { case good, bad, open, plain }
    var question: String
    var figure: String
    var sentence: String
    var section: String
    var tone = Tone.plain

    /// In the order in which people ask.
    static func all(_ analysis: RecordingAnalysis) -> [Verdict] {
        if analysis.isLogOnly { return [migration(analysis)].compactMap(\.self) }
        return [
            migration(analysis), converges(analysis), bandwidth(analysis), workingSet(analysis), duplicates(analysis),
            fidelity(analysis),
        ].compactMap(\.self)
    }

    /// What a card is about: a usual link and QEMU's default downtime.
    static let bandwidth: Int64 = 1_250_000_000
    static let downtimeNs: Int64 = 300_000_000

    private static func converges(_ analysis: RecordingAnalysis) -> Verdict? {
        guard
            let cell = analysis.convergence.grid.first(where: {
                $0.bandwidth == bandwidth && $0.downtimeNs == downtimeNs && $0.policy == .qemu
            })
        else { return nil }
        var verdict = Verdict(
            question: "Would it migrate at 10 Gbit/s and 300 ms?", figure: "", sentence: "", section: "convergence")
        verdict.answer(cell)
        return verdict
    }

    /// Figure, sentence and tone of a replay's verdict.
    mutating func answer(_ cell: ConvergenceCell) {
        let outcome = cell.outcome
        let rounds = "\(outcome.rounds.count) round\(outcome.rounds.count == 1 ? "" : "s")"
        let total = Text.bracket(outcome.totalNs, Units.duration)
        let pause = Text.bracket(outcome.downtimeNs, Units.duration)
        switch outcome.verdict {
        case .converges:
            figure = "Yes"
            sentence =
                outcome.rounds.isEmpty
                ? "The whole guest fits into the pause: it stands still for \(pause)."
                : "QEMU sends \(rounds) while the guest runs, then pauses it for \(pause). In all that takes \(total)."
            tone = .good
        case .mayConverge:
            figure = "Perhaps"
            sentence =
                "It takes \(total) with a pause of \(pause): between two harvests the recording cannot tell on which side of \(Units.duration(cell.downtimeNs)). Harvest more often to know."
            tone = .open
        case .doesNotConverge:
            figure = "No"
            sentence =
                "It never gets there: \(Sanitizer.line(outcome.reason ?? "every round leaves too much"))."
            tone = .bad
        case .exceedsDowntime:
            figure = "No"
            sentence = "The guest is paused for \(pause), longer than allowed."
            tone = .bad
        case .recordingTooShort:
            figure = "Not seen"
            sentence = "The recording ends after \(rounds), before the migration does. Record for longer."
            tone = .open
        }
    }

    private static func bandwidth(_ analysis: RecordingAnalysis) -> Verdict? {
        guard
            let least = analysis.convergence.leastBandwidth.first(where: {
                $0.downtimeNs == downtimeNs && $0.policy == .qemu
            })
        else { return nil }
        var verdict = Verdict(
            question: "How much bandwidth does 300 ms need?", figure: "None seen",
            sentence: "No bandwidth converges within this recording.", section: "convergence", tone: .open)
        if let bytes = least.bandwidth {
            verdict.figure = Units.bandwidth(Double(bytes))
            verdict.sentence = "By replay to 0.1 %."
            verdict.tone = .plain
            if let average = least.average {
                let figure = Text.bracket(average) { Units.bandwidth(Double($0)) }
                verdict.sentence =
                    "The least that converges, by replay to 0.1 %. The average footprint alone says \(figure)."
            }
        }
        return verdict
    }

    private static func workingSet(_ analysis: RecordingAnalysis) -> Verdict? {
        guard let window = analysis.secondWindow else { return nil }
        let size = analysis.info.pageSize
        return Verdict(
            question: "How large is its writable working set?", figure: Units.size(window.high.p95 * size),
            sentence: "95 % of windows of about \(Units.duration(window.tauNs)) hold no more, half of them at most "
                + "\(Units.size(window.high.p50 * size)); the largest holds \(Units.size(window.high.max * size)). Reads are unseen.",
            section: "working-set")
    }

    private static func duplicates(_ analysis: RecordingAnalysis) -> Verdict? {
        let counts = analysis.duplicates
        guard counts.entries > 0 else { return nil }
        let share = 1 - Double(counts.distinct) / Double(counts.entries)
        let classes: [(Int64, String)] = [
            (counts.crossRing, "another vCPU had reported the page"),
            (counts.redirtied, "it was re-protected and written again within the iteration"),
            (counts.sameRing, "KVM logs each write that it emulates"),
            (counts.provisional, "the write was retried after a full ring"),
            (counts.vmm, "the VMM's log repeats it"),
        ]
        var sentence = "No page was reported twice in an iteration: entries are unique pages."
        if let most = classes.max(by: { $0.0 < $1.0 }), most.0 > 0 {
            sentence =
                "\(Units.count(counts.entries - counts.distinct)) of \(Units.counted(counts.entries, "entry", "entries")) repeat a page of their iteration, "
                + "mostly because \(most.1) (\(Units.count(most.0)))."
        }
        return Verdict(
            question: "How many entries are duplicates?", figure: Units.percent(share), sentence: sentence,
            section: "vcpus")
    }

    private static func word(for ending: Fidelity.Ending) -> String {
        switch ending {
        case .clean: "Losses"
        case .cutOff: "Cut off"
        case .failed: "Broken off"
        case .inProgress: "Not ended"
        }
    }

    private static func fidelity(_ analysis: RecordingAnalysis) -> Verdict {
        let fidelity = analysis.fidelity
        let missing = fidelity.oracles.reduce(Int64(0)) { $0 &+ $1.missing }
        let figure =
            fidelity.isComplete
            ? "Nothing lost"
            : !fidelity.losses.isEmpty || missing > 0
                ? "Losses" : fidelity.ending == .clean ? "Unexplained" : Self.word(for: fidelity.ending)
        let reasons = TextFidelity.incompleteness(analysis)
        var sentence =
            reasons.isEmpty
            ? "No known loss in \(Units.counted(fidelity.iterations, "iteration", "iterations"))"
            : "Not complete: " + reasons.joined(separator: "; ")
        let agree = fidelity.oracles.allSatisfy { $0.missing == 0 && $0.unexplained == 0 }
        sentence +=
            fidelity.oracles.isEmpty ? ". No oracle checked the entries." : agree ? "; every oracle agrees." : "."
        // That a recording goes on is no fault of it.
        let onlyGoesOn = fidelity.ending == .inProgress && reasons.count == 1
        return Verdict(
            question: "Can these figures be trusted?", figure: figure, sentence: sentence, section: "fidelity",
            tone: fidelity.isComplete ? .good : onlyGoesOn ? .open : .bad)
    }
}
