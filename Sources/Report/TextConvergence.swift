import Analysis
import TraceModel

/// The text of a convergence report: a section of `dirtyrec report`, and all that `dirtyrec converge` prints.
public enum TextConvergence {
    /// What `dirtyrec converge` prints, ending with a newline.
    public static func render(_ report: ConvergenceReport) -> String {
        var sections = [section(report), leasts(report), postCopy(report), blocking(report)]
        sections.insert(starts(report), at: 1)
        sections.insert(throttles(report), at: 2)
        return sections.filter { !$0.lines.isEmpty }.map(\.text).joined(separator: "\n")
    }

    static func section(_ report: ConvergenceReport) -> Section {
        var section = Section("Convergence: pre-copy migration replayed over the recording")
        guard !report.grid.isEmpty else { return section }
        var table = Columns(
            ["policy", "bandwidth", "downtime ≤", "verdict", "total", "sent", "downtime", "rounds", "average model"],
            right: [1, 2, 4, 5, 6, 7])
        for cell in report.grid {
            let outcome = cell.outcome
            table.add([
                cell.policy.rawValue, Units.bandwidth(Double(cell.bandwidth)), Units.duration(cell.downtimeNs),
                verdict(outcome.verdict), Text.bracket(outcome.totalNs, Units.duration),
                Text.bracket(outcome.bytes, Units.size), Text.bracket(outcome.downtimeNs, Units.duration),
                "\(outcome.rounds.count)", model(cell),
            ])
        }
        section.table(table)
        section.note("First round: \(Units.count(report.memoryPages)) pages, \(basis(report.memoryBasis)).")
        for reason in Set(report.grid.compactMap(\.outcome.reason)).sorted() {
            section.note("Does not converge: \(reason).")
        }
        switch report.extend {
        case .none:
            if report.grid.contains(where: { $0.outcome.verdict == .traceTooShort }) {
                section.note("Trace too short: the migration was still going on at its end; --extend continues it.")
            }
        case .loop: section.note("Extended: beyond its end the recording is repeated. This is an assumption.")
        case .steady:
            section.note("Extended: beyond its end, between the fewest and most pages of any recorded window as long.")
        }
        if report.ticksPerBoundary > 1 {
            section.note("Long recording: exact on every \(report.ticksPerBoundary)th tick, brackets between.")
        }
        return section
    }

    private static func verdict(_ verdict: ConvergenceVerdict) -> String {
        switch verdict {
        case .converges: "converges"
        case .mayConverge: "may converge"
        case .doesNotConverge: "does not converge"
        case .exceedsDowntime: "exceeds downtime"
        case .traceTooShort: "trace too short"
        }
    }

    private static func model(_ cell: ConvergenceCell) -> String {
        let lambda = "λ = " + Units.fixed(cell.lambda.lambda, decimals: 2)
        return lambda + (cell.lambda.converges ? ", converges" : ", diverges")
    }

    private static func basis(_ basis: ConvergenceReport.MemoryBasis) -> String {
        switch basis {
        case .slots: "all logged slots"
        case .memorySize: "the recorded memory size, for no slots are named"
        case .dirtyPages: "only the pages seen dirty, for the recording names no memory size"
        }
    }

    private static func starts(_ report: ConvergenceReport) -> Section {
        var section = Section("Start times")
        var table = Columns(
            ["policy", "bandwidth", "downtime ≤", "converging", "best", "median", "worst"], right: Set(1...6))
        for cell in report.grid {
            guard let starts = cell.starts else { return section }
            func point(_ point: StartSpread.Point) -> String {
                "\(Text.bracket(point.totalNs, Units.duration)) at \(Units.duration(point.startNs))"
            }
            table.add([
                cell.policy.rawValue, Units.bandwidth(Double(cell.bandwidth)), Units.duration(cell.downtimeNs),
                "\(starts.converging) of \(starts.count)", point(starts.best), point(starts.median),
                point(starts.worst),
            ])
        }
        if !report.grid.isEmpty { section.table(table) }
        return section
    }

