import Analysis
import Model
import Platform
import Report

/// What is known of a recording in the making: one thread feeds it, another one shows it.
final class LiveFeed: Sendable {
    /// What is known at a moment.
    struct Moment {
        var info: RecordingInfo
        var slots: [MemorySlot] = []
        var totals = RunningTotals()
        var stretch: RecentStretch
        var state = LiveView.State.recording
        /// Rises with each change.
        var version = 0
    }
    private struct State {
        var moment: Moment
        /// The stretch with iterations that ``show(_:slots:_:_:)`` has not told of yet.
        var coming: RecentStretch
        /// Who looks wants no more.
        var mustStop = false
        /// Who feeds has ended, and nothing needs to stay on the screen.
        var isLeft = false
    }
    private let state: Monitor<State>

    init(_ info: RecordingInfo, stretch: RecentStretch) {
        state = Monitor(State(moment: Moment(info: info, stretch: stretch), coming: stretch))
    }

    // MARK: Who feeds

    /// Adds an iteration, or a part of one.
    func add(_ batch: IterationBatch) { state.change { $0.coming.add(batch) } }

    /// Says what the recording holds with everything that was added.
    func show(_ info: RecordingInfo, slots: [MemorySlot], _ totals: RunningTotals, _ ending: LiveView.State) {
        state.change { state in
            let old = state.moment
            let isNew =
                old.version == 0 || totals.iterations != old.totals.iterations || ending != old.state
                || totals.losses != old.totals.losses
            state.moment = Moment(
                info: info, slots: slots, totals: totals, stretch: state.coming, state: ending,
                version: old.version + (isNew ? 1 : 0))
        }
    }

    /// The recording is over.
    func end(_ ending: LiveView.State) {
        state.change { state in
            state.moment.state = ending
            state.moment.version += 1
        }
    }

    /// Nothing more comes, and nobody needs to look any longer.
    func leave() { state.change { $0.isLeft = true } }

    /// Whether who looks wants no more.
    var mustStop: Bool { state.read { $0.mustStop } }

    /// Waits until that time, or until who looks wants no more, or `isAsked`, which is looked at ten times a second.
    func wait(until deadline: Int64, or isAsked: () -> Bool) {
        while monotonicNow() < deadline, !isAsked() {
            let next = min(deadline, monotonicNow() + 100_000_000)
            if state.wait(until: next, for: \.mustStop, then: { _ in true }) == true { return }
        }
    }

    // MARK: Who looks

    var moment: Moment { state.read { $0.moment } }
    var version: Int { state.read { $0.moment.version } }
    var isLeft: Bool { state.read { $0.isLeft } }

    /// Wants no more.
    func stop() { state.change { $0.mustStop = true } }

    /// Waits until something is newer than `version` or over, or until that time.
    func waitForNews(after version: Int, until deadline: Int64) {
        _ = state.wait(until: deadline, for: { $0.moment.version > version || $0.isLeft }, then: { _ in })
    }
}
