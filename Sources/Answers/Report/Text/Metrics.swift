import Model
import Platform

/// A figure of a recording that is being made, for a monitoring system.
struct Metric: Sendable {
    enum Kind: String { case counter, gauge }
    enum Value {
        case count(Int64)
        /// Nanoseconds, which are exposed as seconds.
        case time(Int64)
    }

    let name: String
    let kind: Kind
    let help: String
    /// What tells its samples apart, beside what all have.
    var label: String?
    /// The samples, each with the value of `label`, if it has one.
    let samples: @Sendable (Metrics) -> [(String, Value)]
}

/// The figures of `--metrics`, in Prometheus' text format (0.0.4), which node_exporter's textfile collector reads.
package struct Metrics {
    let info: RecordingInfo
    let totals: RunningTotals
    let isActive: Bool

    /// - Parameter isActive: whether the recording is still being made.
    package init(of info: RecordingInfo, _ totals: RunningTotals, isActive: Bool) {
        (self.info, self.totals, self.isActive) = (info, totals, isActive)
    }

    /// Every figure; `docs/metrics.md` is made of it.
    static let all = [
        Metric("recording_active", .gauge, "1 while the recording is being made, 0 when it has ended.") {
            .count($0.isActive ? 1 : 0)
        },
        Metric("start_time_seconds", .gauge, "When the recording began, in Unix time.") {
            .time($0.wall($0.info.startNs))
        },
        Metric("iterations_total", .counter, "Iterations that are complete.") { .count($0.totals.iterations) },
        Metric("entries_total", .counter, "Dirty entries by what they add; all classes are all entries.", by: "class") {
            let counts = $0.totals.counts
            return [
                ("unique", .count(counts.distinct)), ("cross_ring", .count(counts.crossRing)),
                ("redirtied", .count(counts.redirtied)), ("same_ring", .count(counts.sameRing)),
                ("provisional", .count(counts.provisional)), ("vmm", .count(counts.vmm)),
            ]
        },
        Metric("pages", .gauge, "Different pages that were dirty since the recording began.") {
            .count($0.totals.pages)
        },
        Metric("page_size_bytes", .gauge, "Size of a page.") { .count($0.info.pageSize) },
        Metric("last_iteration_end_time_seconds", .gauge, "When the last complete iteration ended, in Unix time.") {
            metrics in metrics.totals.last.map { .time(metrics.wall($0.endNs)) }
        },
        Metric("last_iteration_duration_seconds", .gauge, "Length of the last complete iteration.") {
            $0.totals.last.map { .time($0.endNs - $0.startNs) }
        },
        Metric("last_iteration_entries", .gauge, "Entries of the last complete iteration.") {
            .count($0.totals.lastCounts.entries)
        },
        Metric("last_iteration_unique_pages", .gauge, "Different pages that the last complete iteration found dirty.") {
            .count($0.totals.lastCounts.distinct)
        },
        Metric("vcpu_entries_total", .counter, "Entries that were reported for a vCPU; bitmaps know none.", by: "vcpu")
        {
            $0.totals.vcpus.enumerated().map { ("\($0)", .count($1.entries)) }
        },
        Metric("vcpu_ring_full_total", .counter, "Times that a vCPU stood still because its ring was full.", by: "vcpu")
        {
            $0.totals.vcpus.enumerated().map { ("\($0)", .count($1.ringFull)) }
        },
        Metric("vcpu_stall_seconds_total", .counter, "How long a vCPU stood still for that.", by: "vcpu") {
            $0.totals.vcpus.enumerated().map { ("\($0)", .time($1.stallNs)) }
        },
        Metric("losses_total", .counter, "Rows of the loss table: what may have made entries disappear.", by: "kind") {
            metrics in LossKind.allCases.map { ($0.rawValue, .count(metrics.totals.losses[$0] ?? 0)) }
        },
        Metric("lost_entries_total", .counter, "Entries that are known to be lost.") { .count($0.totals.lostEntries) },
    ]

    /// The text of all figures.
    package var text: String {
        let guest = info.guest.isEmpty ? info.guestKind : info.guest
        let common = "recording=\"\(info.id)\",guest=\"\(Self.escape(guest))\",source=\"\(info.source.rawValue)\""
        var text = ""
        for metric in Self.all {
            let samples = metric.samples(self)
            if samples.isEmpty { continue }
            text += "# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind)\n"
            for (value, figure) in samples {
                let own = metric.label.map { ",\($0)=\"\(Self.escape(value))\"" } ?? ""
                text += "\(metric.name){\(common)\(own)} \(figure.text)\n"
            }
        }
        return text
    }

    /// Lines of `docs/metrics.md`.
    static let documentation =
        ["| metric | type | label | meaning |", "|---|---|---|---|"]
        + all.map { "| `\($0.name)` | \($0.kind) | \($0.label.map { "`\($0)`" } ?? "") | \($0.help) |" }

    /// Unix time of one of the recording's clock, in nanoseconds.
    private func wall(_ ns: Int64) -> Int64 { ns &+ info.wallOffsetNs }

    private static func escape(_ text: String) -> String {
        Sanitizer.line(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    }
}

extension Metric {
    fileprivate init(_ name: String, _ kind: Kind, _ help: String, value: @escaping @Sendable (Metrics) -> Value?) {
        self.init(name: "dirtyrec_" + name, kind: kind, help: help) { metrics in
            value(metrics).map { [("", $0)] } ?? []
        }
    }

    fileprivate init(
        _ name: String, _ kind: Kind, _ help: String, by label: String,
        values: @escaping @Sendable (Metrics) -> [(String, Value)]
    ) { self.init(name: "dirtyrec_" + name, kind: kind, help: help, label: label, samples: values) }
}

extension Metric.Value {
    fileprivate var text: String {
        switch self {
        case .count(let count): String(count)
        case .time(let ns): String(Double(ns) / 1e9)
        }
    }
}
