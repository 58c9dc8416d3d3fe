@testable import Guests

/// Images made by hand, valid until a test changes them.
enum SampleImages {
    static let memory: UInt64 = 64 << 20

    /// Stores a number where a format wants it.
    static func set(_ number: some FixedWidthInteger, at offset: Int, in bytes: inout [UInt8]) {
        for place in 0..<(number.bitWidth / 8) {
            bytes[offset + place] = UInt8(truncatingIfNeeded: number >> (8 * place))
        }
    }

    /// A bzImage of three setup sectors and 4 KiB of payload, for 16 MiB.
    static func bzImage(changing change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var image = [UInt8](repeating: 0, count: 2048 + 4096)
        set(UInt8(3), at: 0x1f1, in: &image)
        set(UInt32(256), at: 0x1f4, in: &image)
        set(UInt16(0xaa55), at: 0x1fe, in: &image)
        set(UInt16(0x6aeb), at: 0x200, in: &image)  // jump over the header
        image.replaceSubrange(0x202..<0x206, with: "HdrS".utf8)
        set(UInt16(0x20f), at: 0x206, in: &image)
        set(UInt16(0x100), at: 0x20e, in: &image)
        image.replaceSubrange(0x300..<0x30d, with: "6.99-test (x)".utf8)
        set(UInt8(1), at: 0x211, in: &image)
        set(UInt32(0x7fff_ffff), at: 0x22c, in: &image)
        set(UInt32(2 << 20), at: 0x230, in: &image)
        set(UInt8(1), at: 0x234, in: &image)
        set(UInt16(1), at: 0x236, in: &image)
        set(UInt32(2047), at: 0x238, in: &image)
        set(UInt64(16 << 20), at: 0x258, in: &image)
        set(UInt32(1 << 20), at: 0x260, in: &image)
        change(&image)
        return image
    }

    /// An ELF64 file with two segments: 256 bytes at 1 MiB, 256 bytes in 8 KiB at 2 MiB.
    static func elf(changing change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var image = [UInt8](repeating: 0x90, count: 1024)
        image.replaceSubrange(0..<176, with: [UInt8](repeating: 0, count: 176))
        image.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
        set(UInt16(2), at: 16, in: &image)
        set(UInt16(62), at: 18, in: &image)
        set(UInt64(0x10_0010), at: 24, in: &image)
        set(UInt64(64), at: 32, in: &image)
        set(UInt16(56), at: 54, in: &image)
        set(UInt16(2), at: 56, in: &image)
        for (place, segment) in [(512, 0x10_0000, 256, 256), (768, 0x20_0000, 256, 8192)].enumerated() {
            let at = 64 + 56 * place
            set(UInt32(1), at: at, in: &image)
            set(UInt64(segment.0), at: at + 8, in: &image)
            set(0xffff_ffff_8000_0000 + UInt64(segment.1), at: at + 16, in: &image)
            set(UInt64(segment.1), at: at + 24, in: &image)
            set(UInt64(segment.2), at: at + 32, in: &image)
            set(UInt64(segment.3), at: at + 40, in: &image)
        }
        change(&image)
        return image
    }
}
