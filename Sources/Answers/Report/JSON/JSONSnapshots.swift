import Analysis

/// The documented JSON of `dirtyrec snapshots`.
package enum JSONSnapshots {
    package static func render(_ report: SnapshotReport) -> JSON {
        let cost = report.options.cost
        return .object([
            ("format_version", .integer(JSONReport.formatVersion)), ("page_size", .integer(report.pageSize)),
            ("memory_pages", .integer(report.memoryPages)), ("memory_basis", .string(report.memoryBasis.rawValue)),
            ("losses", .integer(report.losses)), ("coalesce_bytes", .integer(report.options.coalesce)),
            (
                "cost",
                .object([
                    ("write_bytes_per_s", .integer(cost.bytesPerSecond)), ("per_extent_ns", .integer(cost.perExtentNs)),
                    ("pause_base_ns", .integer(cost.baseNs)), ("full_ns", .integer(report.fullNs)),
                ])
            ),
            ("unfinished_ns", .array(report.unfinishedNs.map { .integer($0) })),
            ("sizes", Tables.snapshotSizes.json(report)), ("chains", Tables.snapshotChains.json(report)),
            ("stability", Tables.stability.json(report)), ("fork_count", .integer(report.options.forks)),
            ("forks", Tables.forks.json(report)), ("contents", Tables.contents.json(report)),
        ])
    }
}
