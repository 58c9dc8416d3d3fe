import Analysis
import Model

/// One part of a text report: a title, and lines below it.
struct Section {
    var title: String
    private(set) var lines: [String] = []
    /// Names and values, for pages that lay them out by themselves.
    private(set) var fields: [(String, String)] = []

    init(_ title: String) { self.title = title }

    mutating func field(_ name: String, _ value: String, width: Int = 13) {
        fields.append((name, value))
        lines.append("  " + name + String(repeating: " ", count: max(1, width + 2 - name.count)) + value)
    }

    mutating func table(_ columns: Columns) { lines += columns.lines }

    /// A sentence, broken at 118 columns.
    mutating func note(_ sentence: String, indent: Int = 2) {
        let margin = String(repeating: " ", count: indent - 1)
        var line = margin
        for word in sentence.split(separator: " ") {
            if DisplayWidth.of(line) + DisplayWidth.of(String(word)) + 1 > 118 {
                lines.append(line)
                line = margin
            }
            line += " " + word
        }
        lines.append(line)
    }

    /// Title and lines, ending with a newline.
    var text: String { title + "\n" + lines.joined(separator: "\n") + "\n" }
}

/// How figures are written in text reports.
enum Text {
    /// One figure, or `low..high` with their unit once if it is the same, or `≥ low`.
    static func bracket(_ low: Int64, _ high: Int64?, _ print: (Int64) -> String) -> String {
        let least = print(low)
        guard let high else { return "≥ " + least }
        let most = print(high)
        if least == most { return most }
        let unit = least.lastIndex(of: " ").map { least[$0...] } ?? ""
        return (unit.isEmpty || !most.hasSuffix(unit) ? least : String(least.dropLast(unit.count))) + ".." + most
    }

    static func bracket(_ bracket: Bracket?, _ print: (Int64) -> String) -> String {
        bracket.map { self.bracket($0.low, $0.high, print) } ?? "-"
    }

    static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

    /// The `limit` rings with the most entries, in the order of vCPUs.
    static func mostEntries(_ rings: [RingUse], _ limit: Int) -> [RingUse] {
        rings.sorted { $0.duplicates.entries > $1.duplicates.entries }.prefix(limit)
            .sorted { ($0.vcpu ?? -1, $0.source.rawValue) < ($1.vcpu ?? -1, $1.source.rawValue) }
    }
}
