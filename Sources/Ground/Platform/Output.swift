import Glibc
import Synchronization

/// The one way out: standard output, messages, and everything that is written to a name.
///
/// Nothing is thrown while writing, so that whoever renders need not know where to; what failed is kept, and ``check()``
/// and ``finish()`` throw it. On a terminal every text goes through ``Sanitizer``.
package final class Output: Sendable {
    /// What becomes of a file that is there already.
    package enum Existing: Sendable {
        /// It stays, and that is an error.
        case kept
        /// It is replaced unless it is a database: a page is made anew without asking, a recording never is.
        case replacedUnlessDatabase
        case replaced
        /// It is emptied and written in place, so that one can watch it grow; unless it is a database.
        case overwritten
    }

    /// A file that is written under another name, beside its place.
    private struct Staged {
        let place: FilePlace
        let path: String
        let leftover: Int
    }
    private struct State {
        var waiting: [UInt8] = []
        var failure: OutputError?
        var staged: Staged?
    }

    /// Standard output: results only.
    package static let standard = Output("Standard output", STDOUT_FILENO)
    /// Standard error: messages. That they cannot be written is nothing that one could say.
    package static let messages = Output("Standard error", STDERR_FILENO)

    private static let pieceSize = 1 << 16

    /// How errors call it.
    package let name: String
    /// Whether somebody sees it at once.
    package let isTerminal: Bool
    private let descriptor: CInt
    private let isOwned: Bool
    private let state: Mutex<State>

    private init(_ name: String, _ descriptor: CInt, isOwned: Bool = false, staged: Staged? = nil) {
        self.name = name
        self.descriptor = descriptor
        self.isOwned = isOwned
        isTerminal = isatty(descriptor) == 1
        state = Mutex(State(staged: staged))
    }

    deinit {
        state.withLock { $0.staged.map(Self.discard) }
        if isOwned { close(descriptor) }
    }

    /// Prepares the process: a descriptor that was closed stays unusable instead of becoming the next file that is
    /// opened, and a reader that leaves or a limit that is reached is an error of the write, not a signal.
    package static func prepare() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one. Reading from, or writing to, it goes on to fail with EBADF.
            _ = unsafe Glibc.open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        // A handler, unlike SIG_IGN, is not inherited by the programs that we start.
        for signal in [SIGPIPE, SIGXFSZ] { _ = Glibc.signal(signal) { _ in } }
    }

    /// Opens a named output. A regular file is made beside its place and gets its name in ``finish()``; a pipe or a
    /// character device is written to; `-` is standard output.
    ///
    /// - Throws: ``OutputError``.
    package static func open(_ name: String, existing: Existing) throws(OutputError) -> Output {
        if let descriptor = inherited(name) {
            if descriptor == STDOUT_FILENO { return .standard }
            guard case let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3), copy >= 0 else { throw .system(name) }
            return Output(name, copy, isOwned: true)
        }
        let place = try FilePlace(name)
        switch place.content {
        case .pipe: return try openPipe(place)
        case .characterDevice: return try open(place, O_WRONLY | O_NOCTTY)
        case .nothing, .file:
            if existing == .overwritten {
                if case .file = place.content { try refuseDatabase(place) }
                return try open(place, O_WRONLY | O_CREAT | O_TRUNC)
            }
            return try stage(place, existing)
        }
    }

    /// The descriptor that a name stands for. Opening such a name anew would begin the file again, or wait for ever.
    private static func inherited(_ name: String) -> CInt? {
        switch name {
        case "-", "/dev/stdout": return STDOUT_FILENO
        case "/dev/stderr": return STDERR_FILENO
        default:
            for folder in ["/dev/fd/", "/proc/self/fd/"] where name.hasPrefix(folder) {
                return CInt(name.dropFirst(folder.count))
            }
            return nil
        }
    }

    private static func open(_ place: FilePlace, _ flags: CInt) throws(OutputError) -> Output {
        let descriptor = unsafe Glibc.open(place.path, flags | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system(place.name) }
        return Output(place.name, descriptor, isOwned: true)
    }

    /// A pipe without a reader would be waited for for ever.
    private static func openPipe(_ place: FilePlace) throws(OutputError) -> Output {
        let descriptor = unsafe Glibc.open(place.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENXIO else { throw .system(place.name) }
            throw OutputError(.system, "\(place.name) is a pipe that nobody reads: start its reader first.")
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        return Output(place.name, descriptor, isOwned: true)
    }

    private static func stage(_ place: FilePlace, _ existing: Existing) throws(OutputError) -> Output {
        if case .file = place.content {
            if existing == .kept {
                throw OutputError(
                    .name, "\(place.name) exists already. Choose another name, or replace it with --force.")
            }
            if existing == .replacedUnlessDatabase { try refuseDatabase(place) }
            if isBeingWritten(place.path) {
                throw OutputError(
                    .name,
                    "\(place.name) is being written by another dirtyrec: wait until it is done, or choose another name."
                )
            }
        }
        let path = "\(place.folder)/.dirtyrec-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let leftover = Leftovers.add { _ = unsafe unlink(path) }
        let descriptor = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            let code = errno
            Leftovers.forget(leftover)
            throw .system(place.name, code)
        }
        return Output(
            place.name, descriptor, isOwned: true, staged: Staged(place: place, path: path, leftover: leftover))
    }

    private static func refuseDatabase(_ place: FilePlace) throws(OutputError) {
        guard isDatabase(place.path) else { return }
        throw OutputError(.name, "\(place.name) is a recording or another SQLite file: choose another name.")
    }

    /// Whether somebody holds the file's lock for himself, as recorders do.
    private static func isBeingWritten(_ path: String) -> Bool {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    private static func isDatabase(_ path: String) -> Bool {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: 16)
        let count = unsafe head.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        return count == 16 && head == Array("SQLite format 3\0".utf8)
    }

    private static func discard(_ staged: Staged) {
        _ = unsafe unlink(staged.path)
        Leftovers.forget(staged.leftover)
    }

    // MARK: Writing

    /// Adds text, harmless on a terminal.
    package func write(_ text: String) { write(bytes: (isTerminal ? Sanitizer.lines(text) : text).utf8) }

    package func write(bytes: some Sequence<UInt8>) {
        state.withLock { state in
            state.waiting.append(contentsOf: bytes)
            if state.waiting.count >= Self.pieceSize { put(&state) }
        }
    }

    package func flush() { state.withLock { put(&$0) } }

    /// Throws what went wrong so far, if something did.
    package func check() throws(OutputError) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Hands over what waits; a file is on the disk, complete and under its name afterwards.
    ///
    /// - Throws: ``OutputError``; then nothing of a staged file is left.
    package func finish() throws(OutputError) {
        let failure: OutputError? = state.withLock { state in
            put(&state)
            guard let staged = state.staged else { return state.failure }
            state.staged = nil
            do throws(OutputError) {
                if let failure = state.failure { throw failure }
                try staged.place.take(staged.path, open: descriptor)
                Leftovers.forget(staged.leftover)
            } catch {
                Self.discard(staged)
                state.failure = error
            }
            return state.failure
        }
        if let failure { throw failure }
    }

    private func put(_ state: inout State) {
        if state.failure == nil { state.failure = put(state.waiting) }
        state.waiting.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: [UInt8]) -> OutputError? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Somebody else made the pipe or terminal nonblocking.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&ready, 1, -1)
            case EPIPE: return OutputError(.readerLeft, "Nobody reads \(name) any more.")
            default: return .system(name)
            }
        }
        return nil
    }
}
