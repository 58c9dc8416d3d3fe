import Glibc
import Platform

/// A file read at any place, every read checked against its end.
final class BinaryFile {
    let path: String
    let size: Int
    private let descriptor: CInt

    init(path: String) throws(ImportError) {
        self.path = path
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ImportError(path, "cannot be opened: \(systemError()).") }
        size = Int(lseek(descriptor, 0, SEEK_END))
        guard size >= 0 else { throw ImportError(path, "is not a regular file.") }
    }

    deinit { close(descriptor) }

    func error(_ problem: String) -> ImportError { ImportError(path, problem) }

    /// Exactly `count` bytes.
    func bytes(at offset: Int, count: Int) throws(ImportError) -> [UInt8] {
        guard offset >= 0, count >= 0, count <= size, offset <= size - count else {
            throw error("is cut off: \(count) bytes at \(offset) lie beyond its end.")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        let done = unsafe bytes.withUnsafeMutableBytes {
            unsafe pread(descriptor, $0.baseAddress, $0.count, off_t(offset))
        }
        guard done == count else { throw error("cannot be read: \(systemError()).") }
        return bytes
    }
}

/// Reads a binary file from a place on.
struct BinaryCursor {
    let file: BinaryFile
    var offset: Int

    /// Texts and lists of a header are never longer.
    private static let longest = 1 << 20

    mutating func number(_ size: Int) throws(ImportError) -> Int {
        let bytes = try file.bytes(at: offset, count: size)
        offset += size
        var value: UInt64 = 0
        for (place, byte) in bytes.enumerated() { value |= UInt64(byte) << (8 * UInt64(place)) }
        guard let number = Int(exactly: value) else { throw file.error("holds a size that cannot be.") }
        return number
    }

    /// A text that ends with a zero.
    mutating func text() throws(ImportError) -> String {
        let bytes = try file.bytes(at: offset, count: min(256, file.size - min(offset, file.size)))
        guard let end = bytes.firstIndex(of: 0) else { throw file.error("holds a name without an end.") }
        offset += end + 1
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    /// A text behind its size.
    mutating func sized(_ size: Int = 8) throws(ImportError) -> String {
        let count = try number(size)
        guard count <= Self.longest else { throw file.error("holds a text of \(count) bytes.") }
        let bytes = try file.bytes(at: offset, count: count)
        offset += count
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Leaves out what stands behind its size.
    mutating func skipSized(_ size: Int) throws(ImportError) {
        let count = try number(size)
        guard count <= file.size - offset else { throw file.error("is cut off.") }
        offset += count
    }

    mutating func expect(_ bytes: [UInt8], _ name: String) throws(ImportError) {
        guard try file.bytes(at: offset, count: bytes.count) == bytes else {
            throw file.error("has no \(name) where it must stand.")
        }
        offset += bytes.count
    }
}
