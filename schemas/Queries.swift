extension Schemas {
    /// A named query: `area/name` of its file in `queries/`, or the name of its file in `fleet/`.
    package struct Query: Sendable {
        /// `area/name`; of a fleet query, `name`.
        package let name: String
        /// Its documentation, as a comment, and its statement.
        package let sql: String

        fileprivate init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            sql = String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Every named query, area by area, the most useful first. The compiler gives a constant for each file but no list of
    /// them, so the list stands here; a test compares it with the folder.
    package static let queries = [
        Query("working_set/window", PackageResources.window_sql),
        Query("working_set/growth", PackageResources.growth_sql),
        Query("working_set/redirty", PackageResources.redirty_sql),
        Query("working_set/granularity", PackageResources.granularity_sql),
        Query("duplicates/total", PackageResources.total_sql),
        Query("duplicates/by_iteration", PackageResources.by_iteration_sql),
        Query("duplicates/redirtied", PackageResources.redirtied_sql),
        Query("duplicates/top_shared", PackageResources.top_shared_sql),
        Query("duplicates/by_vcpus", PackageResources.by_vcpus_sql),
        Query("duplicates/shared", PackageResources.shared_sql),
        Query("duplicates/sharing_matrix", PackageResources.sharing_matrix_sql),
        Query("order/runs", PackageResources.runs_sql),
        Query("order/restored", PackageResources.restored_sql),
        Query("order/strides", PackageResources.strides_sql),
        Query("convergence/link", PackageResources.link_sql),
        Query("convergence/vcpus", PackageResources.vcpus_sql),
        Query("convergence/hot_pages", PackageResources.hot_pages_sql),
        Query("convergence/best_start", PackageResources.best_start_sql),
        Query("convergence/average_model", PackageResources.average_model_sql),
        Query("convergence/migration_passes", PackageResources.migration_passes_sql),
        Query("snapshots/diffs", PackageResources.diffs_sql),
        Query("snapshots/stability", PackageResources.stability_sql),
        Query("snapshots/contents", PackageResources.contents_sql),
        Query("cost/steps", PackageResources.steps_sql),
        Query("cost/slowest", PackageResources.slowest_sql),
        Query("cost/ring_full", PackageResources.ring_full_sql),
        Query("cost/statistics", PackageResources.statistics_sql),
        Query("pages/hottest", PackageResources.hottest_sql),
        Query("pages/by_share", PackageResources.by_share_sql),
        Query("pages/regions", PackageResources.regions_sql),
        Query("pages/slots", PackageResources.slots_sql),
        Query("pages/history", PackageResources.history_sql),
    ]

    /// Every fleet query, the most useful first; a test compares the list with the folder `fleet`.
    package static let fleetQueries = [
        Query("overview", PackageResources.overview_sql),
        Query("outliers", PackageResources.outliers_sql),
        Query("rate_distribution", PackageResources.rate_distribution_sql),
        Query("wws_distribution", PackageResources.wws_distribution_sql),
        Query("worst_convergers", PackageResources.worst_convergers_sql),
        Query("fork_memory", PackageResources.fork_memory_sql),
        Query("duplicates_by_vcpus", PackageResources.duplicates_by_vcpus_sql),
        Query("harvest_cost", PackageResources.harvest_cost_sql),
        Query("label_regressions", PackageResources.label_regressions_sql),
        Query("hottest_regions", PackageResources.hottest_regions_sql),
        Query("labels", PackageResources.labels_sql),
        Query("labelled", PackageResources.labelled_sql),
        Query("totals", PackageResources.totals_sql),
    ]
}
