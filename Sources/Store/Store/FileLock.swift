import Foundation
import Platform
import Synchronization

/// Says who works with a recording: `flock` on the database file, which SQLite's own locks (`fcntl`) never meet.
///
/// Whoever records, recovers or adds rows holds it exclusively; whoever reads a file that nobody writes shares it.
/// Closing any descriptor of a file drops all `fcntl` locks that the process has on it, SQLite's included: therefore
/// the process opens one descriptor a file and keeps it for as long as any lock object on the file lives. A lock must
/// be released after the SQLite connection that it guards.
final class FileLock: Sendable {
    enum Mode { case exclusive, shared }

    private struct FileID: Hashable {
        let device: UInt64
        let inode: UInt64
    }
    private struct Holders {
        let descriptor: CInt
        var objects = 0
        var granted = 0
        var exclusive = false
    }
    private static let holders = Mutex<[FileID: Holders]>([:])

    private let file: FileID
    private let mode: Mode
    /// Whether the lock was granted. If not, somebody else works with the file.
    let isGranted: Bool
    /// For reading the file's first bytes.
    let descriptor: CInt

    /// Asks for the lock without waiting.
    init(_ path: String, _ mode: Mode) throws {
        let (file, descriptor, granted) = try Self.holders.withLock { holders in
            let file = try Self.identify(path)
            var held = try holders[file] ?? Holders(descriptor: Self.openDescriptor(path))
            let granted = Self.grant(mode, &held)
            held.objects += 1
            if granted {
                held.granted += 1
                held.exclusive = mode == .exclusive
            }
            holders[file] = held
            return (file, held.descriptor, granted)
        }
        (self.file, self.mode, self.descriptor, self.isGranted) = (file, mode, descriptor, granted)
    }

    deinit {
        Self.holders.withLock { holders in
            guard var held = holders.removeValue(forKey: file) else { return }
            held.objects -= 1
            if isGranted {
                held.granted -= 1
                held.exclusive = false
                if held.granted == 0 { flock(held.descriptor, LOCK_UN) }
            }
            if held.objects == 0 { close(held.descriptor) } else { holders[file] = held }
        }
    }

    /// Whether the file is still at `path`.
    func isAt(_ path: String) -> Bool { (try? Self.identify(path)) == file }

    private static func grant(_ mode: Mode, _ held: inout Holders) -> Bool {
        // All objects of this process share one descriptor, so the kernel cannot tell them apart.
        if held.exclusive || (mode == .exclusive && held.granted > 0) { return false }
        if flock(held.descriptor, (mode == .exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 { return true }
        // A file system without flock has no locks to offer; SQLite's own must do there.
        return errno != EWOULDBLOCK
    }

    private static func identify(_ path: String) throws -> FileID {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw RecordingError(path, errno == ENOENT ? .missing : .refused(doing: "open", reason: systemError()))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw RecordingError(path, .notAFile) }
        return FileID(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    private static func openDescriptor(_ path: String) throws -> CInt {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw RecordingError(path, .refused(doing: "open", reason: systemError())) }
        return descriptor
    }
}
