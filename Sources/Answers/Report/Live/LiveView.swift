import Analysis
import Model
import Platform

/// What `dirtyrec top` shows of a recording at one moment.
package struct LiveView: Sendable {
    /// How far the recording is.
    package enum State: Sendable, Equatable {
        case recording
        /// It ended, and why.
        case ended(EndReason)
        /// Whoever recorded it was killed.
        case cutOff

        package var word: String {
            switch self {
            case .recording: "recording"
            case .ended(let reason): "ended: " + reason.rawValue.replacing("_", with: " ")
            case .cutOff: "cut off"
            }
        }
    }

    package var info: RecordingInfo
    package var state: State
    /// Since the recording began.
    package var totals: RunningTotals
    /// Of the last stretch; nil before the first iteration.
    package var recent: RecentAnalysis?
    /// Whether it would migrate with ``bandwidth`` and ``downtimeNs``.
    package var migration: RecentMigration?
    /// Bytes per second.
    package var bandwidth: Int64
    package var downtimeNs: Int64

    package init(
        info: RecordingInfo, state: State, totals: RunningTotals, recent: RecentAnalysis?, bandwidth: Int64,
        downtimeNs: Int64
    ) throws {
        (self.info, self.state, self.totals, self.recent) = (info, state, totals, recent)
        (self.bandwidth, self.downtimeNs) = (bandwidth, downtimeNs)
        migration = try recent?.migration(bandwidth: bandwidth, downtimeNs: downtimeNs)
    }

    /// The same for another link and limit.
    package mutating func assume(bandwidth: Int64, downtimeNs: Int64) throws {
        (self.bandwidth, self.downtimeNs) = (bandwidth, downtimeNs)
        migration = try recent?.migration(bandwidth: bandwidth, downtimeNs: downtimeNs)
    }

    var guest: String { Sanitizer.line(info.guest.isEmpty ? info.guestKind : info.guest) }
    /// Where entries come from, and how.
    var mode: String {
        info.source.rawValue + (info.source == .tracefs || info.source == .imported ? "" : ", " + info.mode.rawValue)
            + (info.labels[WayIn.key].map { " (\(Sanitizer.line($0)))" } ?? "")
    }
    var duplicateShare: Double {
        totals.counts.entries > 0
            ? Double(totals.counts.entries - totals.counts.distinct) / Double(totals.counts.entries) : 0
    }
    var lossRows: Int64 { totals.losses.values.reduce(0, +) }
    var link: String { Units.bandwidth(Double(bandwidth)) }

    /// What is lost, most first, as in `3 trace_overrun`; nil when nothing is.
    var losses: String? {
        guard lossRows > 0 else { return nil }
        let kinds = totals.losses.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
            .map { "\(Units.count($0.value)) \($0.key.rawValue)" }.joined(separator: ", ")
        return kinds + (totals.lostEntries > 0 ? "; \(Units.counted(totals.lostEntries, "entry", "entries")) lost" : "")
    }

    /// A question, a figure and a sentence; nil where there is nothing to replay.
    var verdict: Verdict? {
        guard let migration else { return nil }
        var verdict = Verdict(
            question: "Would it migrate now at \(link) and \(Units.duration(downtimeNs))?", figure: "", sentence: "",
            section: "")
        verdict.answer(migration.cell)
        if migration.cell.outcome.verdict == .recordingTooShort {
            verdict.sentence = "Not seen within 1,000 times the last \(Units.duration(recent?.durationNs ?? 0))."
        } else if migration.isRepeated {
            verdict.sentence += " If it goes on as in the last \(Units.duration(recent?.durationNs ?? 0))."
        }
        return verdict
    }

    /// The recording in one line, for logs.
    package var line: String {
        var parts = [Units.duration(totals.durationNs)]
        parts.append("\(Units.counted(totals.iterations, "iteration", "iterations"))")
        let rate = recent?.now
        parts.append("unique " + (rate?.pagesPerSecond.map(Units.rate) ?? "-"))
        parts.append(rate?.bytesPerSecond.map(Units.dataRate) ?? "-")
        for row in recent?.workingSet ?? [] {
            parts.append("wws \(Units.duration(row.window.tauNs)) \(Units.size(row.now * info.pageSize))")
        }
        parts.append("\(Units.counted(totals.pages, "page", "pages")) in all")
        parts.append("duplicates \(Units.percent(duplicateShare))")
        let stalled = recent?.vcpus.map(\.stallShare).max() ?? 0
        if stalled > 0 { parts.append("stands still \(Units.percent(stalled))") }
        if let verdict { parts.append("\(link) \(Units.duration(downtimeNs)): \(verdict.figure)") }
        parts.append(losses.map { "LOST " + $0 } ?? "nothing lost")
        if state != .recording { parts.append(state.word) }
        return Sanitizer.line(parts.joined(separator: "  "))
    }

    /// The recording as one object; docs/top.md has its keys.
    package var json: JSON {
        let counts = totals.counts
        let perSecond = totals.durationNs > 0 ? 1e9 / Double(totals.durationNs) : nil
        var members: [(String, JSON)] = [
            ("recording", JSON(info.id)), ("guest", JSON(info.guest.isEmpty ? info.guestKind : info.guest)),
            ("source", JSON(info.source)), ("mode", JSON(info.mode)), ("state", JSON(state.word)),
        ]
        members += [
            ("duration_ns", JSON(totals.durationNs)), ("iterations", JSON(totals.iterations)),
            ("entries", JSON(counts.entries)), ("unique", JSON(counts.distinct)), ("pages", JSON(totals.pages)),
            ("page_size", JSON(info.pageSize)),
        ]
        let duplicates: JSON = [
            "cross_ring": JSON(counts.crossRing), "redirtied": JSON(counts.redirtied),
            "same_ring": JSON(counts.sameRing), "provisional": JSON(counts.provisional), "vmm": JSON(counts.vmm),
        ]
        let losses = totals.losses.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { ($0.key.rawValue, JSON($0.value)) }
        members += [
            ("duplicates", duplicates), ("losses", .object(losses)), ("lost_entries", JSON(totals.lostEntries)),
            (
                "average",
                Self.rate(
                    entries: perSecond.map { Double(counts.entries) * $0 }, pages: totals.pagesPerSecond,
                    bytes: totals.pagesPerSecond.map { $0 * Double(info.pageSize) })
            ),
            (
                "now",
                Self.rate(
                    entries: recent?.now.entriesPerSecond, pages: recent?.now.pagesPerSecond,
                    bytes: recent?.now.bytesPerSecond)
            ),
        ]
        members += [
            ("stretch_ns", JSON(recent?.durationNs ?? 0)), ("working_set", JSON(recent?.workingSet ?? [], Self.window)),
            ("vcpus", JSON(totals.vcpus.indices, vcpu)),
            ("regions", JSON((recent?.regions(by: .rate) ?? []).prefix(8), region)),
            ("migration", migration.map(migrated) ?? .null),
        ]
        return .object(members)
    }

    private static func window(_ row: RecentWorkingSet) -> JSON {
        let pages = row.window.high
        return [
            "tau_ns": JSON(row.window.tauNs), "ticks": JSON(row.window.iterations), "now": JSON(row.now),
            "p50": JSON(pages.p50), "p95": JSON(pages.p95), "max": JSON(pages.max),
        ]
    }

    private func vcpu(_ number: Int) -> JSON {
        let now = recent?.vcpus.first { $0.vcpu == number }
        let sums = totals.vcpus[number]
        return [
            "vcpu": JSON(number), "entries": JSON(sums.entries), "ring_full": JSON(sums.ringFull),
            "stall_ns": JSON(sums.stallNs), "entries_per_s": JSON(now?.entriesPerSecond),
            "stall_share": JSON(now?.stallShare),
        ]
    }

    private func region(_ region: HotRegion) -> JSON {
        [
            "address": JSON(region.firstGFN &* GFN(info.pageSize)), "pages": JSON(region.pages),
            "unique": JSON(region.reports), "pages_per_s": JSON(recent?.pagesPerSecond(of: region)),
        ]
    }

    private func migrated(_ migration: RecentMigration) -> JSON {
        let outcome = migration.cell.outcome
        return [
            "bandwidth_bytes_per_s": JSON(bandwidth), "downtime_ns": JSON(downtimeNs),
            "verdict": JSON(outcome.verdict), "repeated": JSON(migration.isRepeated),
            "rounds": JSON(outcome.rounds.count), "total_ns": JSON(outcome.totalNs?.high),
            "total_ns_low": JSON(outcome.totalNs?.low), "downtime_actual_ns": JSON(outcome.downtimeNs?.high),
            "downtime_actual_ns_low": JSON(outcome.downtimeNs?.low),
            "least_bandwidth_bytes_per_s": JSON(migration.least?.bandwidth),
        ]
    }

    private static func rate(entries: Double?, pages: Double?, bytes: Double?) -> JSON {
        ["entries_per_s": JSON(entries), "pages_per_s": JSON(pages), "bytes_per_s": JSON(bytes)]
    }
}
