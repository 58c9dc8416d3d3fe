/// The SQL of the file, embedded in the program.
package enum Schemas {
    /// One step from a schema version to the next.
    package struct Migration: Sendable {
        /// `PRAGMA user_version` after the step.
        package let version: Int
        /// The step in a word.
        package let name: String
        /// Its statements.
        package let sql: String
    }

    /// Every migration in order. The last one's version is the version that this program writes.
    package static let migrations = [
        Migration(version: 1, name: "tables", sql: text(PackageResources.v1_sql))
    ]

    /// Tables that only those recordings have which asked for what they hold. They are no part of a schema version: who does not know
    /// them reads the rest.
    package static let optional = [
        PackageResources.page_content_sql, PackageResources.harvest_span_sql, PackageResources.migration_sql,
    ].map(text)

    /// Definitions of the public views, in an order in which they can be created.
    package static let views = [PackageResources.dirty_sql, PackageResources.rates_sql, PackageResources.pages_sql]
        .map(text)

    /// A question with its answer in SQL and, where a picture says more, its picture.
    package struct Chart: Sendable {
        /// Name of the question and of its data.
        package let name: String
        /// One statement that answers it on any finished recording.
        package let sql: String
        /// Vega-Lite specification that reads the answer's rows as the data set ``name``; nil where a table is all.
        package let spec: String?
    }

    /// The questions of the HTML report, by name; notebooks can run the same statements and draw the same pictures.
    package static let charts: [String: Chart] = Dictionary(
        uniqueKeysWithValues: [
            ("checkpoints", PackageResources.checkpoints_sql, PackageResources.checkpoints_vl_json),
            ("contents", PackageResources.chart_contents_sql, nil),
            ("convergence", PackageResources.convergence_sql, nil),
            ("costs", PackageResources.costs_sql, PackageResources.costs_vl_json),
            ("footprint", PackageResources.footprint_sql, PackageResources.footprint_vl_json),
            ("granularity", PackageResources.chart_granularity_sql, PackageResources.granularity_vl_json),
            ("hottest", PackageResources.chart_hottest_sql, nil),
            ("iterations", PackageResources.iterations_sql, nil),
            ("kvm_stats", PackageResources.kvm_stats_sql, nil),
            ("losses", PackageResources.losses_sql, nil),
            ("rate", PackageResources.rate_sql, PackageResources.rate_vl_json),
            ("redirty", PackageResources.chart_redirty_sql, PackageResources.redirty_vl_json),
            ("ring_what_if", PackageResources.ring_what_if_sql, PackageResources.ring_what_if_vl_json),
            ("rings", PackageResources.rings_sql, nil),
            ("shared", PackageResources.chart_shared_sql, nil),
            ("sharing", PackageResources.sharing_sql, PackageResources.sharing_vl_json),
            ("snapshots", PackageResources.chart_snapshots_sql, nil),
            ("stalls", PackageResources.stalls_sql, PackageResources.stalls_vl_json),
            ("vcpus", PackageResources.chart_vcpus_sql, PackageResources.vcpus_vl_json),
            ("working_set", PackageResources.working_set_sql, PackageResources.working_set_vl_json),
            ("working_set_windows", PackageResources.working_set_windows_sql, nil),
        ].map { name, sql, spec in (name, Chart(name: name, sql: text(sql), spec: spec.map(text))) })

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
