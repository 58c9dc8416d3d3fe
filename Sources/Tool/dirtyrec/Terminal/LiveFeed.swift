import Analysis
import Foundation
import Model
import Platform
import Report
import Store

/// What is known of a recording in the making: one thread feeds it, another one shows it.
final class LiveFeed: Sendable {
    /// What is known at a moment.
    struct Moment {
        var info: RecordingInfo
        var slots: [MemorySlot] = []
        var totals = RunningTotals()
        var stretch: RecentStretch
        var state = LiveView.State.recording
        /// The first ones, of the whole recording.
        var losses: [Loss] = []
        var markers: [Marker] = []
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

    private static let mostRows = 4096

    /// Adds what came beside the iterations.
    func add(_ losses: [Loss], _ markers: [Marker]) {
        state.change { state in
            state.moment.losses += losses.prefix(Self.mostRows - state.moment.losses.count)
            state.moment.markers += markers.prefix(Self.mostRows - state.moment.markers.count)
        }
    }

    /// Says what the recording holds with everything that was added.
    func show(_ info: RecordingInfo, slots: [MemorySlot], _ totals: RunningTotals, _ ending: LiveView.State) {
        state.change { state in
            let old = state.moment
            let isNew =
                old.version == 0 || totals.iterations != old.totals.iterations || ending != old.state
                || totals.losses != old.totals.losses
            state.moment = Moment(
                info: info, slots: slots, totals: totals, stretch: state.coming, state: ending, losses: old.losses,
                markers: old.markers, version: old.version + (isNew ? 1 : 0))
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

    /// Opens what is to be followed. A file that was made just now may become a recording in a moment: it is waited for, a few seconds.
    ///
    /// - Throws: `RecordingError`.
    static func open(_ file: String) throws -> RecordingFile {
        let deadline = monotonicNow() + 5_000_000_000
        while true {
            do { return try RecordingFile(path: file) } catch let error as RecordingError
                where error.problem == .notARecording && monotonicNow() < deadline
            {
                let change = try? FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
                guard let change, abs(change.timeIntervalSinceNow) < 10 else { throw error }
                usleep(20_000)
            }
        }
    }

    /// Follows what somebody else records into `file` to its end.
    ///
    /// - Parameters:
    ///   - delayNs: Between two looks.
    ///   - endNs: When to end before, in CLOCK_MONOTONIC nanoseconds.
    /// - Returns: whether the recording has ended; if not, whoever looks wants no more, or that time has come.
    /// - Throws: `RecordingError`.
    func follow(
        _ file: String, every delayNs: Int64, until endNs: Int64? = nil, or signals: StopFlag
    ) throws -> Bool {
        let tail = RecordingTail(path: file)
        var counter = IterationCounter(vcpuCount: 0)
        while !signals.isSet, !mustStop {
            let now = monotonicNow()
            let isOver = endNs.map { now >= $0 } ?? false
            let look = try tail.look { batch in
                try counter.add(batch)
                add(batch)
            }
            counter.add(vcpus: look.info.vcpuCount)
            counter.add(look.losses)
            add(look.losses, look.markers)
            let state: LiveView.State =
                switch look.state {
                case _ where look.hasMore: .recording
                case .recording: .recording
                case .cutOff: .cutOff
                case .complete: .ended(look.info.endReason ?? .error)
                }
            show(look.info, slots: look.slots, try counter.totals(), state)
            if state != .recording { return true }
            if isOver { break }
            if look.hasMore { continue }
            wait(until: min(now + delayNs, endNs ?? .max)) { signals.isSet }
        }
        return false
    }

    // MARK: Who looks

    /// Of the threads that analyse and show: the guest comes first where it wants all CPUs.
    static let niceness: CInt = 19
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
