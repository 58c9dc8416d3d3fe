import Model
import Platform
import Schemas

/// Rows that a chart, a table and a statement share: the page shows them, and ``sql`` gives the same ones.
package struct PageData: Sendable {
    package struct Column: Sendable {
        /// Name in SQL.
        package var key: String
        package var title: String
        package var kind: Kind

        init(_ key: String, _ title: String, _ kind: Kind) {
            self.key = key
            self.title = title
            self.kind = kind
        }
    }

    /// Name of the question in `schemas/charts`.
    package var name: String
    var title: String
    var note: String
    /// Columns in the order of the statement's.
    package var columns: [Column]
    /// Rows in the order of the statement's.
    package var rows: [[SQLValue]]
    package var sql: String
    /// Vega-Lite specification, if a picture says more.
    package var spec: String?

    init(_ name: String, title: String = "", note: String = "", _ columns: [Column], _ rows: [[SQLValue]]) {
        self.name = name
        self.title = title
        self.note = note
        self.columns = columns
        self.rows = rows
        sql = Schemas.charts[name]?.sql ?? ""
        spec = Schemas.charts[name]?.spec
    }

    /// What the page's script reads.
    var json: JSON {
        [
            "columns": JSON(columns) { [JSON($0.key), JSON($0.title), JSON($0.kind)] },
            "rows": JSON(rows) { JSON($0) { JSON($0) } },
        ]
    }
}

/// Rows of a statement that only the file can answer.
package typealias PageQuery = (_ sql: String) throws -> [[SQLValue]]

/// Every set of rows on the page.
enum PageSets {
    /// Those that only a file has.
    static let ofFile: Set = ["contents", "kvm_stats"]

    /// - Parameter query: Runs a statement on the recording: for what the analysis does not hold.
    static func all(_ report: HTMLReport, query: PageQuery) throws -> [PageData] {
        let analysis = report.analysis
        func limited(_ data: PageData) -> PageData {
            var data = data
            data.sql = data.sql.replacing("LIMIT 64", with: "LIMIT \(report.topPages)")
            return data
        }
        // Without an entry there is nothing to weigh.
        func withEntries(_ data: PageData) -> PageData {
            var data = data
            if analysis.counts.entries == 0 { data.rows = [] }
            return data
        }
        func withCadences(_ data: PageData) -> PageData {
            var data = data
            let cadences = Set(report.snapshots.sizes.map(\.cadenceNs)).sorted().map { "(\($0))" }
            if !cadences.isEmpty {
                data.sql = data.sql.replacing("(1000000000)", with: cadences.joined(separator: ", "))
            }
            return data
        }
        var statistics = Tables.statisticRows.page([])
        statistics.rows = try query(statistics.sql)
        var contents = Tables.contentRows.page([])
        contents.rows = try query(contents.sql)
        return [
            Tables.rate.page(report), Tables.layers.page(report), Tables.costs.page(report),
            Tables.stalls.page(report), Tables.iterations.page(report), Tables.workingSetCourse.page(analysis),
            Tables.workingSetWindows.page(analysis), Tables.footprint.page(analysis), Tables.redirty.page(analysis),
            withEntries(Tables.granularity.page(analysis)), limited(Tables.hottest.page(analysis)),
            limited(Tables.sharedPages.page(analysis)), Tables.rings.page(analysis),
            Tables.sharingPairs.page(analysis), Tables.ringWhatIf.page(analysis),
            withEntries(Tables.checkpoints.page(analysis)), withCadences(Tables.snapshotSizes.page(report.snapshots)),
            contents,
            Tables.lossList.page(report), statistics,
        ]
    }
}
