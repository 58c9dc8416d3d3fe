import Foundation
import Platform

/// Where an import reads from: a file that can be read at any place, or a pipe whose first bytes were looked at.
final class ImportInput {
    /// What errors call it.
    let path: String
    /// Its first bytes, at most ``headBytes``.
    let head: [UInt8]
    /// Bytes of a file; nil of a pipe.
    private(set) var size: Int?
    private var descriptor: CInt

    private static let headBytes = 64
    private static let chunk = 1 << 18

    /// Opens `path`; `-` is standard input.
    ///
    /// - Throws: ``ImportError``, also for what is no input, but could be made one.
    init(_ path: String) throws(ImportError) {
        self.path = path == "-" ? "standard input" : path
        let descriptor = path == "-" ? dup(0) : unsafe open(path, O_RDONLY | O_CLOEXEC)
        self.descriptor = descriptor
        guard descriptor >= 0 else { throw ImportError(self.path, "cannot be opened: \(systemError()).") }
        let end = lseek(descriptor, 0, SEEK_END)
        size = end >= 0 && end < Int.max ? Int(end) : nil
        var head = [UInt8](repeating: 0, count: Self.headBytes)
        var count = 0
        while count < head.count {
            let got = unsafe head.withUnsafeMutableBytes { bytes in
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
                return unsafe Self.read(descriptor, room, at: end >= 0 ? count : nil)
            }
            guard got >= 0 else {
                let reason = systemError()
                close(descriptor)
                throw ImportError(self.path, "cannot be read: \(reason).")
            }
            if got == 0 { break }
            count += got
        }
        self.head = Array(head.prefix(count))
        if let kind = Self.foreignKind(self.head, named: self.path) { throw error(kind) }
    }

    deinit { close(descriptor) }

    func error(_ problem: String) -> ImportError { ImportError(path, problem) }

    /// Makes a pipe's bytes readable at any place: they go into a scratch file without a name.
    func makeSeekable() throws(ImportError) {
        guard size == nil else { return }
        var template = Array((NSTemporaryDirectory() + "/dirtyrec-XXXXXX").utf8CString)
        let scratch = unsafe mkstemp(&template)
        guard scratch >= 0 else { throw error("cannot be kept in \(NSTemporaryDirectory()): \(systemError()).") }
        _ = unsafe unlink(template)
        var bytes = head
        var total = 0
        repeat {
            let written = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(scratch, $0.baseAddress, $0.count, off_t(total))
            }
            guard written == bytes.count else {
                let reason = systemError()
                close(scratch)
                throw error("cannot be kept in \(NSTemporaryDirectory()): \(reason); import it from a file.")
            }
            total += written
            do { try appendNext(to: &bytes, dropping: bytes.count, at: nil) } catch {
                close(scratch)
                throw error
            }
        } while !bytes.isEmpty
        close(descriptor)
        descriptor = scratch
        size = total
    }

    /// Drops the first bytes of `bytes` and appends what comes next; nothing at the end.
    ///
    /// - Parameter offset: Where to read in a file; a pipe goes on where it is.
    /// - Returns: how many bytes came.
    @discardableResult
    func appendNext(to bytes: inout [UInt8], dropping done: Int, at offset: Int?) throws(ImportError) -> Int {
        bytes.removeFirst(done)
        var count = 0
        bytes.append(addingCapacity: Self.chunk) { span in
            unsafe span.withUnsafeMutableBufferPointer { room, initialized in
                count = unsafe Self.read(descriptor, UnsafeMutableRawBufferPointer(room), at: offset)
                initialized = max(count, 0)
            }
        }
        guard count >= 0 else { throw error("cannot be read: \(systemError()).") }
        return count
    }

    /// Exactly `count` bytes of a file.
    func bytes(at offset: Int, count: Int) throws(ImportError) -> [UInt8] {
        let size = size ?? 0
        guard offset >= 0, count >= 0, count <= size, offset <= size - count else {
            throw error("is cut off: \(count) bytes at \(offset) lie beyond its end.")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        let done = unsafe bytes.withUnsafeMutableBytes { unsafe Self.read(descriptor, $0, at: offset) }
        guard done == count else { throw error("cannot be read: \(done < 0 ? systemError() : "it got shorter").") }
        return bytes
    }

    private static func read(_ descriptor: CInt, _ room: UnsafeMutableRawBufferPointer, at offset: Int?) -> Int {
        while true {
            let count =
                if let offset {
                    unsafe pread(descriptor, room.baseAddress, room.count, off_t(offset))
                } else {
                    unsafe Glibc.read(descriptor, room.baseAddress, room.count)
                }
            if count >= 0 || errno != EINTR { return count }
        }
    }

    /// What a file is that could become an input, with what to do; nil when it may be one.
    private static func foreignKind(_ head: [UInt8], named path: String) -> String? {
        for (magic, name, command) in compressions where head.starts(with: magic) {
            return "is compressed with \(name); expand it first: \(command) -dc FILE | dirtyrec import - -o OUT"
        }
        // UTF-16 with its mark, or ASCII letters in it without one.
        if head.starts(with: [0xff, 0xfe]) || head.starts(with: [0xfe, 0xff])
            || head.count >= 8 && (0..<4).allSatisfy({ head[2 * $0 + 1] == 0 && head[2 * $0] != 0 })
        {
            return "is UTF-16 text; make it UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE | dirtyrec import - -o OUT"
        }
        if head.starts(with: "PERFILE2".utf8) {
            return "is perf's binary file; make text of it first: perf script --ns -i FILE | dirtyrec import - -o OUT"
        }
        if head.starts(with: "SQLite format 3\0".utf8) { return "is a database; a recording needs no import." }
        return nil
    }

    private static let compressions: [([UInt8], String, String)] = [
        ([0x1f, 0x8b], "gzip", "gzip"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "xz", "xz"),
        ([0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstd"), ([0x04, 0x22, 0x4d, 0x18], "lz4", "lz4"),
        (Array("BZh".utf8), "bzip2", "bzip2"),
    ]
}