    private static func throttles(_ report: ConvergenceReport) -> Section {
        var section = Section("Least throttle that converges")
        let cells = report.grid.filter { $0.throttle != nil }
        guard !cells.isEmpty else { return section }
        var table = Columns(
            ["policy", "bandwidth", "downtime ≤", "auto-converge", "QEMU step", "dirty limit per vCPU", "limits vCPU"],
            right: Set(1...5))
        for cell in cells {
            guard let throttle = cell.throttle else { continue }
            let vcpus = throttle.limitedVCPUs.prefix(8).map { "\($0)" }.joined(separator: ", ")
            table.add([
                cell.policy.rawValue, Units.bandwidth(Double(cell.bandwidth)), Units.duration(cell.downtimeNs),
                throttle.percent.map { "\($0) %" } ?? "none seen", throttle.qemuStep.map { "\($0) %" } ?? "-",
                throttle.dirtyLimit.map { Units.dataRate(Double($0)) } ?? "-",
                vcpus + (throttle.limitedVCPUs.count > 8 ? ", …" : ""),
            ])
        }
        section.table(table)
        section.note("Auto-converge assumes that dirtying scales with the time that the guest runs.")
        return section
    }

    private static func leasts(_ report: ConvergenceReport) -> Section {
        var section = Section("Least bandwidth and least downtime")
        for least in report.leastBandwidth {
            section.note(
                "\(least.policy.rawValue), downtime ≤ \(Units.duration(least.downtimeNs)): "
                    + (least.bandwidth.map { Units.bandwidth(Double($0)) } ?? "no bandwidth up to 8 Tbit/s converges")
                    + ", on average " + Text.bracket(least.average) { Units.bandwidth(Double($0)) })
        }
        for least in report.leastDowntime {
            section.note(
                "\(Units.bandwidth(Double(least.bandwidth))): downtime "
                    + Text.bracket(least.downtimeNs, Units.duration)
                    + ", on average " + (least.averageNs.map(Units.duration) ?? "none in the recording"))
        }
        return section
    }

    private static func postCopy(_ report: ConvergenceReport) -> Section {
        var section = Section("Post-copy: bounds on faults after the switch")
        guard !report.postCopy.isEmpty else { return section }
        var table = Columns(
            ["bandwidth", "pre-copy rounds", "pages to send", "written meanwhile", "sending takes"], right: Set(0...4))
        for bounds in report.postCopy {
            table.add([
                Units.bandwidth(Double(bounds.bandwidth)), "\(bounds.precopyRounds)",
                Text.bracket(bounds.pendingPages, Units.count), Text.bracket(bounds.writtenPages, Units.count),
                Text.bracket(bounds.sendingNs, Units.duration),
            ])
        }
        section.table(table)
        section.note(
            "Written meanwhile: faults by writes if nothing were pushed in the background. Reads are unseen and add to it."
        )
        return section
    }

    private static func blocking(_ report: ConvergenceReport) -> Section {
        var section = Section("What blocks convergence")
        guard let blocking = report.blocking else { return section }
        section.note(
            "At \(Units.bandwidth(Double(blocking.bandwidth))) and \(Units.duration(blocking.downtimeNs)), "
                + "\(Units.count(blocking.pages)) pages were dirtied in every one of the last \(blocking.windows) rounds."
        )
        if !blocking.ranges.isEmpty {
            section.field(
                "pages",
                blocking.ranges.prefix(4).map { "\(Text.hex($0.firstGFN)) + \(Units.count($0.pages))" }
                    .joined(separator: ", ") + (blocking.ranges.count > 4 ? ", …" : ""))
            section.field(
                "vCPUs",
                blocking.culprits.prefix(8).map { culprit in
                    "\(culprit.vcpu.map { "\($0)" } ?? "unknown"): \(Units.count(culprit.pages)) pages"
                }.joined(separator: ", "))
        }
        return section
    }
}
