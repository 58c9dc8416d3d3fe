import Analysis
import Model

extension Tables {
    /// The writable working set over time, for a few window lengths (question W1).
    static var workingSetCourse: Table<RecordingAnalysis, WorkingSetCourse.Window> {
        Table(
            "working_set_course", set: "working_set", title: "Writable working set over time",
            note: "Distinct pages in the window that ends at each moment.",
            rows: { $0.workingSetCourse.flatMap(\.windows) },
            columns: [
                .init(
                    "ticks", "iterations", .count, \.iterations, unit: "ticks", in: [.json, .page],
                    "Window length; at most 512 evenly spaced windows of each length."),
                .init(
                    "last_tick", "last iteration", .count, \.point.lastIteration, in: [.json, .page],
                    "Last iteration of the window, from 1."),
                .init("end_s", "end (s)", .seconds, in: .page) { .real($1.seconds($0.point.endNs)) },
                .init("end_ns", "", .nanoseconds, \.point.endNs, in: .json, "When the window ends."),
                .init(
                    "pages", "pages", .count, \.point.pages, unit: "pages", in: [.json, .page],
                    "Distinct pages in the window."),
            ])
    }

    /// The writable working set by window; in JSON and text it has brackets, too: `JSONReport`, `TextReport`.
    static var workingSetWindows: Table<RecordingAnalysis, WorkingSetWindow> {
        Table(
            "working_set_windows", title: "Writable working set by window",
            note: "Distinct pages in a window; exact, because windows lie on iterations.",
            rows: { $0.workingSet.filter { $0.iterations != nil } },
            columns: [
                .init("ticks", "iterations", .count, \.iterations, in: .page),
                .init("tau_ns", "≈ length", .nanoseconds, \.tauNs, in: .page),
                .init("windows", "windows", .count, \.windows, in: .page),
                .init("min", "min", .count, \.high.min, in: .page),
                .init("p50", "p50", .count, \.high.p50, in: .page),
                .init("p90", "p90", .count, \.high.p90, in: .page),
                .init("p95", "p95", .count, \.high.p95, in: .page),
                .init("max", "max", .count, \.high.max, in: .page),
            ])
    }

    /// The average working set of every window length (question W2).
    static var footprint: Table<RecordingAnalysis, FootprintPoint> {
        Table(
            "footprint", title: "Footprint",
            note: "Distinct pages in a window, averaged over all windows of its length.", rows: { $0.footprint },
            columns: [
                .init(
                    "ticks", "iterations", .count, \.iterations, unit: "ticks", in: [.json, .page], "Window length w."),
                .init("seconds", "≈ seconds", .seconds, in: .page) { .real($1.seconds(ofIterations: $0.iterations)) },
                .init(
                    "pages", "pages on average", .decimal, \.pages, unit: "pages", in: [.json, .page],
                    "fp(w), a fraction."),
                .init(
                    "sum", "sum", .count, \.sum, unit: "pages", in: [.json, .page],
                    "Distinct pages summed over windows: exact."),
                .init("windows", "windows", .count, \.windows, in: [.json, .page], "n − w + 1."),
            ])
    }

    /// How soon pages are dirty again (question W3).
    static var redirty: Table<RecordingAnalysis, Redirty.Bucket> {
        Table(
            "redirty", title: "How soon pages are dirty again",
            note: "Share of re-dirty intervals that are at most so long.", rows: { $0.redirty.buckets },
            columns: [
                .init(
                    "ticks", "from (iterations)", .count, \.iterations, unit: "ticks", in: [.json, .page],
                    "Shortest interval of the bucket."),
                .init(
                    "last_ticks", "to (iterations)", .count, \.lastIterations, unit: "ticks", in: [.json, .page],
                    "Longest; the same up to 32."),
                .init("count", "intervals", .count, \.count, in: [.json, .page], "How often."),
                .init("share", "so far", .share, in: .page) { .real($1.redirty.share(upTo: $0.lastIterations)) },
            ])
    }

    /// Stretches in which the guest dirties much the same pages (question W5).
    static var phases: Table<RecordingAnalysis, Phase> {
        Table(
            "phases.list", title: "Phases", rows: { $0.phases.phases },
            columns: [
                .init("from", "from", .nanoseconds, in: .text) { .integer($0.startNs - $1.phases.beginNs) },
                .init("to", "to", .nanoseconds, in: .text) { .integer($0.endNs - $1.phases.beginNs) },
                .init(
                    "iterations", "iterations", .count, \.firstIteration, in: .text,
                    words: { phase, _ in "\(phase.firstIteration)–\(phase.lastIteration)" }),
                .init("first_tick", "", .count, \.firstIteration, in: .json, "First iteration, from 1."),
                .init("last_tick", "", .count, \.lastIteration, in: .json, "Last iteration."),
                .init("start_ns", "", .nanoseconds, \.startNs, in: .json, "Begin."),
                .init("end_ns", "", .nanoseconds, \.endNs, in: .json, "End, on CLOCK_MONOTONIC."),
                .init("pages", "pages", .count, \.pages, unit: "pages", in: [.text, .json], "Distinct pages."),
                .init(
                    "similarity", "similarity", .decimal, \.similarity, unit: "0…1", in: [.text, .json],
                    "Jaccard similarity at its begin; null for the first."),
            ])
    }
}
