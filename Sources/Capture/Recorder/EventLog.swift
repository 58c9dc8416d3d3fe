import Model
import Platform
import Synchronization

/// What vCPU threads report between two harvests: markers, writes to watched pages, and pages that the VMM wrote.
final class EventLog: Sendable {
    /// Markers kept between two harvests: a guest that sets millions must not fill the host's memory.
    static let markerLimit = 10_000

    private struct State {
        var iteration: Int64 = 1
        var markers: [Marker] = []
        var droppedMarkers = 0
        var vmmPages: [GFN] = []
        var watchEvents: [WatchEvent] = []
        var previousPass: Int64
    }

    private let state = Mutex(State(previousPass: monotonicNow()))

    /// Events from here on belong to this iteration.
    func publish(iteration: Int64) { state.withLock { $0.iteration = iteration } }

    /// Adds a marker; too many of them become one that tells their number.
    func mark(_ text: String, vcpu: Int?) {
        let now = monotonicNow()
        state.withLock { state in
            if state.markers.count < Self.markerLimit {
                state.markers.append(Marker(tsNs: now, iteration: state.iteration, vcpu: vcpu, text: text))
            } else {
                state.droppedMarkers += 1
            }
        }
    }

    /// Adds pages that the VMM has written; KVM does not see such writes.
    func wrote(_ pages: [GFN]) { state.withLock { $0.vmmPages += pages } }

    /// Adds a write to a watched page. `apply` does the write, in the order in which writes are stored, and returns what
    /// stood there before.
    func watch(_ data: [UInt8], at address: UInt64, vcpu: Int, rip: UInt64, apply: () -> [UInt8]) {
        state.withLock {
            let old = apply()
            $0.watchEvents.append(
                WatchEvent(
                    iteration: $0.iteration, tsNs: monotonicNow(), vcpu: vcpu, gpa: address, oldValue: old,
                    newValue: data, rip: rip))
            // The VMM did the write: KVM does not report the page.
            $0.vmmPages.append(address / UInt64(pageBytes))
        }
    }

    /// Moves everything into `batch`: pages as one harvest of source `vmm`.
    func collect(cause: HarvestCause, into batch: inout IterationBatch) {
        let now = monotonicNow()
        let (markers, pages, writes, since) = state.withLock { state in
            if state.droppedMarkers > 0 {
                let text = "\(state.droppedMarkers) more markers were dropped."
                state.markers.append(Marker(tsNs: now, iteration: state.iteration, text: text))
            }
            defer {
                state.markers = []
                state.droppedMarkers = 0
                state.vmmPages = []
                state.watchEvents = []
                state.previousPass = now
            }
            return (state.markers, state.vmmPages, state.watchEvents, state.previousPass)
        }
        batch.markers += markers
        batch.watchEvents += writes
        guard !pages.isEmpty else { return }
        let harvest = Harvest(
            iteration: batch.iteration.id, source: .vmm, vcpu: nil, cause: cause, sinceNs: since, tsNs: now,
            entryCount: pages.count)
        batch.harvests.append((harvest, pages))
    }
}
