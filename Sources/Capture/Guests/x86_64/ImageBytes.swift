import Foundation

/// The bytes of an untrusted image: every access is checked.
struct ImageBytes: Sendable {
    let bytes: [UInt8]
    /// How messages call the image, such as `kernel vmlinuz`.
    let name: String

    /// Bytes that are there already.
    init(_ bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    /// Reads a regular file of at most `limit` bytes: guest memory could not hold more.
    init(file path: String, what: String, limit: Int) throws(GuestError) {
        name = "\(what) \(path)"
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: resolved) else {
            throw GuestError("The \(name) cannot be read: there is no such file; check the path.")
        }
        // A pipe or a device might never end, or never begin.
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw GuestError("The \(name) is not a regular file; name the image itself.")
        }
        let size = attributes[.size] as? Int ?? 0
        guard size <= limit else {
            throw GuestError("The \(name) has \(size) bytes, more than the guest's memory; give more --memory.")
        }
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: resolved))
            bytes = [UInt8](try handle.read(upToCount: max(1, size)) ?? Data())
        } catch {
            throw GuestError("The \(name) cannot be read; check its permissions.")
        }
    }

    var count: Int { bytes.count }

    /// The little-endian number at `offset`, or an error when the image ends before.
    func load<Number: FixedWidthInteger>(_ type: Number.Type = Number.self, at offset: Int) throws(GuestError) -> Number
    {
        let size = MemoryLayout<Number>.size
        guard offset >= 0, offset <= count - size else { throw truncated(at: offset) }
        return bytes[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }

    /// A range of the image, or an error when it is not inside.
    func range(from offset: UInt64, count length: UInt64) throws(GuestError) -> Range<Int> {
        guard offset <= UInt64(count), length <= UInt64(count) - offset else { throw truncated(at: count) }
        return Int(offset)..<Int(offset + length)
    }

    func truncated(at offset: Int) -> GuestError {
        fault("it ends too early: its header speaks of bytes beyond \(min(max(0, offset), count))")
    }

    /// An error about this image.
    func fault(_ why: String) -> GuestError {
        GuestError("The \(name) is not usable: \(why); build or download it again.", isBrokenInput: true)
    }
}
