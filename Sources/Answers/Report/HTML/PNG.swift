/// A PNG of at most 16 colours, without compression: small pictures that need neither scripts nor a library.
enum PNG {
    /// - Parameters:
    ///   - pixels: Row by row, one colour number below 16 each.
    ///   - palette: At most 16 colours as 0xRRGGBB.
    static func encode(width: Int, height: Int, pixels: [UInt8], palette: [UInt32]) -> [UInt8] {
        var scanlines: [UInt8] = []
        scanlines.reserveCapacity(height * (width / 2 + 2))
        for row in 0..<height {
            scanlines.append(0)  // No filter.
            for column in stride(from: 0, to: width, by: 2) {
                let left = pixels[row * width + column]
                let right = column + 1 < width ? pixels[row * width + column + 1] : 0
                scanlines.append(left << 4 | right)
            }
        }
        var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        chunk("IHDR", big(UInt32(width)) + big(UInt32(height)) + [4, 3, 0, 0, 0], to: &file)
        chunk("PLTE", palette.flatMap { big($0).dropFirst() }, to: &file)
        chunk("IDAT", stored(scanlines), to: &file)
        chunk("IEND", [], to: &file)
        return file
    }

    /// A zlib stream of stored blocks.
    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        var next = 0
        repeat {
            let count = min(65535, bytes.count - next)
            stream.append(next + count == bytes.count ? 1 : 0)
            for word in [UInt16(count), ~UInt16(count)] { stream += [UInt8(word & 255), UInt8(word >> 8)] }
            stream += bytes[next..<next + count]
            next += count
        } while next < bytes.count
        var (low, high): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            low = (low + UInt32(byte)) % 65521
            high = (high + low) % 65521
        }
        return stream + big(high << 16 | low)
    }

    private static func chunk(_ name: String, _ content: [UInt8], to file: inout [UInt8]) {
        let body = Array(name.utf8) + content
        file += big(UInt32(content.count)) + body
        var check = UInt32.max
        for byte in body { check = crcTable[Int((check ^ UInt32(byte)) & 255)] ^ (check >> 8) }
        file += big(~check)
    }

    private static func big(_ word: UInt32) -> [UInt8] {
        [UInt8(word >> 24), UInt8(word >> 16 & 255), UInt8(word >> 8 & 255), UInt8(word & 255)]
    }

    private static let crcTable: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }
}
