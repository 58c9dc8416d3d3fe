import Foundation
import Model
import Platform
import Recorder
import Synchronization

/// The line that shows on a terminal what a recording is doing.
final class LiveLine: Sendable {
    private let recorder: Recorder
    private let isOver = Monitor(false)
    private let worker = Mutex<Worker?>(nil)

    init(recorder: Recorder) { self.recorder = recorder }

    /// Refreshes the line four times a second until ``stop()``; only on a terminal.
    func start(counting sink: FileSink) {
        guard Terminal.isInteractive else { return }
        let worker = Worker("live line") { [recorder, isOver] in
            var before = sink.totals
            var beforeNs = monotonicNow()
            while isOver.wait(until: monotonicNow() + 250_000_000, for: { $0 }, then: { _ in true }) == nil {
                let now = sink.totals
                let nowNs = monotonicNow()
                let status = recorder.currentStatus
                func rate(_ field: KeyPath<DuplicateCounts, Int64>) -> String {
                    let rise = now.counts[keyPath: field] - before.counts[keyPath: field]
                    return Units.rate(Double(rise) * 1e9 / Double(max(1, nowNs - beforeNs)))
                }
                let entries = now.counts.entries
                let duplicates = entries > 0 ? Double(entries - now.counts.distinct) / Double(entries) : 0
                Terminal.live(
                    """
                    iteration \(status.iteration)  \(rate(\.entries)) entries  \(rate(\.distinct)) unique  \
                    \(Units.percent(duplicates)) duplicates  \(Units.count(status.ringFull)) ring-full  \
                    queue \(Units.count(Int64(status.queueDepth)))
                    """)
                before = now
                beforeNs = nowNs
            }
        }
        self.worker.withLock { $0 = worker }
    }

    func stop() {
        isOver.change { $0 = true }
        // A line that is being written must not come after what is said next.
        worker.withLock { $0 }?.join()
        Terminal.endLive()
    }
}
