import Analysis
import Model
import Schemas

/// Rows of a statement that only the file can answer.
package typealias PageQuery = (_ sql: String) throws -> [[JSON]]

/// Every set of rows on the page.
enum PageSets {
    /// - Parameter query: Runs a statement on the recording: for what the analysis does not hold.
    static func all(_ report: HTMLReport, query: PageQuery) throws -> [PageData] {
        let origin = report.analysis.info.startNs
        var sets = course(report, origin) + windows(report.analysis, origin) + pages(report)
        sets += [
            rings(report.analysis), sharing(report.analysis), whatIf(report.analysis), checkpoints(report.analysis),
            losses(report, origin),
        ]
        var statistics = PageData(
            "kvm_stats",
            [
                .init("name", "statistic", .text), .init("who", "of", .text), .init("total", "increase", .count),
                .init("largest", "largest in an iteration", .count),
            ], [])
        statistics.rows = try query(statistics.sql)
        return sets + [statistics]
    }

    // MARK: Windows

    private static func windows(_ analysis: TraceAnalysis, _ origin: Int64) -> [PageData] {
        let ticks = PageData.Column("ticks", "iterations", .count)
        let course = PageData(
            "working_set",
            [
                ticks, .init("last_tick", "last iteration", .count), .init("end_s", "end (s)", .seconds),
                .init("pages", "pages", .count),
            ],
            analysis.workingSetCourse.flatMap { course in
                course.points.map {
                    [.integer(course.ticks), .integer($0.lastTick), seconds($0.endNs, origin), .integer($0.pages)]
                }
            })
        let table = PageData(
            "working_set_windows",
            [
                ticks, .init("tau_ns", "≈ length", .nanoseconds), .init("windows", "windows", .count),
                .init("min", "min", .count), .init("p50", "p50", .count), .init("p90", "p90", .count),
                .init("p95", "p95", .count), .init("max", "max", .count),
            ],
            analysis.workingSet.filter { $0.ticks != nil }.map {
                [
                    .integer($0.ticks.map { Int64($0) }), .integer($0.tauNs), .integer(Int64($0.windows)),
                    .integer($0.high.min), .integer($0.high.p50), .integer($0.high.p90), .integer($0.high.p95),
                    .integer($0.high.max),
                ]
            })
        let tick = Double(analysis.counts.durationNs) / 1e9 / Double(max(1, analysis.counts.iterations))
        let footprint = PageData(
            "footprint",
            [
                ticks, .init("seconds", "≈ seconds", .seconds), .init("pages", "pages on average", .decimal),
                .init("sum", "sum", .count), .init("windows", "windows", .count),
            ],
            analysis.footprint.map {
                [
                    .integer($0.ticks), .number(Double($0.ticks) * tick), .number($0.pages), .integer($0.sum),
                    .integer($0.windows),
                ]
            })
        var soFar: Int64 = 0
        let redirty = PageData(
            "redirty",
            [
                .init("ticks", "from (iterations)", .count), .init("last_ticks", "to (iterations)", .count),
                .init("count", "intervals", .count), .init("share", "so far", .share),
            ],
            analysis.redirty.buckets.map { bucket in
                soFar += bucket.count
                return [
                    .integer(bucket.ticks), .integer(bucket.lastTicks), .integer(bucket.count),
                    .number(Double(soFar) / Double(max(1, analysis.redirty.intervals))),
                ]
            })
        let granularity = PageData(
            "granularity",
            [
                .init("bytes", "unit", .bytes), .init("units", "dirty units", .count),
                .init("amplification", "times the pages", .decimal),
            ],
            analysis.counts.distinctGFNs == 0
                ? []
                : analysis.granularity.map { [.integer($0.bytes), .integer($0.units), .number($0.amplification)] })
        return [course, table, footprint, redirty, granularity]
    }

    // MARK: Pages and vCPUs

