import Analysis
import Model

/// A flat table, declared once: the text, the JSON, the page and docs/json-output.md are made of this declaration.
///
/// What a figure is, is computed by the analysis; here it gets its names. The statement that gives the same rows from the
/// file (`schemas/charts`) is written apart, as an oracle.
struct Table<Context, Row> {
    /// Where a column is shown.
    struct Media: OptionSet {
        let rawValue: Int
        static var text: Media { Media(rawValue: 1) }
        static var json: Media { Media(rawValue: 2) }
        static var page: Media { Media(rawValue: 4) }
        static var all: Media { [.text, .json, .page] }
    }

    struct Column {
        var key: String
        var heading: String
        var kind: Kind
        /// One sentence for the documentation.
        var meaning: String
        /// Its unit in the documentation, where its kind does not say it.
        var unit: String?
        var media: Media
        var value: (Row, Context) -> SQLValue
        /// The lower end of a bracket, whose higher one is ``value``.
        var low: ((Row, Context) -> SQLValue)?
        /// What the text says instead of the figure alone.
        var words: ((Row, Context) -> String)?

        init(
            _ key: String, _ heading: String, _ kind: Kind, unit: String? = nil, in media: Media = .all,
            _ meaning: String = "", words: ((Row, Context) -> String)? = nil,
            value: @escaping (Row, Context) -> SQLValue
        ) {
            self.key = key
            self.heading = heading
            self.kind = kind
            self.meaning = meaning
            self.unit = unit
            self.media = media
            self.value = value
            self.words = words
        }

        init<Figure: TableFigure>(
            _ key: String, _ heading: String, _ kind: Kind, _ figure: KeyPath<Row, Figure>, unit: String? = nil,
            in media: Media = .all, _ meaning: String = "", words: ((Row, Context) -> String)? = nil
        ) {
            self.init(key, heading, kind, unit: unit, in: media, meaning, words: words) { row, _ in
                row[keyPath: figure].tableValue
            }
        }

        /// A bracket: in text `low..high`, in JSON two keys: `x`, its high end, null when unknown, and `x_low`.
        static func bracket(
            _ key: String, _ heading: String, _ kind: Kind, _ figure: @escaping (Row) -> Bracket?, unit: String? = nil,
            in media: Media = [.text, .json], _ meaning: String = "", words: ((Row, Context) -> String)? = nil
        ) -> Column {
            func print(_ number: Int64) -> String { kind.format(.integer(number), missing: "") }
            var column = Column(
                key, heading, kind, unit: unit, in: media, "*bracket*" + (meaning.isEmpty ? "" : ": " + meaning),
                words: words ?? { row, _ in Text.bracket(figure(row), print) }
            ) { row, _ in (figure(row)?.high).tableValue }
            column.low = { row, _ in (figure(row)?.low).tableValue }
            return column
        }
    }

    /// Where the JSON has it, such as `checkpoints` or `sharing.pairs`; on the page its last word names the statement,
    /// unless ``set`` does.
    var name: String
    var set: String?
    var title: String
    var note: String
    /// The most rows that the page gets.
    var pageLimit = Int.max
    var rows: (Context) -> [Row]
    var columns: [Column]

    init(
        _ name: String, set: String? = nil, title: String, note: String = "", pageLimit: Int = .max,
        rows: @escaping (Context) -> [Row], columns: [Column]
    ) {
        self.name = name
        self.set = set
        self.title = title
        self.note = note
        self.pageLimit = pageLimit
        self.rows = rows
        self.columns = columns
    }

    // MARK: What is made of it

    func json(_ context: Context) -> JSON { json(rows(context), context) }

    /// Other rows of the same kind.
    func json(_ rows: [Row], _ context: Context) -> JSON {
        .array(rows.map { object($0, context) })
    }

    func object(_ row: Row, _ context: Context) -> JSON {
        .object(
            columns.filter { $0.media.contains(.json) }.flatMap { column in
                let value = column.value(row, context)
                let member = (column.key, column.kind == .flag ? .bool(value == .integer(1)) : JSON(value))
                return [member] + (column.low.map { [(column.key + "_low", JSON($0(row, context)))] } ?? [])
            })
    }

    /// A row of brackets as pairs `[low, high]`, null where nothing is known.
    func pairs(_ row: Row, _ context: Context) -> JSON {
        JSON(columns) { column in
            guard let low = column.low?(row, context), low != .null else { return .null }
            return [JSON(low), JSON(column.value(row, context))]
        }
    }

    func text(_ context: Context) -> Columns { text(rows(context), context) }

    func text(_ rows: some Sequence<Row>, _ context: Context) -> Columns {
        let shown = columns.filter { $0.media.contains(.text) }
        var table = Columns(
            shown.map(\.heading), right: Set(shown.indices.filter { shown[$0].kind.isNumber }))
        for row in rows {
            table.add(
                shown.map { $0.words?(row, context) ?? $0.kind.format($0.value(row, context), missing: "-") })
        }
        return table
    }

    func page(_ context: Context) -> PageData {
        let shown = columns.filter { $0.media.contains(.page) }
        return PageData(
            set ?? String(name.split(separator: ".").last ?? ""), title: title, note: note,
            shown.map { PageData.Column($0.key, $0.heading, $0.kind) },
            rows(context).prefix(pageLimit).map { row in shown.map { $0.value(row, context) } })
    }

    /// Its keys in JSON, as docs/json-output.md lists them; the lower end of a bracket goes without saying.
    var documentation: [String] {
        columns.filter { $0.media.contains(.json) && !$0.meaning.isEmpty }.map { column in
            "| `\(name)[].\(column.key)` | \(column.unit ?? column.kind.unit) | \(column.meaning) |"
        }
    }
}

protocol TableFigure {
    var tableValue: SQLValue { get }
}

extension Int64: TableFigure { var tableValue: SQLValue { .integer(self) } }
extension Int: TableFigure { var tableValue: SQLValue { .integer(Int64(self)) } }
extension Double: TableFigure { var tableValue: SQLValue { .real(self) } }
extension String: TableFigure { var tableValue: SQLValue { .text(self) } }
extension Optional: TableFigure where Wrapped: TableFigure {
    var tableValue: SQLValue { self?.tableValue ?? .null }
}
