import Analysis
import Model

/// The documented JSON of an analysis: `docs/json-output.md` names every key and its unit.
///
/// `format_version` rises when a key changes its meaning or goes away; new keys may come at any time.
package enum JSONReport {
    package static let formatVersion: Int64 = 1

    package static func render(_ analysis: RecordingAnalysis) -> JSON {
        .object([
            ("format_version", .integer(formatVersion)),
            ("recording", recording(analysis.info)),
            (
                "counts",
                .object([
                    ("entries", .integer(analysis.counts.entries)),
                    ("distinct_gfns", .integer(analysis.counts.distinctGFNs)),
                    ("vcpus", .integer(analysis.counts.vcpus)),
                    ("iterations", .integer(analysis.counts.iterations)),
                    ("harvests", .integer(analysis.counts.harvests)),
                    ("duration_ns", .integer(analysis.counts.durationNs)),
                ])
            ),
            (
                "rate",
                .object([
                    ("entries_per_s", .number(analysis.rate.entriesPerSecond)),
                    ("pages_per_s", .number(analysis.rate.pagesPerSecond)),
                    ("bytes_per_s", .number(analysis.rate.bytesPerSecond)),
                    ("pages_per_iteration", summary(analysis.rate.pagesPerIteration)),
                ])
            ),
            ("foreign_rates", Tables.foreignRates.json(analysis)),
            ("foreign_rates_left_out", .integer(Int64(analysis.foreignRatesLeftOut))),
            ("duplicates", duplicates(analysis.duplicates)),
            ("working_set", .array(analysis.workingSet.map(workingSet))),
            ("working_set_course", Tables.workingSetCourse.json(analysis)),
            ("footprint", Tables.footprint.json(analysis)),
            ("redirty", Tables.redirty.json(analysis)),
            (
                "redirty_never",
                .object([
                    ("pages", .integer(analysis.redirty.neverRedirtied)),
                    ("share", .number(analysis.redirty.neverShare)),
                ])
            ),
            ("granularity", Tables.granularity.json(analysis)),
            ("phases", phases(analysis)),
            ("rings", .array(analysis.rings.map(ring))),
            ("sharing", sharing(analysis)),
            ("order", order(analysis)),
            ("hottest_pages", Tables.hottest.json(analysis)),
            ("hot_lists", Tables.hotLists.json(analysis)),
            ("costs_ns", .object(analysis.costs.steps.map { ($0.name, summary($0.summary)) })),
            ("convergence", JSONConvergence.render(analysis.convergence)),
            ("checkpoints", Tables.checkpoints.json(analysis)),
            (
                "harvest_what_if",
                .array(
                    analysis.harvestWhatIf.map {
                        .object([
                            ("ticks", .integer($0.iterations)), ("interval_ns", .integer($0.intervalNs)),
                            ("entries", .integer($0.entries)), ("rings", Tables.ringWhatIf.json($0.rings, analysis)),
                        ])
                    })
            ),
            ("ring_what_if", Tables.ringWhatIf.json(analysis)),
            ("kvm_statistics", Tables.statistics.json(analysis)),
            ("timeline", .array(analysis.timeline.map(bucket))),
            ("fidelity", fidelity(analysis)),
        ])
    }

    // MARK: Sections

    static func recording(_ info: RecordingInfo) -> JSON {
        .object([
            ("id", .string(info.id)), ("tool", .string(info.tool)), ("command_line", .string(info.commandLine)),
            ("guest_kind", .string(info.guestKind)), ("guest", .string(info.guest)),
            ("seed", .string(info.seed.map { String($0) })), ("host", .string(info.host)),
            ("kernel", .string(info.kernel)), ("kvm_module", .string(info.kvmModule)), ("cpu", .string(info.cpu)),
            ("pml", info.pml.map { .bool($0) } ?? .null), ("nested", info.nested.map { .bool($0) } ?? .null),
            ("page_size", .integer(info.pageSize)), ("vcpu_count", .integer(Int64(info.vcpuCount))),
            ("memory_bytes", .integer(info.memoryBytes)), ("source", .string(info.source.rawValue)),
            ("mode", .string(info.mode.rawValue)), ("ring_entries", .integer(info.ringEntries.map { Int64($0) })),
            ("interval_ns", .integer(info.intervalNs)), ("start_ns", .integer(info.startNs)),
            ("wall_offset_ns", .integer(info.wallOffsetNs)), ("end_ns", .integer(info.endNs)),
            ("end_reason", .string(info.endReason?.rawValue)),
            (
                "capabilities",
                .object(info.capabilities.sorted { $0.key < $1.key }.map { ($0.key, .integer(Int64($0.value))) })
            ),
            ("labels", .object(info.labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
        ])
    }

    static func summary(_ summary: Summary) -> JSON {
        .object([
            ("count", .integer(summary.count)), ("sum", .integer(summary.sum)), ("min", .integer(summary.min)),
            ("p50", .integer(summary.p50)), ("p90", .integer(summary.p90)), ("p95", .integer(summary.p95)),
            ("p99", .integer(summary.p99)), ("max", .integer(summary.max)),
            ("kept_one_in", .integer(summary.keptOneIn)),
        ])
    }

    static func duplicates(_ counts: DuplicateCounts) -> JSON {
        .object([
            ("entries", .integer(counts.entries)), ("distinct", .integer(counts.distinct)),
            ("cross_ring", .integer(counts.crossRing)), ("redirtied", .integer(counts.redirtied)),
            ("same_ring", .integer(counts.sameRing)), ("provisional", .integer(counts.provisional)),
            ("vmm", .integer(counts.vmm)),
        ])
    }

    private static func workingSet(_ window: WorkingSetWindow) -> JSON {
        func pages(_ pages: WorkingSetWindow.Pages) -> JSON {
            .object([
                ("min", .integer(pages.min)), ("p50", .integer(pages.p50)), ("p90", .integer(pages.p90)),
                ("p95", .integer(pages.p95)), ("max", .integer(pages.max)),
            ])
        }
        return .object([
            ("tau_ns", .integer(window.tauNs)), ("ticks", .integer(window.iterations.map { Int64($0) })),
            ("windows", .integer(Int64(window.windows))), ("exact", .bool(window.isExact)),
            ("pages", pages(window.high)), ("pages_low", pages(window.low)),
        ])
    }

    private static func phases(_ analysis: RecordingAnalysis) -> JSON {
        let phases = analysis.phases
        return .object([
            ("window_ticks", .integer(phases.window)), ("median_similarity", .number(phases.medianSimilarity)),
            ("list", Tables.phases.json(analysis)), ("quiet_ticks", .integer(phases.quietIterations)),
            ("quietest", phases.quietest.map { Tables.phases.object($0, analysis) } ?? .null),
            ("quiet_median_pages", .integer(phases.quietMedianPages)),
        ])
    }

    private static func ring(_ ring: RingUse) -> JSON {
        .object([
            ("vcpu", .integer(ring.vcpu.map { Int64($0) })), ("source", .string(ring.source.rawValue)),
            ("duplicates", duplicates(ring.duplicates)), ("full_exits", .integer(ring.fullExits)),
            ("stall_ns", summary(ring.stall)), ("fill", summary(ring.fill)),
        ])
    }

    private static func sharing(_ analysis: RecordingAnalysis) -> JSON {
        .object([
            ("pages", .integer(analysis.sharing.pages)), ("truncated", .bool(analysis.sharing.isTruncated)),
            ("pairs", Tables.sharingPairs.json(analysis)), ("top_pages", Tables.sharedPages.json(analysis)),
        ])
    }

    private static func order(_ analysis: RecordingAnalysis) -> JSON {
        .object([
            ("cross_ring_confidence", .number(analysis.order.crossRingConfidence)),
            ("host", .string(analysis.order.host.rawValue)), ("proven_share", .number(analysis.order.provenShare)),
            ("rings", Tables.orders.json(analysis)),
        ])
    }

    private static func bucket(_ bucket: TimelineBucket) -> JSON {
        .object([
            ("first_tick", .integer(bucket.firstIteration)), ("ticks", .integer(bucket.iterations)),
            ("start_ns", .integer(bucket.startNs)), ("end_ns", .integer(bucket.endNs)),
            ("new_pages", .integer(bucket.newPages)), ("duplicates", duplicates(bucket.duplicates)),
        ])
    }

    private static func fidelity(_ analysis: RecordingAnalysis) -> JSON {
        let fidelity = analysis.fidelity
        return .object([
            ("iterations", .integer(fidelity.iterations)), ("lost", .integer(fidelity.lost)),
            ("losses_of_unknown_extent", .integer(fidelity.lossesOfUnknownExtent)),
            ("overruns", .integer(fidelity.overruns)), ("short_resets", .integer(fidelity.shortResets)),
            ("provisional", .integer(fidelity.provisional)), ("complete", .bool(fidelity.isComplete)),
            ("cut_off", .bool(fidelity.wasCutOff)),
            ("in_progress", .bool(fidelity.ending == .inProgress)), ("tick_ns", summary(fidelity.iteration)),
            ("asked_interval_ns", .integer(fidelity.askedIntervalNs)),
            ("ticks_per_boundary", .integer(fidelity.iterationsPerBoundary)),
            ("order_confidence", .number(fidelity.orderConfidence)),
            ("entry_time", .string(fidelity.entryTime.rawValue)),
            ("most_late", fidelity.entryTime.mostLate.map { .integer(Int64($0)) } ?? .null),
            ("paused_share", .number(fidelity.pausedShare)), ("has_vcpus", .bool(fidelity.hasVCPUs)),
            ("losses", Tables.losses.json(analysis)),
            ("oracles", Tables.oracles.json(analysis)),
        ])
    }
}
