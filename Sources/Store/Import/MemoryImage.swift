import Foundation
import Model
import Platform

/// A file that holds guest memory: page n at n times the page size. Holes are zeros.
package final class MemoryImage {
    /// What errors call it.
    package let path: String
    /// Bytes, holes included.
    package let size: Int64
    private let descriptor: CInt
    private var pages: [UInt8] = []

    /// A chunk of pages is read at once.
    static let chunk = 1 << 20
    // Linux's numbers, which Glibc's module does not show.
    private static let seekData: CInt = 3
    private static let seekHole: CInt = 4

    /// Opens `path`, which must be a regular file: only such a one has holes and can be read at any place.
    ///
    /// - Throws: ``ImportError``.
    package init(_ path: String) throws(ImportError) {
        self.path = path
        // A pipe without a writer would be waited for for ever.
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw ImportError(path, "cannot be opened: \(systemError()).") }
        var status = stat()
        let isFile = unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        size = isFile ? Int64(status.st_size) : 0
        guard isFile else {
            close(descriptor)
            throw ImportError(path, "is no regular file; give memory as a file.")
        }
    }

    deinit { close(descriptor) }

    /// Pages of `pageSize` in which something is stored, that is which are no hole, as ranges that ascend.
    ///
    /// - Throws: ``ImportError`` where the file system does not tell.
    package func extents(pageSize: Int64) throws(ImportError) -> [Swift.Range<GFN>] {
        var extents: [Swift.Range<GFN>] = []
        var place: Int64 = 0
        while place < size {
            let data = Int64(lseek(descriptor, off_t(place), Self.seekData))
            if data < 0, errno == ENXIO { break }
            let hole = data < 0 ? -1 : Int64(lseek(descriptor, off_t(data), Self.seekHole))
            guard hole > data, data >= place else {
                throw ImportError(path, "its file system does not tell where its holes are: \(systemError()).")
            }
            let (first, end) = (GFN(data / pageSize), GFN((hole - 1) / pageSize) + 1)
            if let last = extents.last, last.upperBound >= first {
                extents[extents.count - 1] = last.lowerBound..<end
            } else {
                extents.append(first..<end)
            }
            place = hole
        }
        return extents
    }

    /// Whether it is an SQLite database rather than memory.
    package var isDatabase: Bool {
        get throws(ImportError) {
            var head: [UInt8] = []
            try read(16, at: 0, into: &head)
            return head.starts(with: "SQLite format 3\0".utf8)
        }
    }

    /// Bytes from `offset` on, filled up with zeros beyond the end.
    ///
    /// - Throws: ``ImportError`` when they cannot be read.
    func read(_ count: Int, at offset: Int64, into bytes: inout [UInt8]) throws(ImportError) {
        if bytes.count != count { bytes = [UInt8](repeating: 0, count: count) }
        var done = 0
        while done < count {
            let got = unsafe bytes.withUnsafeMutableBytes { room in
                unsafe pread(
                    descriptor, room.baseAddress.map { unsafe $0 + done }, count - done, off_t(offset) + off_t(done))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw ImportError(path, "cannot be read: \(systemError()).") }
            if got == 0 { break }
            done += got
        }
        for place in done..<max(done, count) { bytes[place] = 0 }
    }

    /// Calls `body` with every page whose content is another one in `other`; beyond the end of the shorter there are zeros.
    ///
    /// - Throws: ``ImportError``, and what `body` throws.
    package func differences(from other: MemoryImage, pageSize: Int64, _ body: (GFN) throws -> Void) throws {
        var theirs: [UInt8] = []
        let chunk = max(Int64(Self.chunk) / pageSize, 1) * pageSize
        var offset: Int64 = 0
        while offset < max(size, other.size) {
            try read(Int(chunk), at: offset, into: &pages)
            try other.read(Int(chunk), at: offset, into: &theirs)
            if pages != theirs {
                for page in stride(from: 0, to: Int(chunk), by: Int(pageSize))
                where pages[page..<page + Int(pageSize)] != theirs[page..<page + Int(pageSize)] {
                    try body(GFN((offset + Int64(page)) / pageSize))
                }
            }
            offset += chunk
        }
    }
}
