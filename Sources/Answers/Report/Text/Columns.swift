/// Rows of short texts as aligned columns, indented by two spaces: the tables of the text reports.
struct Columns {
    /// Which columns are numbers, right-aligned; all others are left-aligned.
    var right: Set<Int>
    private var rows: [[String]]

    init(_ header: [String], right: Set<Int>) {
        self.right = right
        rows = [header]
    }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// One more column of numbers, with a cell for each row that there is.
    mutating func append(_ heading: String, _ cells: [String]) {
        right.insert(rows[0].count)
        for (row, cell) in ([heading] + cells).enumerated() { rows[row].append(cell) }
    }

    var lines: [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { column < $0.count ? DisplayWidth.of($0[column]) : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = "  "
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - DisplayWidth.of(cell))
                line += (column == 0 ? "" : "  ") + (right.contains(column) ? padding + cell : cell + padding)
            }
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}

/// How many terminal cells a text takes.
enum DisplayWidth {
    static func of(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x300...0x36f, 0x200b...0x200f, 0xfe00...0xfe0f: 0
        case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
            0x1f300...0x1faff, 0x20000...0x3fffd:
            2
        default: 1
        }
    }
}
