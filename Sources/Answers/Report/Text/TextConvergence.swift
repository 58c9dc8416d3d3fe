import Analysis
import Model

/// The text of a convergence report: a section of `dirtyrec report`, and all that `dirtyrec converge` prints.
package enum TextConvergence {
    package static func render(_ report: ConvergenceReport) -> String {
        var sections = [section(report), streams(report), leasts(report), postCopy(report), blocking(report)]
        sections.insert(starts(report), at: 2)
        sections.insert(throttles(report), at: 3)
        return sections.filter { !$0.lines.isEmpty }.map(\.text).joined(separator: "\n")
    }

    static func section(_ report: ConvergenceReport) -> Section {
        var section = Section("Convergence: pre-copy migration replayed over the recording")
        guard !report.grid.isEmpty else { return section }
        tables(
            &section, report, ["verdict", "total", "sent", "downtime", "rounds", "λ"], right: [1, 2, 3, 4, 5]
        ) { cell in
            let outcome = cell.outcome
            return [
                [
                    verdict(outcome.verdict), Text.bracket(outcome.totalNs, Units.duration),
                    Text.bracket(outcome.bytes, Units.size), Text.bracket(outcome.downtimeNs, Units.duration),
                    "\(outcome.rounds.count)",
                    (cell.modelDiffers ? "≠ " : "") + Units.fixed(cell.lambda.lambda, decimals: 2),
                ]
            ]
        }
        section.note(
            "λ: dirty rate / bandwidth. The average-rate model diverges from 1 on; ≠ where the replay differs.")
        if report.losses > 0 {
            section.note(
                "Entries were lost (\(Units.counted(report.losses, "loss", "losses"))): a real migration may have more to send than this."
            )
        }
        section.note(
            "First round: \(Units.counted(report.memoryPages, "page", "pages")), \(basis(report.memoryBasis)).")
        for reason in Set(report.grid.compactMap(\.outcome.reason)).sorted() {
            section.note("Does not converge: \(reason).")
        }
        switch report.extend {
        case .none:
            if report.grid.contains(where: { $0.outcome.verdict == .recordingTooShort }) {
                section.note("Trace too short: the migration was still going on at its end; --extend continues it.")
            }
        case .loop: section.note("Extended: beyond its end the recording is repeated. This is an assumption.")
        case .steady:
            section.note("Extended: beyond its end, between the fewest and most pages of any recorded window as long.")
        }
        if report.iterationsPerBoundary > 1 {
            section.note("Long recording: exact on every \(report.iterationsPerBoundary)th tick, brackets between.")
        }
        return section
    }

    private static func streams(_ report: ConvergenceReport) -> Section {
        var section = Section("QEMU's stream: an estimate of what QEMU would report")
        guard !report.streams.isEmpty else { return section }
        let starts = report.streams.map(\.starts).max() ?? 1
        var table = Columns(
            ["max-bandwidth", "downtime-limit", "verdict", "total", "sent", "downtime", "syncs", "last dirty pages"]
                + (report.autoConverge == nil ? [] : ["throttle"])
                + (starts > 1 ? ["converging", "total by start"] : []),
            right: [0, 1, 3, 4, 5, 6, 8])
        for stream in report.streams {
            let range = stream.totalRangeNs.map { Units.duration($0.lowerBound) + ".." + Units.duration($0.upperBound) }
            table.add(
                [
                    Units.bandwidth(Double(stream.bandwidth)), Units.duration(stream.downtimeNs),
                    verdict(stream.verdict),
                    Units.duration(stream.totalNs), Units.size(stream.bytes),
                    stream.downtimeNsActual.map(Units.duration) ?? "-", "\(stream.syncs)",
                    stream.dirtyPages.suffix(4).map(Units.count).joined(separator: " "),
                ] + (report.autoConverge == nil ? [] : ["\(stream.throttle) %"])
                    + (starts > 1 ? ["\(stream.converging) of \(stream.starts)", range ?? "-"] : []))
        }
        section.table(table)
        let reasons = report.streams.compactMap { stream in
            stream.reason.map { reason in
                switch stream.verdict {
                case .doesNotConverge: "Does not converge: \(reason)."
                case .mayConverge: "May converge: \(reason)."
                default: "Converges, where the replay in rounds does not: \(reason)."
                }
            }
        }
        for reason in Set(reasons).sorted().prefix(8) { section.note(reason) }
        if report.streams.contains(where: { ($0.downtimeNsActual ?? 0) > $0.downtimeNs && $0.isPausedAtOnce }) {
            section.note(
                "Paused for longer than the limit: everything was sent within QEMU's first 100 ms, when it knows no bandwidth yet and "
                    + "asks for no limit.")
        }
        if starts > 1 {
            section.note(
                "Replayed from \(starts) places of the recording; the row is the start with the median total of those that converge."
            )
        }
        if let iteration = report.unknownTimesNs, report.streams.contains(where: { iteration > $0.downtimeNs }) {
            section.note(
                "Iterations of \(Units.duration(iteration)) without exact times: their writes are spread evenly, so passes shorter than "
                    + "that are guesses. Record with a shorter --interval.")
        }
        if let shift = report.log.clearShift {
            section.note(
                "With bitmaps: pages are protected again 2^\(shift) at a time, when the first of them is sent; what is written to a page that waits before goes with it."
            )
        }
        section.note(
            report.zeroPages.map { "Of the pages, \(Units.count($0)) hold zeros and cost 9 bytes each." }
                ?? "No page is taken to hold zeros, for the recording does not say how many do: --zero-pages.")
        return section
    }

    private static func verdict(_ verdict: ConvergenceVerdict) -> String {
        switch verdict {
        case .converges: "converges"
        case .mayConverge: "may converge"
        case .doesNotConverge: "does not converge"
        case .exceedsDowntime: "exceeds downtime"
        case .recordingTooShort: "trace too short"
        }
    }

    /// One table a policy, so that lines stay short: for each cell the rows that `rows` makes of it.
    private static func tables(
        _ section: inout Section, _ report: ConvergenceReport, _ header: [String], right: Set<Int>,
        rows: (ConvergenceCell) -> [[String]]
    ) {
        for policy in MigrationPolicy.allCases {
            var table = Columns(["bandwidth", "limit"] + header, right: Set([0, 1] + right.map { $0 + 2 }))
            let all = report.grid.filter { $0.policy == policy }.flatMap { cell in
                rows(cell).enumerated().map { place, row in
                    (place == 0
                        ? [Units.bandwidth(Double(cell.bandwidth)), Units.duration(cell.downtimeNs)] : ["", ""]) + row
                }
            }
            guard !all.isEmpty else { continue }
            section.field("policy", policy.rawValue)
            for row in all { table.add(row) }
            section.table(table)
        }
    }

    static func basis(_ basis: ConvergenceReport.MemoryBasis) -> String {
        switch basis {
        case .slots: "all logged slots"
        case .memorySize: "the recorded memory size, for no slots are named"
        case .dirtyPages: "only the pages seen dirty, for the recording names no memory size"
        }
    }

    private static func starts(_ report: ConvergenceReport) -> Section {
        var section = Section("Start times")
        guard report.grid.contains(where: { $0.starts != nil }) else { return section }
        tables(&section, report, ["converging", "", "total", "start"], right: [0, 2, 3]) { cell in
            guard let starts = cell.starts else { return [] }
            return [
                (
                    "\(Units.count(Int64(starts.converging))) of \(Units.count(Int64(starts.count)))", "best",
                    starts.best
                ),
                ("", "median", starts.median), ("", "worst", starts.worst),
            ].map { [$0, $1, Text.bracket($2.totalNs, Units.duration), Units.duration($2.startNs)] }
        }
        return section
    }

    private static func throttles(_ report: ConvergenceReport) -> Section {
        var section = Section("Least throttle that converges")
        guard report.grid.contains(where: { $0.throttle != nil }) else { return section }
        tables(
            &section, report, ["auto-converge", "QEMU step", "dirty limit per vCPU", "limits vCPU"], right: [0, 1, 2]
        ) { cell in
            guard let throttle = cell.throttle else { return [] }
            let vcpus = throttle.limitedVCPUs.prefix(6).map { "\($0)" }.joined(separator: ", ")
            return [
                [
                    throttle.percent.map { "\($0) %" } ?? "none seen", throttle.qemuStep.map { "\($0) %" } ?? "-",
                    throttle.dirtyLimit.map { Units.dataRate(Double($0)) } ?? "-",
                    vcpus + (throttle.limitedVCPUs.count > 6 ? ", …" : ""),
                ]
            ]
        }
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
                    + ", on average "
                    + (least.averageNs.map { Text.bracket($0, Units.duration) } ?? "none in the recording"))
        }
        return section
    }

    private static func postCopy(_ report: ConvergenceReport) -> Section {
        var section = Section(Tables.postCopy.title)
        guard !report.postCopy.isEmpty else { return section }
        section.table(Tables.postCopy.text(report))
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
                + "\(Units.counted(blocking.pages, "page was", "pages were")) dirtied in every one of the last \(blocking.windows) rounds."
        )
        if !blocking.ranges.isEmpty {
            section.field(
                "pages",
                blocking.ranges.prefix(4).map { "\(Text.hex($0.firstGFN)) + \(Units.count($0.pages))" }
                    .joined(separator: ", ") + (blocking.ranges.count > 4 ? ", …" : ""))
            section.field(
                "vCPUs",
                blocking.culprits.prefix(4).map { culprit in
                    "\(culprit.vcpu.map { "\($0)" } ?? "unknown"): \(Units.counted(culprit.pages, "page", "pages"))"
                }.joined(separator: ", ") + (blocking.culprits.count > 4 ? ", …" : ""))
        }
        return section
    }
}
