import Analysis
import Model

/// The documented JSON of an analysis: `docs/json-output.md` names every key and its unit.
///
/// `format_version` rises when a key changes its meaning or goes away; new keys may come at any time.
package enum JSONReport {
    package static let formatVersion: Int64 = 1

    package static func render(_ analysis: RecordingAnalysis) -> JSON {
        [
            "format_version": JSON(formatVersion), "recording": recording(analysis.info),
            "counts": counts(analysis.counts), "rate": rate(analysis.rate),
            "foreign_rates": Tables.foreignRates.json(analysis),
            "foreign_rates_left_out": JSON(analysis.foreignRatesLeftOut),
            "duplicates": duplicates(analysis.duplicates), "working_set": JSON(analysis.workingSet, workingSet),
            "working_set_course": Tables.workingSetCourse.json(analysis),
            "footprint": Tables.footprint.json(analysis), "redirty": Tables.redirty.json(analysis),
            "redirty_never": [
                "pages": JSON(analysis.redirty.neverRedirtied), "share": JSON(analysis.redirty.neverShare),
            ],
            "granularity": Tables.granularity.json(analysis), "phases": phases(analysis),
            "rings": JSON(analysis.rings, ring), "sharing": sharing(analysis), "order": order(analysis),
            "hottest_pages": Tables.hottest.json(analysis), "hot_lists": Tables.hotLists.json(analysis),
            "costs_ns": .object(analysis.costs.steps.map { ($0.name, summary($0.summary)) }),
            "convergence": JSONConvergence.render(analysis.convergence),
            "checkpoints": Tables.checkpoints.json(analysis),
            "harvest_what_if": JSON(analysis.harvestWhatIf) {
                [
                    "ticks": JSON($0.iterations), "interval_ns": JSON($0.intervalNs), "entries": JSON($0.entries),
                    "rings": Tables.ringWhatIf.json($0.rings, analysis),
                ]
            },
            "ring_what_if": Tables.ringWhatIf.json(analysis), "kvm_statistics": Tables.statistics.json(analysis),
            "timeline": JSON(analysis.timeline, bucket), "fidelity": fidelity(analysis),
            "migration": [
                "attempts": Tables.migrationAttempts.json(analysis),
                "attempts_left_out": JSON(analysis.migration?.attemptsLeftOut ?? 0),
                "passes": Tables.migrationPasses.json(analysis),
                "passes_left_out": JSON(analysis.migration?.passesLeftOut ?? 0),
                "predictions": Tables.migrationPredictions.json(analysis),
            ],
        ]
    }

    // MARK: Sections

    static func recording(_ info: RecordingInfo) -> JSON {
        [
            "id": JSON(info.id), "tool": JSON(info.tool), "command_line": JSON(info.commandLine),
            "guest_kind": JSON(info.guestKind), "guest": JSON(info.guest),
            "seed": JSON(info.seed.map { String($0) }), "host": JSON(info.host), "kernel": JSON(info.kernel),
            "kvm_module": JSON(info.kvmModule), "cpu": JSON(info.cpu), "pml": JSON(info.pml),
            "nested": JSON(info.nested), "page_size": JSON(info.pageSize), "vcpu_count": JSON(info.vcpuCount),
            "memory_bytes": JSON(info.memoryBytes), "source": JSON(info.source), "mode": JSON(info.mode),
            "ring_entries": JSON(info.ringEntries), "interval_ns": JSON(info.intervalNs),
            "start_ns": JSON(info.startNs), "wall_offset_ns": JSON(info.wallOffsetNs), "end_ns": JSON(info.endNs),
            "end_reason": JSON(info.endReason),
            "capabilities": .object(info.capabilities.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }),
            "labels": .object(info.labels.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }),
        ]
    }

    private static func counts(_ counts: Counts) -> JSON {
        [
            "entries": JSON(counts.entries), "distinct_gfns": JSON(counts.distinctGFNs), "vcpus": JSON(counts.vcpus),
            "iterations": JSON(counts.iterations), "harvests": JSON(counts.harvests),
            "duration_ns": JSON(counts.durationNs),
        ]
    }

    private static func rate(_ rate: DirtyRate) -> JSON {
        [
            "entries_per_s": JSON(rate.entriesPerSecond), "pages_per_s": JSON(rate.pagesPerSecond),
            "bytes_per_s": JSON(rate.bytesPerSecond), "pages_per_iteration": summary(rate.pagesPerIteration),
        ]
    }

    static func summary(_ summary: Summary) -> JSON {
        [
            "count": JSON(summary.count), "sum": JSON(summary.sum), "min": JSON(summary.min), "p50": JSON(summary.p50),
            "p90": JSON(summary.p90), "p95": JSON(summary.p95), "p99": JSON(summary.p99), "max": JSON(summary.max),
            "kept_one_in": JSON(summary.keptOneIn),
        ]
    }

    static func duplicates(_ counts: DuplicateCounts) -> JSON {
        [
            "entries": JSON(counts.entries), "distinct": JSON(counts.distinct), "cross_ring": JSON(counts.crossRing),
            "redirtied": JSON(counts.redirtied), "same_ring": JSON(counts.sameRing),
            "provisional": JSON(counts.provisional), "vmm": JSON(counts.vmm),
        ]
    }

    private static func workingSet(_ window: WorkingSetWindow) -> JSON {
        func pages(_ pages: WorkingSetWindow.Pages) -> JSON {
            [
                "min": JSON(pages.min), "p50": JSON(pages.p50), "p90": JSON(pages.p90), "p95": JSON(pages.p95),
                "max": JSON(pages.max),
            ]
        }
        return [
            "tau_ns": JSON(window.tauNs), "ticks": JSON(window.iterations), "windows": JSON(window.windows),
            "exact": JSON(window.isExact), "pages": pages(window.high), "pages_low": pages(window.low),
        ]
    }

    private static func phases(_ analysis: RecordingAnalysis) -> JSON {
        let phases = analysis.phases
        return [
            "window_ticks": JSON(phases.window), "median_similarity": JSON(phases.medianSimilarity),
            "list": Tables.phases.json(analysis), "quiet_ticks": JSON(phases.quietIterations),
            "quietest": phases.quietest.map { Tables.phases.object($0, analysis) } ?? .null,
            "quiet_median_pages": JSON(phases.quietMedianPages),
        ]
    }

    private static func ring(_ ring: RingUse) -> JSON {
        [
            "vcpu": JSON(ring.vcpu), "source": JSON(ring.source), "duplicates": duplicates(ring.duplicates),
            "full_exits": JSON(ring.fullExits), "stall_ns": summary(ring.stall), "fill": summary(ring.fill),
        ]
    }

    private static func sharing(_ analysis: RecordingAnalysis) -> JSON {
        [
            "pages": JSON(analysis.sharing.pages), "truncated": JSON(analysis.sharing.isTruncated),
            "pairs": Tables.sharingPairs.json(analysis), "top_pages": Tables.sharedPages.json(analysis),
        ]
    }

    private static func order(_ analysis: RecordingAnalysis) -> JSON {
        [
            "cross_ring_confidence": JSON(analysis.order.crossRingConfidence), "host": JSON(analysis.order.host),
            "proven_share": JSON(analysis.order.provenShare), "rings": Tables.orders.json(analysis),
        ]
    }

    private static func bucket(_ bucket: TimelineBucket) -> JSON {
        [
            "first_tick": JSON(bucket.firstIteration), "ticks": JSON(bucket.iterations),
            "start_ns": JSON(bucket.startNs), "end_ns": JSON(bucket.endNs), "new_pages": JSON(bucket.newPages),
            "duplicates": duplicates(bucket.duplicates),
        ]
    }

    private static func fidelity(_ analysis: RecordingAnalysis) -> JSON {
        let fidelity = analysis.fidelity
        return [
            "iterations": JSON(fidelity.iterations), "lost": JSON(fidelity.lost),
            "losses_of_unknown_extent": JSON(fidelity.lossesOfUnknownExtent), "overruns": JSON(fidelity.overruns),
            "short_resets": JSON(fidelity.shortResets), "provisional": JSON(fidelity.provisional),
            "complete": JSON(fidelity.isComplete), "cut_off": JSON(fidelity.wasCutOff),
            "in_progress": JSON(fidelity.ending == .inProgress), "tick_ns": summary(fidelity.iteration),
            "asked_interval_ns": JSON(fidelity.askedIntervalNs),
            "ticks_per_boundary": JSON(fidelity.iterationsPerBoundary),
            "order_confidence": JSON(fidelity.orderConfidence), "entry_time": JSON(fidelity.entryTime),
            "most_late": JSON(fidelity.entryTime.mostLate), "paused_share": JSON(fidelity.pausedShare),
            "has_vcpus": JSON(fidelity.hasVCPUs), "large_entries": JSON(fidelity.largeEntries),
            "most_entry_pages": JSON(fidelity.mostEntryPages), "losses": Tables.losses.json(analysis),
            "oracles": Tables.oracles.json(analysis),
        ]
    }
}
