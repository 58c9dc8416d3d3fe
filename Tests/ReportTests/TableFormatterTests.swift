import Model
import Report
import Testing

@Suite struct TableFormatterTests {
    private func render(_ format: TableFormat, _ columns: [String], _ rows: [[SQLValue]]) -> String {
        final class Output { var text = "" }
        let output = Output()
        var table = TableFormatter(format, columns: columns) { output.text += $0 }
        for row in rows { table.add(row) }
        table.finish()
        return output.text
    }
    private let columns = ["gfn", "name"]
    private let rows: [[SQLValue]] = [
        [.integer(7), .text("a,b \"c\"\n|")], [.null, .blob([0, 255])], [.real(1.5), .text("\u{1b}[2J\t")],
    ]

    @Test func `a table is aligned, and harmless on a terminal`() {
        #expect(
            render(.table, columns, rows) == """
                gfn  name
                ---  --------------
                  7  a,b "c"\\u{a}|
                  -  00ff
                1.5  \\u{1b}[2J\\u{9}

                """)
    }
    @Test func `a table has six digits of a number, other formats all of them`() {
        let rows: [[SQLValue]] = [[.real(1.0 / 3)], [.real(0.1 + 0.2)], [.real(12_345_678.9)], [.real(12295)]]
        #expect(render(.table, ["share"], rows) == "   share\n--------\n0.333333\n     0.3\n12345679\n   12295\n")
        #expect(render(.csv, ["share"], rows).contains("0.30000000000000004"))
    }
    @Test func `csv follows RFC 4180`() {
        #expect(
            render(.csv, columns, rows) == "gfn,name\r\n7,\"a,b \"\"c\"\"\n|\"\r\n,00ff\r\n1.5,\u{1b}[2J\t\r\n")
    }
    @Test func `csv quotes a lone carriage return and CRLF`() {
        #expect(render(.csv, ["a"], [[.text("x\r\ny")], [.text("\r")]]) == "a\r\n\"x\r\ny\"\r\n\"\r\"\r\n")
    }
    @Test func `tsv escapes its separators`() {
        #expect(render(.tsv, columns, rows) == "gfn\tname\n7\ta,b \"c\"\\n|\n\t00ff\n1.5\t\u{1b}[2J\\t\n")
    }
    @Test func `json is one array`() {
        #expect(
            render(.json, columns, rows)
                == "[\n{\"gfn\":7,\"name\":\"a,b \\\"c\\\"\\n|\"},\n{\"gfn\":null,\"name\":\"00ff\"},\n"
                + "{\"gfn\":1.5,\"name\":\"\\u001b[2J\\t\"}\n]\n")
        #expect(render(.json, columns, []) == "[]\n")
    }
    @Test func `jsonl is an object a line`() {
        #expect(render(.jsonl, ["a"], [[.integer(1)], [.integer(2)]]) == "{\"a\":1}\n{\"a\":2}\n")
    }
    @Test func `markdown escapes its separator`() {
        #expect(
            render(.markdown, columns, rows)
                == "| gfn | name |\n|---|---|\n| 7 | a,b \"c\"\\u{a}\\| |\n|  | 00ff |\n| 1.5 | \\u{1b}[2J\\u{9} |\n")
    }
    @Test func `an empty table still has its header`() {
        #expect(render(.table, columns, []) == "gfn  name\n---  ----\n")
        #expect(render(.csv, columns, []) == "gfn,name\r\n")
    }
    @Test func `rows stream beyond those that were aligned`() {
        let many = (0..<1500).map { [SQLValue.integer($0)] }
        let lines = render(.table, ["n"], many).split(separator: "\n")
        #expect(lines.count == 1502)
        #expect(lines.last == "1499")
    }
}
