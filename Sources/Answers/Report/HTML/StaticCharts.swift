import Model

/// The static picture of each question.
enum StaticCharts {
    /// A picture's SVG, and the names of its colours.
    static func draw(_ data: PageData, title: String, isWide: Bool) -> (svg: String, legend: [String]) {
        switch data.name {
        case "rate":
            let plot = StaticPlot(
                title: title, shape: .step,
                series: [
                    .init(name: "unique pages", points: points(data, "start_s", "unique_pages_per_s")),
                    .init(name: "entries", points: points(data, "start_s", "entries_per_s")),
                ], xTitle: "seconds since the recording began")
            return (plot.svg, plot.series.map(\.name))
        case "working_set":
            return grouped(
                data, title, by: "ticks", "end_s", "pages", name: { $0 == "1" ? "1 iteration" : "\($0) iterations" })
        case "costs": return grouped(data, title, by: "step", "start_s", "ms")
        case "vcpus": return grouped(data, title, by: "who", "start_s", "entries_per_s", shape: .area, isWide: isWide)
        case "stalls":
            return (
                StaticPlot(
                    title: title, shape: .area,
                    series: [.init(name: "", points: points(data, "start_s", "stall_ms"))],
                    xTitle: "seconds since the recording began"
                ).svg, []
            )
        case "footprint":
            return (
                StaticPlot(
                    title: title, series: [.init(name: "", points: points(data, "seconds", "pages"))],
                    xTitle: "window (s)", isLogX: true
                ).svg, []
            )
        case "redirty":
            return (
                StaticPlot(
                    title: title, shape: .step,
                    series: [.init(name: "", points: points(data, "last_ticks", "share"))],
                    xTitle: "iterations until dirty again", isLogX: true, yFormat: .percent, yMax: 1
                ).svg, []
            )
        case "checkpoints":
            let chain = points(data, "cadence_ns", "chain_bytes").map { ($0.x / 1e9, $0.y / 1_048_576) }
            let largest = points(data, "cadence_ns", "largest_bytes").map { ($0.x / 1e9, $0.y / 1_048_576) }
            let plot = StaticPlot(
                title: title,
                series: [.init(name: "whole chain", points: chain), .init(name: "largest increment", points: largest)],
                xTitle: "seconds between checkpoints", isLogX: true, width: isWide ? 1160 : 560)
            return (plot.svg, plot.series.map { $0.name + " (MiB)" })
        case "granularity":
            return (
                bars(
                    title,
                    points(data, "bytes", "amplification").map {
                        (Units.size(Int64($0.x)), $0.y, Units.times($0.y))
                    }), []
            )
        case "ring_what_if":
            return (
                bars(
                    title,
                    points(data, "ring_entries", "full_exits").map {
                        (Units.count(Int64($0.x)), $0.y, Units.count(Int64($0.y)))
                    }), []
            )
        case "sharing": return (matrix(data, title), [])
        default: return ("", [])
        }
    }

    // MARK: Shapes

    private static func grouped(
        _ data: PageData, _ title: String, by key: String, _ x: String, _ y: String,
        shape: StaticPlot.Shape = .line, name: (String) -> String = { $0 }, isWide: Bool = false
    ) -> (String, [String]) {
        guard let group = place(data, key) else { return ("", []) }
        var groups: [SQLValue] = []
        for row in data.rows where !groups.contains(row[group]) { groups.append(row[group]) }
        let series = groups.map { value in
            var part = data
            part.rows = data.rows.filter { $0[group] == value }
            return StaticPlot.Series(
                name: name(data.columns[group].kind.format(value, missing: "")), points: points(part, x, y))
        }
        let plot = StaticPlot(
            title: title, shape: shape, series: series, xTitle: "seconds since the recording began",
            width: isWide ? 1160 : 560)
        return (plot.svg, series.map(\.name))
    }

    /// Bars with a name before and a figure behind them.
    private static func bars(_ title: String, _ bars: [(name: String, value: Double, figure: String)]) -> String {
        let most = max(bars.map(\.value).max() ?? 0, 1e-9)
        let step = 24.0
        var svg = StaticPlot.open(title, 560, Double(bars.count) * step + 8)
        for (row, bar) in bars.enumerated() {
            let y = Double(row) * step + 6
            let width = bar.value / most * 380
            svg += StaticPlot.text(74, y + 13, bar.name, "end")
            svg +=
                "<rect class=\"bar\" x=\"82\" y=\"\(StaticPlot.n(y))\" width=\"\(StaticPlot.n(max(width, bar.value > 0 ? 1 : 0)))\" height=\"17\"/>"
            svg += StaticPlot.text(90 + width, y + 13, bar.figure, "start")
        }
        return svg + "</svg>"
    }

    /// vCPU against vCPU; the more pages two share, the darker. The first 24 vCPUs.
    private static func matrix(_ data: PageData, _ title: String) -> String {
        let pairs = data.rows.map { row in row.compactMap(number) }.filter { $0.count == 3 }
        let vcpus = Set(pairs.flatMap { $0.prefix(2) }).sorted().prefix(24)
        let most = pairs.map { $0[2] }.max() ?? 1
        let cell = 28.0
        let side = Double(vcpus.count) * cell + 40
        var svg = StaticPlot.open(title, max(side, 240), side, isFixed: true)
        for (place, vcpu) in vcpus.enumerated() {
            let at = 36 + Double(place) * cell + cell / 2
            svg += StaticPlot.text(at, 24, StaticPlot.n(vcpu), "middle")
            svg += StaticPlot.text(28, at + 4, StaticPlot.n(vcpu), "end")
        }
        for pair in pairs {
            guard let one = vcpus.firstIndex(of: pair[0]), let other = vcpus.firstIndex(of: pair[1]) else { continue }
            let color = String(Palette.heat(pair[2] / most), radix: 16)
            for (x, y) in [(one, other), (other, one)] {
                svg +=
                    "<rect x=\"\(StaticPlot.n(36 + Double(x) * cell))\" y=\"\(StaticPlot.n(36 + Double(y) * cell))\" width=\"26\" height=\"26\" fill=\"#\(String(repeating: "0", count: 6 - color.count) + color)\"><title>vCPU \(StaticPlot.n(pair[0])) and \(StaticPlot.n(pair[1])): \(Units.counted(Int64(pair[2]), "page", "pages"))</title></rect>"
            }
        }
        return svg + "</svg>"
    }

    // MARK: Rows

    private static func place(_ data: PageData, _ key: String) -> Int? { data.columns.firstIndex { $0.key == key } }

    static func points(_ data: PageData, _ x: String, _ y: String) -> [(x: Double, y: Double)] {
        guard let x = place(data, x), let y = place(data, y) else { return [] }
        return data.rows.compactMap { row in
            guard let a = number(row[x]), let b = number(row[y]) else { return nil }
            return (a, b)
        }
    }

    private static func number(_ value: SQLValue) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .real(let number): number
        case .null, .text, .blob: nil
        }
    }
}
