/// What an image asks for: bytes at guest addresses, a first instruction, and for Linux its setup header.
///
/// Whatever a header says has been checked against the image's size and the guest's memory: all loads lie in
/// `BootImage.lowest ..< memory` and do not overlap.
package struct BootImage: Sendable, Equatable {
    package struct Load: Sendable, Equatable {
        /// Guest physical address.
        package let address: UInt64
        /// Which bytes of the image.
        package let bytes: Range<Int>
        package let memorySize: UInt64

        /// The first address behind it.
        package var end: UInt64 { address + memorySize }
    }

    /// Format, and for Linux its version.
    package let label: String
    /// What goes where, in the order of addresses.
    package let loads: [Load]
    package let entry: UInt64
    /// bzImage: the bytes of its setup header, which belong into the zero page.
    package let setupHeader: Range<Int>?
    /// The highest address that the last byte of an initrd may have.
    package let initrdMax: UInt64
    /// The longest kernel command line.
    package let commandLineMax: Int

    /// The first address behind the image.
    package var end: UInt64 { loads.map(\.end).max() ?? Self.lowest }

    /// Images may use memory from 1 MiB on; what the guest needs for its start lies below.
    package static let lowest: UInt64 = 1 << 20

    init(
        label: String, loads: [Load], entry: UInt64, setupHeader: Range<Int>? = nil, initrdMax: UInt64 = 0x7fff_ffff,
        commandLineMax: Int = 2047
    ) {
        self.label = label
        self.loads = loads
        self.entry = entry
        self.setupHeader = setupHeader
        self.initrdMax = initrdMax
        self.commandLineMax = commandLineMax
    }

    /// A Linux kernel: a bzImage, or an ELF64 vmlinux.
    ///
    /// - Parameter memory: bytes of guest memory below 4 GiB.
    static func kernel(_ image: ImageBytes, memory: UInt64) throws(GuestError) -> BootImage {
        if isELF(image) { return try elf(image, memory: memory) }
        return try bzImage(image, memory: memory)
    }

    /// Any 64-bit code: an ELF64 file, or a flat image that is loaded and entered at 1 MiB.
    static func flatOrELF(_ image: ImageBytes, memory: UInt64) throws(GuestError) -> BootImage {
        if isELF(image) { return try elf(image, memory: memory) }
        guard image.count > 0 else { throw image.fault("it is empty") }
        let load = Load(address: lowest, bytes: 0..<image.count, memorySize: UInt64(image.count))
        try require(load, fitsInto: memory, of: image)
        return BootImage(label: "flat image", loads: [load], entry: lowest)
    }

    static func require(_ load: Load, fitsInto memory: UInt64, of image: ImageBytes) throws(GuestError) {
        guard load.address >= lowest else {
            throw image.fault("it wants to be at \(hex(load.address)), below 1 MiB, where the guest's tables are")
        }
        guard load.address <= memory, load.memorySize <= memory - load.address else {
            throw GuestError(
                "The \(image.name) needs memory up to \(hex(load.address.addingReportingOverflow(load.memorySize).partialValue)),"
                    + " but the guest has \(hex(memory)) bytes below 4 GiB; give more --memory.")
        }
    }

    static func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
}
