import Analysis
import Model
import Platform

/// Draws a ``LiveView`` on a screen of any size. Pure: the same view, size and settings give the same lines.
package struct LiveScreen: Sendable {
    /// What a terminal makes of a text.
    package enum Style: Sendable, Equatable { case plain, title, heading, strong, good, bad, open, dim }
    /// A text in one style.
    package struct Span: Sendable, Equatable {
        package var text: String
        package var style: Style
    }
    /// One row: as wide as the screen.
    package typealias Line = [Span]

    package var width: Int
    package var height: Int
    /// Whether the terminal shows more than ASCII.
    package var isUnicode = true
    package var order = HotRegion.Order.rate
    package var isPaused = false
    package var showsHelp = false

    package init(width: Int, height: Int, isUnicode: Bool = true) {
        (self.width, self.height, self.isUnicode) = (width, height, isUnicode)
    }

    /// The keys and what they do.
    package static let keys: [(key: String, meaning: String)] = [
        ("q", "quit; a recording that dirtyrec itself makes ends with it"),
        ("h ?", "this help, and back"),
        ("← → + -", "slower or faster link of the migration"),
        ("↑ ↓", "longer or shorter downtime limit"),
        ("s", "order of regions and vCPUs: rate, pages, address"),
        ("p space", "pause the view, and go on; what is recorded goes on meanwhile"),
        ("Ctrl-L", "draw everything anew"),
        ("Ctrl-Z", "suspend; fg brings it back"),
    ]

    /// Exactly `height` lines, each of exactly `width` cells; none where there is no room.
    package func lines(_ view: LiveView) -> [Line] {
        guard width > 0, height > 0 else { return [] }
        var lines = [title(view)]
        lines += showsHelp ? help : body(view, room: height - 2)
        lines = Array(lines.prefix(max(1, height - 1)))
        while lines.count < height - 1 { lines.append([]) }
        if height > 1 { lines.append(footer) }
        return lines.map(fitted)
    }

    // MARK: Parts

    private func title(_ view: LiveView) -> Line {
        let left = " dirtyrec top  \(view.guest)"
        let right =
            "\(view.mode)  \(isPaused ? "paused" : view.state.word)  \(Units.duration(view.totals.durationNs)) "
        let room = width - DisplayWidth.of(right) - 1
        guard room > 13 else { return [Span(text: padded(left, width), style: .title)] }
        return [Span(text: padded(left, room) + " " + right, style: .title)]
    }

    private var footer: Line {
        let keys = [
            "h help", "q quit", "←→ link", "↑↓ limit", "s order: \(order.rawValue)", isPaused ? "p go on" : "p pause",
        ]
        return [Span(text: padded(" " + keys.joined(separator: "  "), width), style: .title)]
    }

    private var help: [Line] {
        [[], [Span(text: " Keys", style: .heading)]]
            + Self.keys.map {
                [Span(text: "   " + padded($0.key, 10), style: .strong), Span(text: $0.meaning, style: .plain)]
            }
            + [
                [], [Span(text: " Figures", style: .heading)],
                [Span(text: "   now         the last second, or the last iteration if that is longer", style: .plain)],
                [Span(text: "   since start what `dirtyrec report` says of the whole recording", style: .plain)],
                [Span(text: "   the others  the last stretch; docs/top.md says how long it is", style: .plain)],
            ]
    }

    private func body(_ view: LiveView, room: Int) -> [Line] {
        guard view.totals.iterations > 0 else {
            return [[], [Span(text: " Waiting for the first iteration.", style: .dim)]]
        }
        var lines = figures(view) + [[]] + migration(view)
        let working = workingSet(view)
        if !working.isEmpty { lines += [[]] + working }
        let left = room - lines.count - 1
        guard left > 1 else { return lines }
        lines.append([])
        let sideBySide = width >= 79
        let vcpus = vcpus(view, room: sideBySide ? left : max(2, left / 2))
        if sideBySide {
            let column = 43
            let regions = regions(view, room: left)
            for row in 0..<max(vcpus.count, regions.count) {
                let one = row < vcpus.count ? vcpus[row] : []
                lines.append(fitted(one, column) + (row < regions.count ? regions[row] : []))
            }
        } else {
            lines += vcpus + regions(view, room: left - vcpus.count)
        }
        return lines
    }

    private func figures(_ view: LiveView) -> [Line] {
        let now = view.recent?.now
        let rate =
            " unique  " + padded(now?.pagesPerSecond.map(Units.rate) ?? "-", 12)
            + padded(now?.bytesPerSecond.map(Units.dataRate) ?? "-", 13)
        let spark = spark(view.recent?.course ?? [], width: width - DisplayWidth.of(rate) - 1)
        let totals = view.totals
        let size = view.info.pageSize
        var average = "\(Units.counted(totals.iterations, "iteration", "iterations"))"
        if let pages = totals.pagesPerSecond {
            average += ", \(Units.rate(pages)) = \(Units.dataRate(pages * Double(size))) since start"
        }
        let counts = totals.counts
        let classes = [
            (counts.crossRing, "cross-ring"), (counts.redirtied, "redirtied"), (counts.sameRing, "same ring"),
            (counts.provisional, "provisional"), (counts.vmm, "VMM"),
        ].filter { $0.0 > 0 }.map { "\($0.1) \(Units.count($0.0))" }.joined(separator: ", ")
        return [
            [Span(text: rate, style: .strong), Span(text: spark, style: .good)],
            [
                Span(
                    text: " entries " + padded(now?.entriesPerSecond.map(Units.rate) ?? "-", 12)
                        + "\(Units.count(counts.entries)) since start, \(Units.counted(totals.pages, "page", "pages")) = "
                        + Units.size(totals.pages * size),
                    style: .plain)
            ],
            [Span(text: " average " + average, style: .plain)],
            [
                Span(
                    text: " again   \(Units.percent(view.duplicateShare)) duplicates"
                        + (classes.isEmpty ? "" : ": " + classes), style: .plain)
            ],
            view.losses.map { [Span(text: " LOST    " + $0, style: .bad)] } ?? [
                Span(text: " lost    nothing", style: .dim)
            ],
        ]
    }

    private func migration(_ view: LiveView) -> [Line] {
        guard let verdict = view.verdict else {
            return [[Span(text: " Would it migrate now? Nothing to replay yet.", style: .dim)]]
        }
        let style: Style =
            switch verdict.tone {
            case .good: .good
            case .bad: .bad
            case .open, .plain: .open
            }
        var lines: [Line] = [
            [
                Span(text: " " + verdict.question + "  ", style: .heading),
                Span(text: verdict.figure, style: style),
            ]
        ]
        lines += wrapped(verdict.sentence, indent: 3, most: 3).map { [Span(text: $0, style: .plain)] }
        if let least = view.migration?.least {
            lines.append([
                Span(
                    text: "   \(Units.duration(view.downtimeNs)) needs "
                        + (least.bandwidth.map { Units.bandwidth(Double($0)) } ?? "more than was tried (8 Tbit/s)")
                        + ".", style: .plain)
            ])
        }
        return lines
    }

    private func workingSet(_ view: LiveView) -> [Line] {
        guard let rows = view.recent?.workingSet, !rows.isEmpty else { return [] }
        let widths = [15, 11, 10, 10, 10, 12]
        func row(_ cells: [String]) -> String {
            zip(cells, widths).map { padded($0, $1, right: true) }.joined(separator: " ")
        }
        return [[Span(text: row(["Working set", "now", "p50", "p95", "max", "bytes"]), style: .heading)]]
            + rows.map { found in
                let pages = found.window.high
                return [
                    Span(
                        text: row(
                            [Units.duration(found.window.tauNs)]
                                + [found.now, pages.p50, pages.p95, pages.max].map(Units.count)
                                + [Units.size(found.now * view.info.pageSize)]), style: .plain)
                ]
            }
    }

    private func vcpus(_ view: LiveView, room: Int) -> [Line] {
        guard room > 1 else { return [] }
        var rows = view.recent?.vcpus ?? []
        guard !rows.isEmpty else {
            return [[Span(text: " vCPU", style: .heading)], [Span(text: "   not told by this source", style: .dim)]]
        }
        if order != .address { rows.sort { ($1.entriesPerSecond, $0.vcpu) < ($0.entriesPerSecond, $1.vcpu) } }
        let widths = [5, 12, 9, 13]
        func row(_ cells: [String]) -> String {
            zip(cells, widths).map { padded($0, $1, right: true) }.joined(separator: " ")
        }
        var lines: [Line] = [[Span(text: row(["vCPU", "entries", "ring-full", "stands still"]), style: .heading)]]
        let shown = rows.count > room - 1 ? room - 2 : rows.count
        for found in rows.prefix(max(0, shown)) {
            let full = found.vcpu < view.totals.vcpus.count ? view.totals.vcpus[found.vcpu].ringFull : 0
            lines.append([
                Span(
                    text: row([
                        "\(found.vcpu)", Units.rate(found.entriesPerSecond), Units.count(full),
                        Units.percent(found.stallShare),
                    ]), style: found.stallShare > 0.05 ? .open : .plain)
            ])
        }
        if shown < rows.count { lines.append([Span(text: "   … \(rows.count - max(0, shown)) more", style: .dim)]) }
        return lines
    }

    private func regions(_ view: LiveView, room: Int) -> [Line] {
        guard room > 1, let recent = view.recent else { return [] }
        let widths = [15, 11, 7]
        func row(_ cells: [String]) -> String {
            zip(cells, widths).map { padded($0, $1, right: true) }.joined(separator: " ")
        }
        let heading = row(["Region of 2 MiB", "unique", "pages"])
        return [[Span(text: heading, style: .heading)]]
            + recent.regions(by: order).prefix(room - 1).map { region in
                [
                    Span(
                        text: row([
                            Text.hex(region.firstGFN &* GFN(view.info.pageSize)),
                            Units.rate(recent.pagesPerSecond(of: region)), Units.count(region.pages),
                        ]), style: .plain)
                ]
            }
    }

    // MARK: Texts

    /// How many cells a text takes.
    package static func cells(_ text: String) -> Int { DisplayWidth.of(text) }

    private static let levels = Array("▁▂▃▄▅▆▇█")
    private static let plainLevels = Array("_.-=+*#@")

    /// The course of unique pages a second, the latest at the right: a mark for each stretch of time.
    private func spark(_ course: [TimelineBucket], width: Int) -> String {
        guard width > 0, let first = course.first, let last = course.last, last.endNs > first.startNs else { return "" }
        let columns = min(width, course.count)
        let length = Double(last.endNs - first.startNs)
        var sums = [Double](repeating: 0, count: columns)
        var times = sums
        for bucket in course {
            let middle = Double((bucket.startNs - first.startNs) + (bucket.endNs - first.startNs)) / 2
            let place = min(columns - 1, Int(middle / length * Double(columns)))
            sums[place] += Double(bucket.duplicates.distinct)
            times[place] += Double(bucket.endNs - bucket.startNs)
        }
        let rates = zip(sums, times).map { $1 > 0 ? $0 / $1 : 0 }
        let most = rates.max() ?? 0
        let levels = isUnicode ? Self.levels : Self.plainLevels
        return String(
            rates.map { rate in
                rate <= 0 || most <= 0 ? " " : levels[min(levels.count - 1, Int(rate / most * Double(levels.count)))]
            })
    }

    /// A sentence in at most so many lines.
    private func wrapped(_ text: String, indent: Int, most: Int) -> [String] {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = margin
        for word in text.split(separator: " ") {
            if line != margin, DisplayWidth.of(line) + DisplayWidth.of(String(word)) + 1 > width {
                lines.append(line)
                line = margin
            }
            line += (line == margin ? "" : " ") + word
        }
        if line != margin { lines.append(line) }
        return Array(lines.prefix(most))
    }

    private func padded(_ text: String, _ cells: Int, right: Bool = false) -> String {
        let text = clipped(text, cells)
        let padding = String(repeating: " ", count: max(0, cells - DisplayWidth.of(text)))
        return right ? padding + text : text + padding
    }

    private func clipped(_ text: String, _ cells: Int) -> String {
        var (used, clipped) = (0, String.UnicodeScalarView())
        for scalar in text.unicodeScalars {
            used += DisplayWidth.of(String(scalar))
            if used > cells { break }
            clipped.append(scalar)
        }
        return String(clipped)
    }

    private func fitted(_ line: Line) -> Line { fitted(line, width) }

    private func fitted(_ line: Line, _ cells: Int) -> Line {
        var left = cells
        var fitted: Line = []
        for span in line where left > 0 {
            let text = clipped(isUnicode ? span.text : Self.ascii(span.text), left)
            left -= DisplayWidth.of(text)
            fitted.append(Span(text: text, style: span.style))
        }
        if left > 0 { fitted.append(Span(text: String(repeating: " ", count: left), style: .plain)) }
        return fitted
    }

    /// What a terminal without Unicode shows.
    private static func ascii(_ text: String) -> String {
        let plain: [Unicode.Scalar: String] = [
            "µ": "u", "←": "<", "→": ">", "↑": "^", "↓": "v", "…": "~", "≥": ">", "×": "x",
        ]
        return text.unicodeScalars.reduce(into: "") { $0 += $1.isASCII ? String($1) : plain[$1] ?? "?" }
    }
}
