import CZstd
import Model
import Platform

/// Says what a page holds without telling it.
///
/// Hashes are SipHash with the process's random key and one of this digester's own; neither is kept, so that nobody can try guesses
/// at a page's content against a recording.
@safe
final class PageDigester {
    /// 8-byte words in a page.
    static let words = pageBytes / 8
    /// QEMU's default for multifd, and quick enough to be done while a guest runs.
    private static let level: CInt = 1

    private let key = (UInt64.random(in: 0 ... .max), UInt64.random(in: 0 ... .max))
    private let context: OpaquePointer?
    private var compressed: [UInt8]

    init() {
        unsafe context = ZSTD_createCCtx()
        compressed = [UInt8](repeating: 0, count: Int(ZSTD_compressBound(pageBytes)))
    }

    deinit { _ = unsafe ZSTD_freeCCtx(context) }

    /// - Parameters:
    ///   - page: The words of a page.
    ///   - before: What it held before, if that is known.
    func digest(_ page: [UInt64], before: [UInt64]?) -> PageContent.Digest {
        PageContent.Digest(
            isZero: page.allSatisfy { $0 == 0 }, change: before.map { Self.change(of: page, from: $0) },
            zstdBytes: zstdBytes(page), hash: hash(page))
    }

    private func hash(_ page: [UInt64]) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(key.0)
        hasher.combine(key.1)
        unsafe page.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    private func zstdBytes(_ page: [UInt64]) -> Int64 {
        let room = compressed.count
        let size = unsafe page.withUnsafeBytes { source in
            unsafe compressed.withUnsafeMutableBytes { target in
                unsafe ZSTD_compressCCtx(
                    context, target.baseAddress, room, source.baseAddress, source.count, Self.level)
            }
        }
        // Without memory for a context: as one who sends it plain.
        return ZSTD_isError(size) != 0 ? Int64(pageBytes) : Int64(min(size, pageBytes))
    }

    /// Words that differ, and the size of QEMU's `xbzrle_encode_buffer`: for each run of bytes that differ the length of the equal
    /// bytes before it, its own length, both in ULEB128 of one or two bytes, and the bytes.
    static func change(of page: [UInt64], from before: [UInt64]) -> PageContent.Change {
        var (words, bytes): (Int64, Int) = (0, 0)
        /// Where the run in progress, of equal or of different bytes, begins.
        var begin = 0
        var inRun = false
        func length(_ count: Int) -> Int { count < 0x80 ? 1 : 2 }
        for word in page.indices {
            var difference = page[word] ^ before[word]
            guard difference != 0 || inRun else { continue }
            if difference != 0 { words += 1 }
            for place in word * 8..<word * 8 + 8 {
                let differs = difference & 0xff != 0
                difference >>= 8
                guard differs != inRun else { continue }
                bytes += length(place - begin) + (inRun ? place - begin : 0)
                (begin, inRun) = (place, differs)
            }
        }
        if inRun { bytes += length(pageBytes - begin) + pageBytes - begin }
        return PageContent.Change(words: words, xbzrleBytes: Int64(min(bytes, pageBytes)))
    }
}
