import Platform
import Store
import Synchronization

/// Ctrl-C, SIGTERM and SIGHUP while something is recorded: the first one ends the recording and all that were to follow,
/// the second one the program.
final class Interruption: Sendable {
    private struct State {
        var isAsked = false
        var path: String?
        var stop: (@Sendable () -> Void)?
    }
    private let state: Monitor<State>

    /// Takes these signals from now on; once a process.
    init() {
        let state = Monitor(State())
        self.state = state
        Termination.watch { count in
            if count > 1 { Self.endAtOnce(state.read { $0.path }) }
            state.change { state in
                state.isAsked = true
                state.stop?()
            }
        }
    }

    /// Whether somebody has asked for the end.
    var isAsked: Bool { state.read { $0.isAsked } }

    /// A recording into `path` begins; `stop` ends it, at once if that was asked for before.
    func begin(_ path: String, stop: @escaping @Sendable () -> Void) {
        state.change { state in
            state.path = path
            state.stop = stop
            if state.isAsked { stop() }
        }
    }

    /// It has ended; only the file is to be finished.
    func end() { state.change { $0.stop = nil } }

    private static func endAtOnce(_ path: String?) -> Never {
        Terminal.endLive()
        Terminal.say(
            path.map {
                "dirtyrec: stopped at once; \($0) holds every committed iteration, finish it with: dirtyrec recover \($0)"
            } ?? "dirtyrec: stopped at once.")
        Termination.exit(Failure.no)
    }
}
