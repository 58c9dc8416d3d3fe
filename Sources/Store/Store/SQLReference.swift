/// `docs/sql.md`: everything that SQL may rely on, in one page made from the comments in `schemas/`.
package enum SQLReference {
    package static var markdown: String {
        var page = Page()
        page.add("# SQL reference")
        page.add(
            """
            Made by `dirtyrec sql --reference` from the comments in `schemas/`; a test compares. Schema version \
            \(Schema.version). Names and the order of columns are a contract: they change with the version only.
            """)
        page.add(
            """
            [Views](#views) answer most questions, [named queries](#named-queries) the usual ones; both are made of the \
            [tables](#tables). Times are integer nanoseconds on CLOCK_MONOTONIC of the recording host unless a column \
            says otherwise; `recording.wall_offset_ns` leads to wall-clock time.
            """)
        page.add("## Views")
        page.add("In every recording, for every SQLite tool.")
        for object in SchemaCatalog.objects where object.kind == .view { page.add(object) }
        page.add("## Named queries")
        page.add("`dirtyrec sql FILE --query AREA/NAME --set PARAMETER=VALUE`. The value `none` is NULL.")
        for query in NamedQuery.all { page.add(query) }
        page.add("## Fleet queries")
        page.add(
            "`dirtyrec fleet DIR --query NAME --set PARAMETER=VALUE`, over Parquet made by `dirtyrec export --parquet` "
                + "([scale.md](scale.md)); there every table has the column `recording`, the id.")
        for query in NamedQuery.fleet { page.add(query) }
        page.add("## Tables")
        for object in SchemaCatalog.objects where object.kind == .table { page.add(object) }
        return page.text
    }

    private struct Page {
        private(set) var text = ""

        mutating func add(_ paragraph: String) { text += (text.isEmpty ? "" : "\n") + paragraph + "\n" }

        mutating func add(_ object: SchemaCatalog.Object) {
            add("### \(object.name)")
            add(Page.cell(object.description))
            add(Page.table(["column", "meaning"], object.columns.map { ["`\($0.name)`", $0.description] }))
        }

        mutating func add(_ query: NamedQuery) {
            add("### \(query.name)")
            add(Page.cell(query.description))
            if !query.parameters.isEmpty {
                add(
                    Page.table(
                        ["parameter", "type", "default", "meaning"],
                        query.parameters.map { ["`\($0.name)`", $0.kind.rawValue, $0.defaultText, $0.description] }))
            }
            add(Page.table(["column", "meaning"], query.columns.map { ["`\($0.name)`", $0.description] }))
        }

        private static func table(_ header: [String], _ rows: [[String]]) -> String {
            ([header, header.map { _ in "---" }] + rows.map { $0.map(cell) })
                .map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
        }

        /// `_` and `*` stand within words only; what could end a cell or begin markup does not.
        private static func cell(_ text: String) -> String {
            var escaped = ""
            for character in text {
                escaped += character == "|" || character == "<" ? "\\\(character)" : "\(character)"
            }
            return escaped
        }
    }
}
