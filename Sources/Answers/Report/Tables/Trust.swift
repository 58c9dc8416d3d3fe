import Analysis
import Model

extension Tables {
    /// Other tools' figures beside ours (question D3).
    static var foreignRates: Table<RecordingAnalysis, ForeignComparison> {
        Table(
            "foreign_rates", title: "Measured by others in the same window", rows: { $0.foreignRates },
            columns: [
                .init("tool", "tool", .text, \.rate.tool, in: [.text, .json], "Who measured."),
                .init(
                    "vcpu", "vCPU", .count, \.rate.vcpu, in: [.text, .json], "null for the whole guest.",
                    words: { row, _ in row.rate.vcpu.map { "\($0)" } ?? "all" }),
                .init(
                    "since_ns", "", .nanoseconds, \.rate.sinceNs, in: .json,
                    "Begin of the window, on CLOCK_MONOTONIC."),
                .init("ts_ns", "", .nanoseconds, \.rate.tsNs, in: .json, "End of the window."),
                .init("duration_ns", "window", .nanoseconds, \.durationNs, in: .text),
                .init(
                    "bytes_per_s", "it says", .dataRate, \.rate.bytesPerSecond, in: [.text, .json],
                    "What another tool said, such as QEMU."),
                .init(
                    "quantum", "cut off to", .dataRate, \.rate.quantum, in: [.text, .json],
                    "What its figure is cut off to."),
                .init(
                    "counts", "it counts", .text, \.rate.counts.rawValue, in: [.text, .json],
                    "What it counts: `entries`, `pages` or `sampled pages`."),
                .init("our_entries", "our entries", .dataRate, in: .text) {
                    .real($0.bytesPerSecond($0.entries, pageSize: $1.info.pageSize))
                },
                .init("our_pages", "unique pages", .dataRate, in: .text) {
                    .real($0.bytesPerSecond($0.pages, pageSize: $1.info.pageSize))
                },
                .init("agrees", "within 2 %", .text, in: .text) {
                    .text($0.agrees(pageSize: $1.info.pageSize, vcpus: $1.info.vcpuCount) ? "yes" : "no")
                },
                .init("entries", "", .count, \.entries, unit: "entries", in: .json, "Ours in the same window."),
                .init("pages", "", .count, \.pages, unit: "pages", in: .json, "Different pages among them."),
            ])
    }

    /// What KVM counted: what harvesting cost the guest.
    static var statistics: Table<RecordingAnalysis, StatisticTotal> {
        Table(
            "kvm_statistics", title: "KVM statistics", note: "Increase over the recording.",
            rows: { $0.statistics },
            columns: [
                .init(
                    "name", "statistic", .text, \.name, in: [.text, .json],
                    "The kernel's name, such as `pf_fixed`. By iteration: table `kvm_stat`."),
                .init("vm", "VM", .count, \.vm, in: [.text, .json], "Increase of the VM's counter."),
                .init(
                    "vcpus", "all vCPUs", .count, \.vcpus, in: [.text, .json],
                    "Increase of all vCPUs' counters together."),
            ])
    }

    static var losses: Table<RecordingAnalysis, Fidelity.LossTotal> {
        Table(
            "fidelity.losses", title: "Losses", rows: { $0.fidelity.losses },
            columns: [
                .init("kind", "", .text, \.kind.rawValue, in: .json, "As in the table `loss`."),
                .init("count", "", .count, \.count, in: .json, "How many."),
                .init("entries", "", .count, \.entries, unit: "entries", in: .json, "Entries known to be concerned."),
                .init("unknown_extent", "", .count, \.unknownExtent, in: .json, "Of them, losses of unknown extent."),
            ])
    }

    static var oracles: Table<RecordingAnalysis, Fidelity.OracleTotal> {
        Table(
            "fidelity.oracles", title: "Oracles", rows: { $0.fidelity.oracles },
            columns: [
                .init("oracle", "", .text, \.oracle, in: .json, "Its name."),
                .init("iterations", "", .count, \.iterations, in: .json, "Iterations."),
                .init("expected", "", .count, \.expected, unit: "pages", in: .json, "Had to be dirty."),
                .init("missing", "", .count, \.missing, unit: "pages", in: .json, "Of those, not reported."),
                .init("unexplained", "", .count, \.unexplained, unit: "pages", in: .json, "Reported without a reason."),
                .init("silent", "", .count, \.silent, unit: "pages", in: .json, "Reported, content unchanged."),
            ])
    }
}
