import Analysis
import Model

/// The documented JSON of an analysis: `docs/json-output.md` names every key and its unit.
///
/// `format_version` rises when a key changes its meaning or goes away; new keys may come at any time.
package enum JSONReport {
    /// Version of the contract.
    package static let formatVersion: Int64 = 1

    /// The whole analysis.
    package static func render(_ analysis: TraceAnalysis) -> JSON {
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
            (
                "foreign_rates",
                .array(
                    analysis.foreignRates.map {
                        .object([
                            ("tool", .string($0.rate.tool)), ("vcpu", .integer($0.rate.vcpu.map { Int64($0) })),
                            ("since_ns", .integer($0.rate.sinceNs)), ("ts_ns", .integer($0.rate.tsNs)),
                            ("bytes_per_s", .integer($0.rate.bytesPerSecond)), ("quantum", .integer($0.rate.quantum)),
                            ("counts", .string($0.rate.counts.rawValue)),
                            ("entries", .integer($0.entries)), ("pages", .integer($0.pages)),
                        ])
                    })
            ),
            ("foreign_rates_left_out", .integer(Int64(analysis.foreignRatesLeftOut))),
            ("duplicates", duplicates(analysis.duplicates)),
            ("working_set", .array(analysis.workingSet.map(workingSet))),
            ("working_set_course", .array(analysis.workingSetCourse.flatMap(workingSetCourse))),
            ("footprint", .array(analysis.footprint.map(footprint))),
            (
                "redirty",
                .array(
                    analysis.redirty.buckets.map {
                        .object([
                            ("ticks", .integer($0.ticks)), ("last_ticks", .integer($0.lastTicks)),
                            ("count", .integer($0.count)),
                        ])
                    })
            ),
            (
                "redirty_never",
                .object([
                    ("pages", .integer(analysis.redirty.neverRedirtied)),
                    ("share", .number(analysis.redirty.neverShare)),
                ])
            ),
            (
                "granularity",
                .array(
                    analysis.granularity.map {
                        .object([
                            ("bytes", .integer($0.bytes)), ("units", .integer($0.units)),
                            ("amplification", .number($0.amplification)),
                        ])
                    })
            ),
            ("phases", phases(analysis.phases)),
            ("rings", .array(analysis.rings.map(ring))),
            ("sharing", sharing(analysis.sharing)),
            ("order", order(analysis.order)),
            ("hottest_pages", .array(analysis.hottestPages.map(heat))),
            (
                "hot_lists",
                .array(
                    analysis.hotLists.map {
                        .object([
                            ("tick_share", .number($0.tickShare)), ("pages", .integer($0.pages)),
                            ("records", .integer($0.records)), ("bytes_saved", .integer($0.bytesSaved)),
                        ])
                    })
            ),
            ("costs_ns", .object(analysis.costs.steps.map { ($0.name, summary($0.summary)) })),
            ("convergence", JSONConvergence.render(analysis.convergence)),
            ("checkpoints", .array(analysis.checkpoints.map(checkpoint))),
            (
                "harvest_what_if",
                .array(
                    analysis.harvestWhatIf.map {
                        .object([
                            ("ticks", .integer($0.ticks)), ("interval_ns", .integer($0.intervalNs)),
                            ("entries", .integer($0.entries)), ("rings", .array($0.rings.map(ringWhatIf))),
                        ])
                    })
            ),
            ("ring_what_if", .array(analysis.ringWhatIf.map(ringWhatIf))),
            ("timeline", .array(analysis.timeline.map(bucket))),
            ("fidelity", fidelity(analysis.fidelity)),
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
            ("tau_ns", .integer(window.tauNs)), ("ticks", .integer(window.ticks.map { Int64($0) })),
            ("windows", .integer(Int64(window.windows))), ("exact", .bool(window.isExact)),
            ("pages", pages(window.high)), ("pages_low", pages(window.low)),
        ])
    }

    private static func workingSetCourse(_ course: WorkingSetCourse) -> [JSON] {
        course.points.map {
            .object([
                ("ticks", .integer(course.ticks)), ("last_tick", .integer($0.lastTick)),
                ("end_ns", .integer($0.endNs)), ("pages", .integer($0.pages)),
            ])
        }
    }

    private static func footprint(_ point: FootprintPoint) -> JSON {
        .object([
            ("ticks", .integer(point.ticks)), ("pages", .number(point.pages)), ("sum", .integer(point.sum)),
            ("windows", .integer(point.windows)),
        ])
    }

    private static func phases(_ phases: Phases) -> JSON {
        .object([
            ("window_ticks", .integer(phases.window)), ("median_similarity", .number(phases.medianSimilarity)),
            ("list", .array(phases.phases.map(phase))), ("quiet_ticks", .integer(phases.quietTicks)),
            ("quietest", phases.quietest.map(phase) ?? .null),
            ("quiet_median_pages", .integer(phases.quietMedianPages)),
        ])
    }

    private static func phase(_ phase: Phase) -> JSON {
        .object([
            ("first_tick", .integer(phase.firstTick)), ("last_tick", .integer(phase.lastTick)),
            ("start_ns", .integer(phase.startNs)), ("end_ns", .integer(phase.endNs)),
            ("pages", .integer(phase.pages)), ("similarity", .number(phase.similarity)),
        ])
    }

    private static func ring(_ ring: RingUse) -> JSON {
        .object([
            ("vcpu", .integer(ring.vcpu.map { Int64($0) })), ("source", .string(ring.source.rawValue)),
            ("duplicates", duplicates(ring.duplicates)), ("full_exits", .integer(ring.fullExits)),
            ("stall_ns", summary(ring.stall)), ("fill", summary(ring.fill)),
        ])
    }

    private static func sharing(_ sharing: Sharing) -> JSON {
        .object([
            ("pages", .integer(sharing.pages)), ("truncated", .bool(sharing.isTruncated)),
            (
                "pairs",
                .array(
                    sharing.pairs.map {
                        .object([
                            ("first_vcpu", .integer(Int64($0.first))), ("second_vcpu", .integer(Int64($0.second))),
                            ("pages", .integer($0.pages)),
                        ])
                    })
            ),
            ("top_pages", .array(sharing.topPages.map(heat))),
        ])
    }

    private static func order(_ order: Order) -> JSON {
        .object([
            ("cross_ring_confidence", .number(order.crossRingConfidence)),
            ("host", .string(order.host.rawValue)), ("proven_share", .number(order.provenShare)),
            (
                "rings",
                .array(
                    order.rings.map {
                        .object([
                            ("vcpu", .integer($0.vcpu.map { Int64($0) })), ("verdict", .string($0.verdict.rawValue)),
                            ("shape", .string($0.shape.rawValue)), ("proven_share", .number($0.provenShare)),
                            ("mean_ascending_run", .number($0.meanAscendingRun)),
                            ("mean_descending_run", .number($0.meanDescendingRun)),
                            ("longest_descending_run", .integer($0.longestDescendingRun)),
                            ("stride", .integer($0.stride)), ("stride_share", .number($0.strideShare)),
                        ])
                    })
            ),
        ])
    }

    private static func ringWhatIf(_ ring: RingWhatIf) -> JSON {
        .object([
            ("ring_entries", .integer(Int64(ring.ringEntries))), ("soft_limit", .integer(Int64(ring.softLimit))),
            ("full_exits", .integer(ring.mostFullExits)), ("full_exits_low", .integer(ring.fullExits)),
            ("affected_intervals", .integer(ring.affectedIntervals)), ("is_recorded", .bool(ring.isRecorded)),
        ])
    }

    private static func heat(_ page: PageHeat) -> JSON {
        .object([
            ("gfn", .integer(Int64(page.gfn))), ("ticks", .integer(page.ticks)), ("entries", .integer(page.entries)),
            ("shared_ticks", .integer(page.sharedTicks)), ("first_tick", .integer(page.firstTick)),
            ("last_tick", .integer(page.lastTick)),
        ])
    }

    private static func checkpoint(_ checkpoint: Checkpoint) -> JSON {
        .object([
            ("ticks", .integer(checkpoint.ticks)), ("cadence_ns", .integer(checkpoint.cadenceNs)),
            ("count", .integer(checkpoint.count)), ("pages", .integer(checkpoint.pages)),
            ("largest_bytes", .integer(checkpoint.largestBytes)), ("chain_bytes", .integer(checkpoint.chainBytes)),
            ("full_every", .integer(checkpoint.fullEvery)),
        ])
    }

    private static func bucket(_ bucket: TimelineBucket) -> JSON {
        .object([
            ("first_tick", .integer(bucket.firstTick)), ("ticks", .integer(bucket.ticks)),
            ("start_ns", .integer(bucket.startNs)), ("end_ns", .integer(bucket.endNs)),
            ("new_pages", .integer(bucket.newPages)), ("duplicates", duplicates(bucket.duplicates)),
        ])
    }

    private static func fidelity(_ fidelity: Fidelity) -> JSON {
        .object([
            ("iterations", .integer(fidelity.iterations)), ("lost", .integer(fidelity.lost)),
            ("losses_of_unknown_extent", .integer(fidelity.lossesOfUnknownExtent)),
            ("overruns", .integer(fidelity.overruns)), ("short_resets", .integer(fidelity.shortResets)),
            ("provisional", .integer(fidelity.provisional)), ("complete", .bool(fidelity.isComplete)),
            ("cut_off", .bool(fidelity.wasCutOff)),
            ("in_progress", .bool(fidelity.ending == .inProgress)), ("tick_ns", summary(fidelity.tick)),
            ("asked_interval_ns", .integer(fidelity.askedIntervalNs)),
            ("ticks_per_boundary", .integer(fidelity.ticksPerBoundary)),
            ("order_confidence", .number(fidelity.orderConfidence)),
            ("paused_share", .number(fidelity.pausedShare)), ("has_vcpus", .bool(fidelity.hasVCPUs)),
            (
                "losses",
                .array(
                    fidelity.losses.map {
                        .object([
                            ("kind", .string($0.kind.rawValue)), ("count", .integer($0.count)),
                            ("entries", .integer($0.entries)), ("unknown_extent", .integer($0.unknownExtent)),
                        ])
                    })
            ),
            (
                "oracles",
                .array(
                    fidelity.oracles.map {
                        .object([
                            ("oracle", .string($0.oracle)), ("iterations", .integer($0.iterations)),
                            ("expected", .integer($0.expected)), ("missing", .integer($0.missing)),
                            ("unexplained", .integer($0.unexplained)), ("silent", .integer($0.silent)),
                        ])
                    })
            ),
        ])
    }
}
