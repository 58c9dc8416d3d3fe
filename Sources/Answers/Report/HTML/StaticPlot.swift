import Foundation
import Model
import Platform

/// A picture that needs no script: lines, steps, stacked areas or bars over one horizontal axis, as SVG.
struct StaticPlot {
    enum Shape { case line, step, area }
    enum Format { case plain, percent, seconds }
    struct Series {
        var name: String
        var points: [(x: Double, y: Double)]
    }

    var title: String
    var shape = Shape.line
    var series: [Series] = []
    var xTitle: String
    var isLogX = false
    var yFormat = Format.plain
    /// At least this much is shown.
    var yMax = 0.0
    var width = 560.0

    private static let height = 232.0
    private static let left = 58.0
    private static let right = 12.0
    private static let top = 14.0
    private static let bottom = 40.0

    /// The picture; empty when there is nothing to draw.
    var svg: String {
        let points = series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite && (!isLogX || $0.x > 0) }
        guard let first = points.map(\.x).min(), let last = points.map(\.x).max() else { return "" }
        let stacked =
            shape == .area ? Self.stack(series) : series.map { ($0, [Double](repeating: 0, count: $0.points.count)) }
        let most = max(
            yMax,
            shape == .area
                ? stacked.flatMap { s in zip(s.0.points, s.1).map { $0.y + $1 } }.max() ?? 0
                : points.map(\.y).max() ?? 0)
        let ys = Self.ticks(to: most > 0 ? most : 1)
        let yTop = max(ys.last ?? 1, most)
        let x = { (value: Double) -> Double in
            let (a, b, v) = isLogX ? (log(first), log(last), log(max(value, first))) : (first, last, value)
            return Self.left + (b > a ? (v - a) / (b - a) : 0.5) * (width - Self.left - Self.right)
        }
        let y = { (value: Double) -> Double in
            Self.height - Self.bottom - value / yTop * (Self.height - Self.top - Self.bottom)
        }
        var svg = Self.open(title, width, Self.height)
        for tick in ys {
            svg +=
                "<line class=\"grid\" x1=\"\(Self.left)\" x2=\"\(width - Self.right)\" y1=\"\(Self.n(y(tick)))\" y2=\"\(Self.n(y(tick)))\"/>"
            svg += Self.text(Self.left - 8, y(tick) + 4, label(tick), "end")
        }
        for tick in isLogX ? Self.logTicks(first, last) : Self.ticks(from: first, to: last) {
            svg +=
                "<line class=\"tick\" x1=\"\(Self.n(x(tick)))\" x2=\"\(Self.n(x(tick)))\" y1=\"\(Self.height - Self.bottom)\" y2=\"\(Self.height - Self.bottom + 4)\"/>"
            svg += Self.text(x(tick), Self.height - Self.bottom + 17, Self.short(tick), "middle")
        }
        svg +=
            "<line class=\"axis\" x1=\"\(Self.left)\" x2=\"\(width - Self.right)\" y1=\"\(Self.height - Self.bottom)\" y2=\"\(Self.height - Self.bottom)\"/>"
        svg += Self.text((Self.left + width - Self.right) / 2, Self.height - 6, xTitle, "middle")
        for (place, (one, base)) in stacked.enumerated() {
            svg += path(one, base, place, x, y, last)
        }
        return svg + "</svg>"
    }

    private func label(_ value: Double) -> String {
        yFormat == .percent ? Units.fixed(value * 100, decimals: 0) + " %" : Self.short(value)
    }

    private func path(
        _ series: Series, _ base: [Double], _ place: Int, _ x: (Double) -> Double, _ y: (Double) -> Double,
        _ last: Double
    ) -> String {
        var upper = ""
        var previous: Double?
        for (point, below) in zip(series.points, base) where point.y.isFinite {
            let (px, py) = (Self.n(x(point.x)), Self.n(y(point.y + below)))
            if let previous, shape != .line { upper += "L\(px) \(Self.n(previous))" }
            upper += (previous == nil ? "M" : "L") + "\(px) \(py)"
            previous = y(point.y + below)
        }
        let color = "s\(place % 8)"
        guard shape == .area else { return "<path class=\"line \(color)\" d=\"\(upper)\"/>" }
        var lower = ""
        var next: Double?
        for (point, below) in zip(series.points, base).reversed() {
            lower += "L\(Self.n(x(next ?? point.x))) \(Self.n(y(below)))"
            lower += "L\(Self.n(x(point.x))) \(Self.n(y(below)))"
            next = point.x
        }
        return "<path class=\"area \(color)\" d=\"\(upper)\(lower)Z\"/>"
    }

    /// Each series on top of the ones before; all have the same horizontal places.
    private static func stack(_ series: [Series]) -> [(Series, [Double])] {
        var sums: [Double: Double] = [:]
        return series.map { one in
            let base = one.points.map { sums[$0.x, default: 0] }
            for point in one.points { sums[point.x, default: 0] += point.y }
            return (one, base)
        }
    }

    // MARK: Parts

    /// - Parameter isFixed: Whether the picture has a size of its own; others are as wide as their card.
    static func open(_ title: String, _ width: Double, _ height: Double, isFixed: Bool = false) -> String {
        "<svg role=\"img\" aria-label=\"\(HTML.escape(title))\" viewBox=\"0 0 \(n(width)) \(n(height))\" preserveAspectRatio=\"xMinYMin meet\""
            + (isFixed ? " width=\"\(n(width))\" height=\"\(n(height))\">" : ">")
    }

    static func text(_ x: Double, _ y: Double, _ text: String, _ anchor: String) -> String {
        "<text x=\"\(n(x))\" y=\"\(n(y))\" text-anchor=\"\(anchor)\">\(HTML.escape(text))</text>"
    }

    /// A coordinate with one decimal.
    static func n(_ value: Double) -> String { Units.fixed(value, decimals: value == value.rounded() ? 0 : 1) }

    /// A figure on an axis: `0.25`, `40`, `12k`, `3M`.
    static func short(_ value: Double) -> String {
        let (scaled, unit) =
            abs(value) >= 1e9
            ? (value / 1e9, "G")
            : abs(value) >= 1e6 ? (value / 1e6, "M") : abs(value) >= 1e3 ? (value / 1e3, "k") : (value, "")
        for decimals in 0...3
        where abs(scaled - (Double(Units.fixed(scaled, decimals: decimals)) ?? 0)) < 1e-9 * max(1, abs(scaled)) {
            return Units.fixed(scaled, decimals: decimals) + unit
        }
        return Units.fixed(scaled, decimals: 3) + unit
    }

    static func ticks(to most: Double) -> [Double] {
        let step = step(most / 4)
        return Array(stride(from: 0, through: (most / step).rounded(.up) * step + step / 2, by: step))
    }

    private static func ticks(from first: Double, to last: Double) -> [Double] {
        guard last > first else { return [first] }
        let step = step((last - first) / 6)
        return Array(stride(from: (first / step).rounded(.up) * step, through: last + step * 1e-9, by: step))
    }

    private static func logTicks(_ first: Double, _ last: Double) -> [Double] {
        var ticks: [Double] = []
        let isWide = last / first > 100
        var power = pow(10, Foundation.floor(log10(first)))
        while power <= last {
            for factor in isWide ? [1.0] : [1, 2, 5]
            where power * factor >= first * 0.999 && power * factor <= last * 1.001 {
                ticks.append(power * factor)
            }
            power *= 10
        }
        return ticks
    }

    /// 1, 2 or 5 times a power of ten, at least `rough`.
    private static func step(_ rough: Double) -> Double {
        let power = pow(10, Foundation.floor(log10(rough)))
        return ([1, 2, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10) * power
    }
}

/// What text and attributes of HTML need.
package enum HTML {
    /// `text` with everything that markup gives a meaning to taken out of it, control characters and direction overrides
    /// spelled out.
    ///
    /// - Parameter keepsLines: Whether newlines and tabs stay what they are.
    package static func escape(_ text: String, keepsLines: Bool = false) -> String {
        Markup.escape(keepsLines ? Sanitizer.lines(text) : Sanitizer.line(text))
    }

    /// JSON inside a script element: nothing in it can end the element or begin a comment.
    static func embed(_ json: JSON) -> String {
        var output: [UInt8] = []
        for byte in json.text().utf8 {
            switch byte {
            case UInt8(ascii: "<"): output += Array("\\u003c".utf8)
            case UInt8(ascii: ">"): output += Array("\\u003e".utf8)
            case UInt8(ascii: "&"): output += Array("\\u0026".utf8)
            default: output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
