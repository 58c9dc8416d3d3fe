import Analysis
import Model
import Platform
import Report
import Synchronization
import Web

/// Serves what a ``LiveFeed`` knows: the page of what is recorded so far, figures for a monitoring system, and at the end the finished page.
/// A page is made by a thread of its own, only while somebody looks, and so that this program takes at most a tenth of a CPU for it,
/// or less where guests want all of them.
final class LivePage: Sendable {
    private typealias Reply = @Sendable (WebServer.Document?) -> Void
    private struct State {
        /// Who waits for the page, or for one without the scripts that are large.
        var waiting: [(isWhole: Bool, reply: Reply)] = []
        /// The finished page.
        var final: WebServer.Document?
        var isOver = false
    }
    /// What was made of a moment.
    private struct Made {
        var version: Int
        var report: HTMLReport
        var status: LiveStatus
        var body: WebServer.Document
        /// The same with Vega, once somebody has asked for it.
        var whole: WebServer.Document?
    }

    private let feed: LiveFeed
    private let options: AnalysisOptions
    private let fileName: String
    private let vega: String?
    private let state = Monitor(State())
    private let failure = Mutex<(any Error)?>(nil)

    /// - Parameter options: Those of the finished page.
    init(_ feed: LiveFeed, _ options: AnalysisOptions, fileName: String, vega: String?) {
        var options = options
        // The guest needs the other CPUs.
        options.counting.workers = 1
        (self.feed, self.options, self.fileName, self.vega) = (feed, options, fileName, vega)
    }

    /// What stands at each path of the server.
    var source: WebServer.Source {
        { [self] path, reply in
            switch path {
            case "/", "/body":
                let answer: WebServer.Document?? = state.change { state in
                    if let final = state.final { return .some(final) }
                    if state.isOver { return .some(nil) }
                    state.waiting.append((path == "/", reply))
                    return .none
                }
                if let answer { reply(answer) }
            case "/metrics":
                // Of the last iteration that is complete: nothing is read or counted for it.
                let moment = feed.moment
                let metrics = Metrics(of: moment.info, moment.totals, isActive: moment.state == .recording)
                reply(.init("text/plain; version=0.0.4; charset=utf-8", metrics.text))
            default: reply(nil)
            }
        }
    }

    /// Serves what there is while `body` feeds, and from then on the page that it returns, if it does.
    ///
    /// - Throws: what `body` throws, or why no page can be made.
    func serving(by server: WebServer, _ body: () throws -> String?) throws {
        let worker = Worker("page", niceness: LiveFeed.niceness) { [self] in
            do { try work(server) } catch {
                failure.withLock { $0 = error }
                feed.stop()
            }
        }
        let result = Result { try body() }
        state.change { $0.isOver = true }
        worker.join()
        let final = try? result.get().map(Self.document)
        let waiting = state.change { state in
            defer { state.waiting = [] }
            state.final = final
            return state.waiting
        }
        for (_, reply) in waiting { reply(final) }
        if let failure = failure.withLock({ $0 }) { throw failure }
        _ = try result.get()
        if final != nil { server.say("reload", "{}") }
    }

    /// Says what is new, and makes pages for those who look.
    private func work(_ server: WebServer) throws {
        var made: Made?
        var said = (version: -1, page: -1)
        var nextNs: Int64 = 0
        while !state.read({ $0.isOver }) {
            _ = state.wait(
                until: monotonicNow() + 100_000_000, for: { $0.isOver || !$0.waiting.isEmpty }, then: { _ in })
            let moment = feed.moment
            let isWanted = server.readers > 0 || state.read { !$0.waiting.isEmpty }
            if isWanted, made == nil || made?.version != moment.version && monotonicNow() >= nextNs {
                let before = processTime()
                made = try make(moment)
                nextNs = monotonicNow() + 9 * (processTime() - before)
            }
            if said != (moment.version, made?.version ?? -1) {
                said = (moment.version, made?.version ?? -1)
                server.say("state", Self.status(of: moment).event(page: said.page))
            }
            guard isWanted, let page = made else { continue }
            let waiting = state.change { state in
                defer { state.waiting = [] }
                return state.waiting
            }
            if page.whole == nil, waiting.contains(where: \.isWhole) { made?.whole = try whole(page) }
            for (isWhole, reply) in waiting { reply(isWhole ? made?.whole : page.body) }
        }
    }

    private func make(_ moment: LiveFeed.Moment) throws -> Made {
        let recording = RecordingSoFar(
            moment.stretch, moment.info, slots: moment.slots, losses: moment.losses, markers: moment.markers)
        let status = Self.status(of: moment)
        let report = try HTMLReport(recording, options: options, fileName: fileName, vega: nil)
        let body = Self.document(try report.render(live: status, version: moment.version))
        return Made(version: moment.version, report: report, status: status, body: body)
    }

    private func whole(_ page: Made) throws -> WebServer.Document {
        guard let vega else { return page.body }
        var report = page.report
        report.vega = vega
        return Self.document(try report.render(live: page.status, version: page.version))
    }

    private static func status(of moment: LiveFeed.Moment) -> LiveStatus {
        let (totals, stretch) = (moment.totals, moment.stretch)
        let lengthNs = stretch.startNs.flatMap { start in totals.last.map { $0.endNs - start } }
        return LiveStatus(moment.state, totals, stretchNs: stretch.isWhole ? nil : lengthNs ?? 0)
    }

    private static func document(_ page: String) -> WebServer.Document { .init("text/html; charset=utf-8", page) }
}
