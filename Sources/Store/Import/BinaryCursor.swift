/// Reads a binary file from a place on, every read checked against its end.
struct BinaryCursor {
    let file: ImportInput
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
        let size = file.size ?? 0
        let bytes = try file.bytes(at: offset, count: min(256, size - min(offset, size)))
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
        guard count <= (file.size ?? 0) - offset else { throw file.error("is cut off.") }
        offset += count
    }

    mutating func expect(_ bytes: [UInt8], _ name: String) throws(ImportError) {
        guard try file.bytes(at: offset, count: bytes.count) == bytes else {
            throw file.error("has no \(name) where it must stand.")
        }
        offset += bytes.count
    }
}
