import Analysis

package enum JSONSnapshots {
    package static func render(_ report: SnapshotReport) -> JSON {
        let cost = report.options.cost
        return [
            "format_version": JSON(JSONReport.formatVersion), "page_size": JSON(report.pageSize),
            "memory_pages": JSON(report.memoryPages), "memory_basis": JSON(report.memoryBasis),
            "losses": JSON(report.losses), "coalesce_bytes": JSON(report.options.coalesce),
            "cost": [
                "write_bytes_per_s": JSON(cost.bytesPerSecond), "per_extent_ns": JSON(cost.perExtentNs),
                "pause_base_ns": JSON(cost.baseNs), "full_ns": JSON(report.fullNs),
            ],
            "unfinished_ns": JSON(report.unfinishedNs) { JSON($0) }, "sizes": Tables.snapshotSizes.json(report),
            "chains": Tables.snapshotChains.json(report), "stability": Tables.stability.json(report),
            "fork_count": JSON(report.options.forks), "forks": Tables.forks.json(report),
            "contents": Tables.contents.json(report), "looks_failed": JSON(report.looksFailed),
            "looks_early": JSON(report.looksEarly),
        ]
    }
}