    private static func pages(_ report: HTMLReport) -> [PageData] {
        let analysis = report.analysis
        let size = analysis.info.pageSize
        func limited(_ data: PageData) -> PageData {
            var data = data
            data.sql = data.sql.replacing("LIMIT 64", with: "LIMIT \(report.topPages)")
            return data
        }
        let place: [PageData.Column] = [.init("gfn", "GFN", .hex), .init("gpa", "GPA", .hex)]
        let times: [PageData.Column] = [
            .init("first_tick", "first in", .count), .init("last_tick", "last in", .count),
        ]
        func address(_ page: PageHeat) -> [JSON] {
            [.integer(Int64(page.gfn)), .integer(Int64(bitPattern: page.gfn &* UInt64(size)))]
        }
        let hottest = PageData(
            "hottest",
            place + [
                .init("ticks", "iterations", .count), .init("share", "of all", .share),
                .init("entries", "entries", .count), .init("shared_ticks", "shared in", .count),
            ] + times,
            analysis.hottestPages.map {
                address($0) + [
                    .integer($0.ticks), .number(Double($0.ticks) / Double(max(1, analysis.counts.iterations))),
                    .integer($0.entries), .integer($0.sharedTicks), .integer($0.firstTick), .integer($0.lastTick),
                ]
            })
        let shared = PageData(
            "shared",
            place + [
                .init("shared_ticks", "shared in", .count), .init("ticks", "iterations", .count),
                .init("entries", "entries", .count),
            ] + times,
            analysis.sharing.topPages.map {
                address($0) + [
                    .integer($0.sharedTicks), .integer($0.ticks), .integer($0.entries), .integer($0.firstTick),
                    .integer($0.lastTick),
                ]
            })
        return [limited(hottest), limited(shared)]
    }

    private static func rings(_ analysis: TraceAnalysis) -> PageData {
        let entries = Double(max(1, analysis.counts.entries))
        let rings = analysis.rings.sorted {
            ($0.vcpu ?? .max, $0.source.rawValue) < ($1.vcpu ?? .max, $1.source.rawValue)
        }
        return PageData(
            "rings",
            [
                .init("who", "ring", .text), .init("entries", "entries", .count), .init("share", "share", .share),
                .init("first_reports", "first to report", .count),
                .init("cross_ring", "also in other rings", .count), .init("ring_full", "ring-full exits", .count),
                .init("stall_ns", "stood still", .nanoseconds),
            ],
            rings.prefix(512).map {
                [
                    .string($0.vcpu.map { "vCPU \($0)" } ?? $0.source.rawValue), .integer($0.duplicates.entries),
                    .number(Double($0.duplicates.entries) / entries), .integer($0.duplicates.distinct),
                    .integer($0.duplicates.crossRing), .integer($0.fullExits), .integer($0.stall.sum),
                ]
            })
    }

    private static func sharing(_ analysis: TraceAnalysis) -> PageData {
        PageData(
            "sharing",
            [
                .init("first_vcpu", "vCPU", .count), .init("second_vcpu", "and", .count),
                .init("pages", "pages", .count),
            ],
            analysis.sharing.pairs.prefix(1024).map {
                [.integer(Int64($0.first)), .integer(Int64($0.second)), .integer($0.pages)]
            })
    }

    private static func whatIf(_ analysis: TraceAnalysis) -> PageData {
        PageData(
            "ring_what_if",
            [
                .init("ring_entries", "ring entries", .count), .init("soft_limit", "exits at", .count),
                .init("full_exits", "exits, at least", .count),
                .init("affected_intervals", "vCPU-iterations with one", .count),
            ],
            analysis.ringWhatIf.map {
                [
                    .integer(Int64($0.ringEntries)), .integer(Int64($0.softLimit)), .integer($0.fullExits),
                    .integer($0.affectedIntervals),
                ]
            })
    }

    private static func checkpoints(_ analysis: TraceAnalysis) -> PageData {
        PageData(
            "checkpoints",
            [
                .init("ticks", "iterations", .count), .init("cadence_ns", "≈ every", .nanoseconds),
                .init("count", "increments", .count), .init("pages", "pages", .count),
                .init("largest_bytes", "largest", .bytes), .init("chain_bytes", "whole chain", .bytes),
                .init("full_every", "full every", .count),
            ],
            analysis.counts.entries == 0
                ? []
                : analysis.checkpoints.map {
                    [
                        .integer($0.ticks), .integer($0.cadenceNs), .integer($0.count), .integer($0.pages),
                        .integer($0.largestBytes), .integer($0.chainBytes), .integer($0.fullEvery),
                    ]
                })
    }

    private static func losses(_ report: HTMLReport, _ origin: Int64) -> PageData {
        PageData(
            "losses",
            [
                .init("iteration", "iteration", .count), .init("at_s", "at (s)", .seconds),
                .init("kind", "kind", .text), .init("vcpu", "vCPU", .count), .init("entries", "entries", .count),
                .init("detail", "detail", .text),
            ],
            report.losses.prefix(500).map {
                [
                    .integer($0.iteration), seconds($0.tsNs, origin), .string($0.kind.rawValue),
                    .integer($0.vcpu.map { Int64($0) }), .integer($0.entries), .string($0.detail),
                ]
            })
    }
}
