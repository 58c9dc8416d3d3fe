import Analysis
import Model
import Platform
import Report
import Synchronization

/// Shows a ``LiveFeed``, by a thread of its own: as a screen with keys, as lines, or as JSON.
final class LiveDisplay: Sendable {
    enum Form: Sendable { case screen, lines, json }

    /// What a migration is thought to have to begin with, and the steps of its keys.
    static let bandwidth: Int64 = 1_250_000_000
    static let downtimeNs: Int64 = 300_000_000
    private static let bandwidths: [Int64] = [
        100, 1000, 2500, 5000, 10_000, 25_000, 40_000, 50_000, 100_000, 200_000, 400_000,
    ]
    .map { $0 * 125_000 }
    private static let downtimes: [Int64] = [1, 5, 10, 20, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000]
        .map { $0 * 1_000_000 }
    /// At most ten frames a second.
    private static let frameMilliseconds = 100

    private struct Settings {
        var bandwidth: Int64
        var downtimeNs: Int64
        var order = HotRegion.Order.rate
        var isPaused = false
        var showsHelp = false
    }

    private let feed: LiveFeed
    private let signals: StopFlag
    private let delayNs: Int64
    private let first: (bandwidth: Int64, downtimeNs: Int64)
    private let form: Form
    private let failure = Mutex<(any Error)?>(nil)

    /// - Parameter signals: What ends it.
    init(
        _ feed: LiveFeed, until signals: StopFlag, delayNs: Int64, bandwidth: Int64, downtimeNs: Int64, form: Form
    ) {
        (self.feed, self.signals, self.delayNs, self.form) = (feed, signals, delayNs, form)
        first = (bandwidth, downtimeNs)
    }

    /// Runs `body`, which feeds, and shows what it does meanwhile. When it has ended, a screen stays until a key is pressed, unless
    /// the feed was left.
    ///
    /// - Throws: what `body` throws, or why nothing can be shown.
    func showing(_ body: () throws -> Void) throws {
        let worker = Worker("display", niceness: LiveFeed.niceness) { [self] in
            do {
                if form == .screen { try showScreen() } else { try showLines() }
            } catch { failure.withLock { $0 = error } }
            feed.stop()
        }
        do { try body() } catch {
            feed.leave()
            worker.join()
            throw error
        }
        worker.join()
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    /// Analysed at most a tenth of the time: of a guest that dirties much, figures of the stretch come less often.
    private struct Analyst {
        private var known: (version: Int, analysis: RecentAnalysis?) = (0, nil)
        private var nextNs: Int64 = 0

        mutating func view(_ moment: LiveFeed.Moment, _ settings: Settings) throws -> LiveView {
            let now = monotonicNow()
            if moment.version != known.version, now >= nextNs || moment.state != .recording {
                known =
                    moment.totals.iterations == 0
                    ? (moment.version, nil)
                    : (moment.version, try RecentAnalysis(moment.stretch, moment.info, slots: moment.slots))
                nextNs = monotonicNow() + 9 * (monotonicNow() - now)
            }
            return try LiveView(
                info: moment.info, state: moment.state, totals: moment.totals, recent: known.analysis,
                bandwidth: settings.bandwidth, downtimeNs: settings.downtimeNs)
        }
    }

    // MARK: Lines

    private func showLines() throws {
        var analyst = Analyst()
        let settings = Settings(bandwidth: first.bandwidth, downtimeNs: first.downtimeNs)
        var shown = 0
        var nextNs = monotonicNow()
        while true {
            feed.waitForNews(after: shown, until: monotonicNow() + 1_000_000_000)
            let isLeft = feed.isLeft
            var moment = feed.moment
            let isOver = isLeft || moment.state != .recording
            if moment.version > shown, !isOver {
                // Something may be newer then.
                while monotonicNow() < nextNs, !feed.isLeft, feed.moment.state == .recording {
                    feed.waitForNews(after: feed.version, until: nextNs)
                }
                moment = feed.moment
            }
            if moment.version > shown {
                let view = try analyst.view(moment, settings)
                Output.standard.write((form == .json ? view.json.text() : view.line) + "\n")
                Output.standard.flush()
                try Output.standard.check()
                (shown, nextNs) = (moment.version, monotonicNow() + delayNs)
            }
            if feed.isLeft || feed.moment.state != .recording, feed.version == shown { return }
        }
    }

    // MARK: Screen

    private func showScreen() throws {
        let screen = try Screen()
        defer { screen.close() }
        var analyst = Analyst()
        var settings = Settings(bandwidth: first.bandwidth, downtimeNs: first.downtimeNs)
        var view: LiveView?
        var shown = -1
        var nextNs = monotonicNow()
        var mustDraw = true
        while !feed.isLeft, !signals.isSet {
            let key = screen.key(milliseconds: Self.frameMilliseconds)
            if key == .gone { return }
            if let key {
                if case .character("q") = key { return }
                if apply(key, to: &settings, screen) {
                    try view?.assume(bandwidth: settings.bandwidth, downtimeNs: settings.downtimeNs)
                    mustDraw = true
                }
            }
            let now = monotonicNow()
            let isNew = feed.version != shown && !settings.isPaused
            if isNew, now >= nextNs || feed.moment.state != .recording {
                let moment = feed.moment
                view = try analyst.view(moment, settings)
                (shown, nextNs, mustDraw) = (moment.version, now + delayNs, true)
            }
            guard mustDraw, let view else { continue }
            let size = screen.size
            var drawing = LiveScreen(width: size.width, height: size.height, isUnicode: screen.isUnicode)
            (drawing.order, drawing.isPaused, drawing.showsHelp) = (
                settings.order, settings.isPaused, settings.showsHelp
            )
            screen.show(drawing.lines(view))
            mustDraw = false
        }
    }

    /// - Returns: whether something must be drawn.
    private func apply(_ key: Screen.Key, to settings: inout Settings, _ screen: Screen) -> Bool {
        switch key {
        case .left, .character("-"): settings.bandwidth = Self.step(settings.bandwidth, -1, Self.bandwidths)
        case .right, .character("+"), .character("="):
            settings.bandwidth = Self.step(settings.bandwidth, 1, Self.bandwidths)
        case .up: settings.downtimeNs = Self.step(settings.downtimeNs, 1, Self.downtimes)
        case .down: settings.downtimeNs = Self.step(settings.downtimeNs, -1, Self.downtimes)
        case .character("s"):
            let all = HotRegion.Order.allCases
            settings.order = all[((all.firstIndex(of: settings.order) ?? 0) + 1) % all.count]
        case .character("p"), .character(" "): settings.isPaused.toggle()
        case .character("h"), .character("?"): settings.showsHelp.toggle()
        case .character("\u{c}"): screen.redraw()
        case .resized: break
        default: return false
        }
        return true
    }

    /// The next of `steps` above or below `value`, or the value where there is none.
    private static func step(_ value: Int64, _ direction: Int, _ steps: [Int64]) -> Int64 {
        (direction > 0 ? steps.first { $0 > value } : steps.last { $0 < value }) ?? value
    }
}
