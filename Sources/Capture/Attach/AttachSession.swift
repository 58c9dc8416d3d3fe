import Glibc
import Import
import Model
import Platform

/// One recording of an attached guest, from its first event to its last.
package final class AttachSession {
    private let attachment: Attachment
    private let meter: DirtyRateMeter?
    private let durationNs: Int64?
    private var windowEndNs: Int64?
    /// Everything that may be missing.
    package private(set) var losses: [Loss] = []

    /// How long QEMU may take to say what it measured after a window.
    private static let answerNs: Int64 = 10_000_000_000

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
        try beginWindow(until: end)
        var reason: EndReason?
        while reason == nil {
            usleep(attachment.pauseMicroseconds)
            try attachment.poll(keep)
            let now = monotonicNow()
            if isStopped() {
                reason = .signal
            } else if attachment.isGone || !attachment.target.isAlive {
                reason = .guestExit
            } else if let windowEndNs, now >= windowEndNs {
                if try endWindow(now, until: end) { reason = .duration }
            } else if meter == nil, let end, now >= end {
                reason = .duration
            }
        }
        return reason ?? .duration
    }

    private func beginWindow(until end: Int64?) throws {
        guard let meter else { return }
        let now = monotonicNow()
        let left = end.map { ($0 - now + 999_999_999) / 1_000_000_000 } ?? DirtyRateMeter.longestWindow
        let seconds = min(max(left, 1), DirtyRateMeter.longestWindow)
        windowEndNs = now + seconds * 1_000_000_000
        attachment.mark("qemu calc-dirty-rate begins, \(seconds) s")
        try meter.begin(seconds: seconds)
    }

    /// Asks QEMU for its figure; begins another window if time is left.
    ///
    /// - Returns: whether the recording is over.
    private func endWindow(_ now: Int64, until end: Int64?) throws -> Bool {
        guard let meter, let windowEndNs else { return true }
        guard let rates = try meter.end() else {
            guard now < windowEndNs + Self.answerNs else {
                throw AttachError("QEMU does not finish its dirty-rate measurement; is the guest stopped?")
            }
            return false
        }
        for rate in rates { attachment.compare(rate) }
        self.windowEndNs = nil
        if let end, now >= end { return true }
        try beginWindow(until: end)
        return false
    }
}
