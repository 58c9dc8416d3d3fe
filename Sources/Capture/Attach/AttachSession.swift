import Glibc
import Import
import Model
import Platform

/// One recording of an attached guest, from its first event to its last.
package final class AttachSession {
    private let attachment: Attachment
    private let meter: DirtyRateMeter?
    private let durationNs: Int64?
    private var measurement = Measurement.none
    /// Everything that may be missing.
    package private(set) var losses: [Loss] = []

    /// How long QEMU may take to say what it measured after a window.
    private static let answerNs: Int64 = 10_000_000_000
    /// How long after its answer QEMU may begin.
    private static let beginNs: Int64 = 500_000_000
    /// Between two questions whether it has finished.
    private static let askNs: Int64 = 100_000_000
    /// How long the process of a guest that ends may be there when its monitor is not any more.
    private static let graceNs: Int64 = 2_000_000_000

    /// How far QEMU's measurement is.
    private enum Measurement {
        case none
        case beginning(Errand<DirtyRateMeter.Window>)
        /// QEMU is asked from then on whether it is over.
        case running(DirtyRateMeter.Window, askNs: Int64)
        case ending(DirtyRateMeter.Window, Errand<(rates: [ForeignRate], next: DirtyRateMeter.Window?)?>)
    }

    /// A recording; with a meter, QEMU switches logging on.
    package init(attachment: Attachment, meter: DirtyRateMeter?, durationNs: Int64?) {
        self.attachment = attachment
        self.meter = meter
        self.durationNs = durationNs
    }

    /// Records until the time is over, the guest is gone, or somebody stops it.
    ///
    /// - Throws: ``AttachError``, or what `commit` throws.
    package func run(
        until isStopped: () -> Bool, commit: (IterationBatch) throws -> Void
    ) throws -> EndReason {
        let keep: (IterationBatch) throws -> Void = { [self] batch in
            losses += batch.losses
            try commit(batch)
        }
        let reason: EndReason
        do { reason = try record(until: isStopped, keep) } catch let error as AttachError {
            // The VMM does not answer, or is gone: what its guest did is worth keeping.
            try attachment.finish(keep)
            throw error
        }
        try attachment.finish(keep)
        return reason
    }

    private func record(
        until isStopped: () -> Bool, _ keep: (IterationBatch) throws -> Void
    ) throws -> EndReason {
        let end = durationNs.map { attachment.startNs + $0 }
        while true {
            if isStopped() { return .signal }
            if attachment.isGone || !attachment.target.isAlive { return .guestExit }
            do {
                if try measure(until: end) { return .duration }
            } catch let error as AttachError {
                guard attachment.target.ends(within: Self.graceNs) else { throw error }
                return .guestExit
            }
            usleep(attachment.pauseMicroseconds)
            try attachment.poll(keep)
        }
    }

    /// Goes on with QEMU's measurement as far as that needs no waiting: window follows window while time is left.
    ///
    /// - Returns: whether the recording is over.
    private func measure(until end: Int64?) throws -> Bool {
        let now = monotonicNow()
        let left = end.map { ($0 - now + 999_999_999) / 1_000_000_000 } ?? DirtyRateMeter.longestWindow
        guard let meter else { return left <= 0 }
        let seconds = min(max(left, 1), DirtyRateMeter.longestWindow)
        switch measurement {
        case .none: measurement = .beginning(meter.begin(seconds: seconds))
        case .beginning(let errand):
            if let window = try errand.value() { follow(window) }
        case .running(var window, let ask):
            guard now >= ask else { break }
            // QEMU answers, and a thread of its own begins.
            let began = window.askedNs...window.sinceNs + Self.beginNs
            window.sinceNs = attachment.loggingBegan(in: began) ?? window.sinceNs
            measurement = .ending(window, meter.end(window, next: left > 0 ? seconds : nil))
        case .ending(let window, let errand):
            guard let answer = try errand.value() else { break }
            if let answer {
                for rate in answer.rates { attachment.compare(rate) }
                guard let next = answer.next else { return true }
                follow(next)
            } else if now < window.endNs + Self.answerNs {
                measurement = .running(window, askNs: now + Self.askNs)
            } else {
                throw AttachError("QEMU does not finish its dirty-rate measurement; is the guest stopped?")
            }
        }
        return false
    }

    private func follow(_ window: DirtyRateMeter.Window) {
        attachment.mark("qemu calc-dirty-rate began, \(window.seconds) s")
        measurement = .running(window, askNs: window.endNs)
    }
}
