import Model
import Platform

/// What the page of a recording in the making says of the whole recording; its figures and charts are of the last stretch.
package struct LiveStatus {
    private let state: LiveView.State
    private let totals: RunningTotals
    /// How long the stretch is, in nanoseconds; nil when it is the whole recording.
    private let stretchNs: Int64?

    package init(_ state: LiveView.State, _ totals: RunningTotals, stretchNs: Int64?) {
        (self.state, self.totals, self.stretchNs) = (state, totals, stretchNs)
    }

    private var text: String {
        let losses = totals.losses.values.reduce(0, +)
        return [
            Units.duration(totals.durationNs), Units.counted(totals.iterations, "iteration", "iterations"),
            "\(Units.counted(totals.counts.entries, "entry", "entries")) of \(Units.counted(totals.pages, "page", "pages"))",
            losses == 0 ? "nothing lost" : Units.counted(losses, "loss", "losses"),
        ].joined(separator: " · ")
    }
    private var tone: String { totals.losses.isEmpty ? "good" : "bad" }

    /// What the template shows.
    func view(version: Int) -> [String: Any] {
        [
            "word": state.word, "text": text, "tone": tone, "version": version,
            "extent": stretchNs.map { "Below: the last \(Units.duration($0))." } ?? "",
        ]
    }

    /// What an event says, in one line.
    ///
    /// - Parameter page: The newest version of the page.
    package func event(page: Int) -> String {
        let event: JSON = ["word": JSON(state.word), "text": JSON(text), "tone": JSON(tone), "page": JSON(page)]
        return event.text()
    }
}
