import Analysis
import Model
import Platform
import Schemas

/// Rows that a chart, a table and a statement share: the page shows them, and ``sql`` gives the same ones.
package struct PageData: Sendable {
    /// How a figure is written.
    package enum Kind: String, Sendable {
        /// Free text.
        case text
        /// A whole number.
        case count
        /// A number with two decimals.
        case decimal
        /// Seconds with three decimals.
        case seconds
        /// Nanoseconds, shown in a fitting unit.
        case nanoseconds
        /// Bytes, shown in a fitting unit.
        case bytes
        /// A share of 1.
        case share
        /// A page or an address.
        case hex
        /// Events a second.
        case rate
        /// Bytes a second, shown in a fitting unit.
        case dataRate
    }

    /// One column.
    package struct Column: Sendable {
        /// Name in SQL.
        package var key: String
        /// Heading.
        package var title: String
        /// How its figures are written.
        package var kind: Kind

        init(_ key: String, _ title: String, _ kind: Kind) {
            self.key = key
            self.title = title
            self.kind = kind
        }
    }

    /// Name of the question in `schemas/charts`.
    package var name: String
    /// Columns in the order of the statement's.
    package var columns: [Column]
    /// Rows in the order of the statement's.
    package var rows: [[JSON]]
    /// The statement, as printed on the page.
    package var sql: String
    /// Vega-Lite specification, if a picture says more.
    package var spec: String?

    init(_ name: String, _ columns: [Column], _ rows: [[JSON]]) {
        self.name = name
        self.columns = columns
        self.rows = rows
        sql = Schemas.charts[name]?.sql ?? ""
        spec = Schemas.charts[name]?.spec
    }

    /// What the page's script reads.
    var json: JSON {
        .object([
            (
                "columns",
                .array(
                    columns.map { .array([.string($0.key), .string($0.title), .string($0.kind.rawValue)]) })
            ),
            ("rows", .array(rows.map { .array($0) })),
        ])
    }
}

extension PageData.Kind {
    /// Whether its figures are aligned to the right.
    var isNumber: Bool { self != .text }

    /// A figure as people read it; what is not there is a dash.
    func format(_ value: JSON) -> String {
        switch value {
        case .integer(let number): format(number)
        case .number(let number): format(number)
        case .string(let text): Sanitizer.line(text)
        case .bool(let value): value ? "yes" : "no"
        default: "–"
        }
    }

    private func format(_ number: Int64) -> String {
        switch self {
        case .text: String(number)
        case .count: Units.count(number)
        case .nanoseconds: number == 0 ? "0" : Units.duration(number)
        case .bytes: Units.size(number)
        case .hex: Text.hex(UInt64(bitPattern: number))
        case .decimal, .seconds, .share, .rate, .dataRate: format(Double(number))
        }
    }

    private func format(_ number: Double) -> String {
        switch self {
        case .decimal: Units.fixed(number, decimals: 2)
        case .seconds: Units.fixed(number, decimals: 3)
        case .share: Units.percent(number)
        case .rate: Units.rate(number)
        case .dataRate: Units.dataRate(number)
        case .count where number == number.rounded() && number.magnitude < 9e15: Units.count(Int64(number))
        case .nanoseconds where number.magnitude < 9e15: Units.duration(Int64(number))
        case .bytes where number.magnitude < 9e15: Units.size(Int64(number))
        default: Units.fixed(number, decimals: 1)
        }
    }
}
