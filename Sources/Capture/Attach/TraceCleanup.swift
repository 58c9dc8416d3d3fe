import Glibc
import Synchronization

/// What an attachment has switched on in the kernel, and how it goes again. Any thread may do that, at any time, also while
/// another one reads.
package final class TraceCleanup: Sendable {
    private let tracefs: Tracefs
    private let path: String
    private let probes: String?
    private let readers = Mutex<[CInt]>([])

    /// - Parameter probes: The group of our probes, if there are any.
    init(_ tracefs: Tracefs, path: String, probes: String?) {
        (self.tracefs, self.path, self.probes) = (tracefs, path, probes)
    }

    /// An open file of the instance: it cannot go as long as one is open.
    func add(reader: CInt) { readers.withLock { $0.append(reader) } }

    /// Switches everything off and removes it. Once more does nothing.
    package func run() {
        readers.withLock { readers in
            // A reader in the middle of its work sees an empty file instead; its number stays taken until it is closed.
            let empty = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
            for reader in readers { _ = dup2(empty, reader) }
            close(empty)
            readers = []
            // A read that is under way holds its file for a moment.
            for _ in 0..<100 where Files.exists(path) {
                Instance.remove(path)
                if Files.exists(path) { usleep(2000) }
            }
            if let probes { tracefs.removeProbes(probes) }
        }
    }
}
