import Analysis
import Model

extension Tables {
    private static var gfn: Table<RecordingAnalysis, PageHeat>.Column {
        .init("gfn", "GFN", .hex, "Guest frame number.") { page, _ in .integer(Int64(bitPattern: page.gfn)) }
    }
    private static var gpa: Table<RecordingAnalysis, PageHeat>.Column {
        .init("gpa", "GPA", .hex, in: [.text, .page]) { .integer(Int64(bitPattern: $1.address(of: $0))) }
    }
    private static var dirtied: Table<RecordingAnalysis, PageHeat>.Column {
        .init("ticks", "iterations", .count, \.iterations, "Iterations in which it was dirtied.")
    }
    private static var entries: Table<RecordingAnalysis, PageHeat>.Column {
        .init("entries", "entries", .count, \.entries, unit: "entries", "All entries.")
    }
    private static var shared: Table<RecordingAnalysis, PageHeat>.Column {
        .init("shared_ticks", "shared in", .count, \.sharedIterations, "Iterations in which several rings reported it.")
    }
    private static var span: [Table<RecordingAnalysis, PageHeat>.Column] {
        [
            .init("first_tick", "first in", .count, \.firstIteration, in: [.json, .page], "First iteration, from 1."),
            .init("last_tick", "last in", .count, \.lastIteration, in: [.json, .page], "Last iteration."),
        ]
    }

    /// Pages dirtied in the most iterations.
    static var hottest: Table<RecordingAnalysis, PageHeat> {
        Table(
            "hottest_pages", set: "hottest", title: "Hottest pages", note: "Dirtied in the most iterations.",
            rows: { $0.hottestPages },
            columns: [
                gfn, gpa, dirtied,
                .init("share", "share", .share, in: [.text, .page]) { .real($1.iterationShare(of: $0)) },
                entries, shared,
            ] + span)
    }

    /// Pages that several vCPUs dirtied in the same iteration, in the most iterations.
    static var sharedPages: Table<RecordingAnalysis, PageHeat> {
        var onPage = [gfn, gpa, shared, dirtied, entries]
        for column in onPage.indices { onPage[column].media = .page }
        var table = Table(
            "sharing.top_pages", set: "shared", title: "Shared pages",
            note: "Dirtied by several vCPUs in the same iteration.", rows: { $0.sharing.topPages }, columns: onPage)
        // The statement's columns stand in another order than the keys.
        var inJSON = [gfn, dirtied, entries, shared]
        for column in inJSON.indices { inJSON[column].media = .json }
        table.columns += inJSON + span
        return table
    }

    /// Pages worth sending last.
    static var hotLists: Table<RecordingAnalysis, HotList> {
        Table(
            "hot_lists", title: "Pages to send last", rows: { $0.hotLists },
            columns: [
                .init(
                    "tick_share", "", .share, \.iterationShare, in: .json,
                    "Dirtied in at least this share of iterations."),
                .init("pages", "", .count, \.pages, unit: "pages", in: .json, "How many pages."),
                .init("records", "", .count, \.records, in: .json, "Iterations × pages."),
                .init(
                    "bytes_saved", "", .bytes, \.bytesSaved, in: .json, "Sent once at the end instead of every tick."),
            ])
    }

    /// Tracking in larger units (question W4).
    static var granularity: Table<RecordingAnalysis, Granularity> {
        Table(
            "granularity", title: "Granularity",
            note: "What tracking in larger units would mark dirty, as a multiple of the dirty pages.",
            rows: { $0.granularity },
            columns: [
                .init("bytes", "unit", .bytes, \.bytes, "Unit of tracking."),
                .init("units", "dirty units", .count, \.units, unit: "units", "Units with a dirty page."),
                .init("dirty_bytes", "bytes", .bytes, \.dirtyBytes, in: .text),
                .init(
                    "amplification", "amplification", .times, \.amplification,
                    "units · pages per unit / distinct pages."),
            ])
    }
}
