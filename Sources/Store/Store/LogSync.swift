import Foundation
import Platform

/// When the iterations of a recording are brought to the disk. What is committed survives the end of any process at
/// once; what is synced survives a power cut, too.
package enum SyncPolicy: Sendable, Equatable {
    /// So many nanoseconds after the previous time at the latest, on a thread of its own: nobody waits for the disk.
    case every(Int64)
    /// Each iteration, before the next one is written.
    case always
    /// When the log is moved into the file, and at the end.
    case never

    /// What a power cut may cost unless something else was asked for: a second.
    package static let standard = SyncPolicy.every(1_000_000_000)
}

/// Syncs the log of a recording beside its writer, and knows which iterations are safe.
///
/// The log's bytes are all that is needed: SQLite itself syncs the log before it moves pages into the file, and the file
/// before it uses the log anew, so that each committed iteration is in the synced part of one of the two.
final class LogSync: Sendable {
    private struct State {
        var committed: Int64
        var synced: Int64
        var failure: CInt = 0
        var isStopping = false
        var isRunning = false

        /// Whether the thread has to be started.
        mutating func begin() -> Bool {
            if isRunning || isStopping || failure != 0 { return false }
            isRunning = true
            return true
        }
    }

    private let state: Monitor<State>
    private let log: CInt
    private let policy: SyncPolicy
    private let onSync: (@Sendable (Int64) -> Void)?

    /// - Parameters:
    ///   - path: The database file; its log exists.
    ///   - safe: Iterations that are durable already.
    ///   - onSync: Called with the number of safe iterations whenever it has grown, on any thread.
    init(path: String, policy: SyncPolicy, safe: Int64, onSync: (@Sendable (Int64) -> Void)?) throws {
        log = unsafe open(path + "-wal", O_RDONLY | O_CLOEXEC)
        guard log >= 0 else { throw RecordingError(path, .refused(doing: "open the log of", reason: systemError())) }
        (self.policy, self.onSync) = (policy, onSync)
        state = Monitor(State(committed: safe, synced: safe))
        if safe > 0 { onSync?(safe) }
    }

    deinit { close(log) }

    /// Iterations that a power cut cannot take back.
    var synced: Int64 { state.read { $0.synced } }

    /// Why a sync failed, as an error number; 0 when none did. The kernel tells a lost page only once: nothing can be
    /// promised any more.
    var failure: CInt { state.read { $0.failure } }

    /// So many iterations are committed now.
    func advance(to committed: Int64) {
        state.change { $0.committed = committed }
        switch policy {
        case .always: sync()
        case .never: break
        case .every(let interval): if state.change({ $0.begin() }) { start(interval) }
        }
    }

    /// Brings everything committed to the disk now.
    func sync() {
        let committed = state.read { $0.committed }
        let code = fdatasync(log) == 0 ? 0 : errno
        let hasGrown = state.change { state in
            if code != 0, state.failure == 0 { state.failure = code }
            guard state.failure == 0, committed > state.synced else { return false }
            state.synced = committed
            return true
        }
        if hasGrown { onSync?(committed) }
    }

    /// Ends the thread, and waits for it: a sync in progress ends first.
    func stop() {
        state.change { $0.isStopping = true }
        _ = state.wait(for: { !$0.isRunning }, then: { _ in })
    }

    private func start(_ interval: Int64) {
        let thread = Thread { [self] in
            SignalMask.blockAll()
            var due = monotonicNow() + interval
            while true {
                _ = state.wait(until: due, for: { $0.isStopping }, then: { _ in })
                // Without news there is nothing to do; the first new iteration then waits no longer than any other.
                let mustSync = state.wait(for: { $0.isStopping || $0.committed > $0.synced }) { !$0.isStopping }
                guard mustSync == true else { break }
                due = monotonicNow() + interval
                sync()
                if failure != 0 { break }
            }
            state.change { $0.isRunning = false }
        }
        thread.name = "sync"
        thread.start()
    }
}
