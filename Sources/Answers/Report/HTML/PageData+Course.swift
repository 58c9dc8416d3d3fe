import Analysis
import Model

/// Rows that follow the recording's time.
extension PageSets {
    private static let span: [PageData.Column] = [
        .init("start_s", "from (s)", .seconds), .init("end_s", "to (s)", .seconds),
    ]
    static func seconds(_ ns: Int64, _ origin: Int64) -> JSON { .number(Double(ns - origin) / 1e9) }
    private static func perSecond(_ count: Int64, _ ns: Int64) -> JSON {
        ns > 0 ? .number(Double(count) * 1e9 / Double(ns)) : .null
    }

    static func course(_ report: HTMLReport, _ origin: Int64) -> [PageData] {
        let pairs = Array(zip(report.analysis.timeline, report.map.course))
        let tick = PageData.Column("first_tick", "iteration", .count)
        let ticks = PageData.Column("ticks", "how many", .count)
        let rate = PageData(
            "rate",
            [tick, ticks] + span + [
                .init("entries", "entries", .count), .init("unique_pages", "unique pages", .count),
                .init("new_pages", "new pages", .count), .init("entries_per_s", "entries/s", .rate),
                .init("unique_pages_per_s", "unique pages/s", .rate),
            ],
            pairs.map { bucket, _ in
                let length = bucket.endNs - bucket.startNs
                return [
                    .integer(bucket.firstTick), .integer(bucket.ticks), seconds(bucket.startNs, origin),
                    seconds(bucket.endNs, origin), .integer(bucket.duplicates.entries),
                    .integer(bucket.duplicates.distinct), .integer(bucket.newPages),
                    perSecond(bucket.duplicates.entries, length), perSecond(bucket.duplicates.distinct, length),
                ]
            })
        let iterations = PageData(
            "iterations",
            [tick, ticks] + span + [
                .init("entries", "entries", .count), .init("unique_pages", "unique pages", .count),
                .init("new_pages", "new pages", .count), .init("cross_ring", "cross-ring", .count),
                .init("same_ring", "same ring", .count), .init("provisional", "provisional", .count),
                .init("harvests", "harvests", .count), .init("ring_full", "ring-full exits", .count),
                .init("stall_ns", "stood still", .nanoseconds), .init("pause_ns", "paused", .nanoseconds),
            ],
            pairs.map { bucket, column in
                [
                    .integer(bucket.firstTick), .integer(bucket.ticks), seconds(bucket.startNs, origin),
                    seconds(bucket.endNs, origin), .integer(bucket.duplicates.entries),
                    .integer(bucket.duplicates.distinct), .integer(bucket.newPages),
                    .integer(bucket.duplicates.crossRing),
                    // As SQL's iteration_summary has it.
                    .integer(bucket.duplicates.redirtied + bucket.duplicates.sameRing),
                    .integer(bucket.duplicates.provisional), .integer(column.harvests), .integer(column.ringFull),
                    .integer(column.stallNs), .integer(column.pauseNs),
                ]
            })
        let stalls = PageData(
            "stalls",
            [tick] + span + [
                .init("ring_full", "ring-full exits", .count), .init("stall_ns", "stood still", .nanoseconds),
                .init("stall_ms", "ms", .decimal),
            ],
            report.map.course.map {
                [
                    .integer($0.firstTick), seconds($0.startNs, origin), seconds($0.endNs, origin),
                    .integer($0.ringFull), .integer($0.stallNs), .number(Double($0.stallNs) / 1e6),
                ]
            })
        return [rate, vcpus(report, origin), costs(report, origin), stalls, iterations]
    }

    private static func costs(_ report: HTMLReport, _ origin: Int64) -> PageData {
        let steps: [(String, KeyPath<CourseColumn, Int64>)] = [
            ("scan", \.scanNs), ("GET", \.getNs), ("CLEAR", \.clearNs), ("reset", \.resetNs), ("pause", \.pauseNs),
        ]
        let course = report.map.course
        return PageData(
            "costs",
            [.init("first_tick", "iteration", .count)] + span + [
                .init("step", "step", .text), .init("ns", "time", .nanoseconds),
                .init("ms", "ms per iteration", .decimal),
            ],
            steps.filter { step in course.contains { $0[keyPath: step.1] > 0 } }.flatMap { name, step in
                course.map { column -> [JSON] in
                    let ns = column[keyPath: step]
                    return [
                        .integer(column.firstTick), seconds(column.startNs, origin), seconds(column.endNs, origin),
                        .string(name), .integer(ns), .number(Double(ns) / 1e6 / Double(max(1, column.ticks))),
                    ]
                }
            })
    }

    /// At most 256 stretches, so that many vCPUs stay small.
    private static func vcpus(_ report: HTMLReport, _ origin: Int64) -> PageData {
        let course = report.map.course
        var width = 1
        let total = course.reduce(0) { $0 + $1.ticks }
        while Int((total + report.map.ticksPerColumn * Int64(width) - 1) / (report.map.ticksPerColumn * Int64(width)))
            > 256
        { width *= 2 }
        var rows: [[JSON]] = []
        for first in stride(from: 0, to: course.count, by: width) {
            let part = course[first..<min(first + width, course.count)]
            guard let begin = part.first, let end = part.last else { continue }
            for (place, layer) in report.map.layers.enumerated() {
                let entries = part.reduce(0) { $0 + $1.entries[place] }
                if entries == 0 { continue }
                rows.append([
                    .integer(begin.firstTick), seconds(begin.startNs, origin), seconds(end.endNs, origin),
                    .string(layer.name), .integer(entries), perSecond(entries, end.endNs - begin.startNs),
                ])
            }
        }
        return PageData(
            "vcpus",
            [.init("first_tick", "iteration", .count)] + span + [
                .init("who", "who", .text), .init("entries", "entries", .count),
                .init("entries_per_s", "entries/s", .rate),
            ], rows)
    }
}
