// Linux's 64-bit boot protocol: Documentation/arch/x86/boot.rst of the kernel.
extension BootImage {
    /// Offsets in a bzImage, and in the zero page that takes a copy of its header.
    enum Setup {
        static let start = 0x1f1
        static let sectors = 0x1f1
        static let paragraphs = 0x1f4
        static let bootFlag = 0x1fe
        static let headerLength = 0x201
        static let magic = 0x202
        static let version = 0x206
        static let kernelVersion = 0x20e
        static let loader = 0x210
        static let loadFlags = 0x211
        static let ramdiskAddress = 0x218
        static let ramdiskSize = 0x21c
        static let commandLineAddress = 0x228
        static let ramdiskMax = 0x22c
        static let alignment = 0x230
        static let isRelocatable = 0x234
        static let longModeFlags = 0x236
        static let commandLineSize = 0x238
        static let preferredAddress = 0x258
        static let initSize = 0x260
        /// The zero page has no room for a longer header.
        static let maxEnd = 0x290
    }

    static func bzImage(_ image: ImageBytes, memory: UInt64) throws(GuestError) -> BootImage {
        guard image.count >= Setup.initSize + 4, try image.load(UInt16.self, at: Setup.bootFlag) == 0xaa55,
            try image.load(UInt32.self, at: Setup.magic) == 0x5372_6448  // "HdrS"
        else { throw image.fault("it is neither a bzImage nor an ELF64 file") }
        guard try image.load(UInt16.self, at: Setup.version) >= 0x20c,
            try image.load(UInt16.self, at: Setup.longModeFlags) & 1 != 0
        else { throw image.fault("it has no 64-bit entry point (boot protocol 2.12, Linux 3.8)") }
        guard try image.load(UInt8.self, at: Setup.loadFlags) & 1 != 0 else {
            throw image.fault("it is a zImage, which loads below 1 MiB")
        }
        let sectors = try image.load(UInt8.self, at: Setup.sectors)
        let setupSize = (sectors == 0 ? 5 : Int(sectors) + 1) * 512
        let headerEnd = Setup.magic + Int(try image.load(UInt8.self, at: Setup.headerLength))
        guard headerEnd >= Setup.initSize + 4, headerEnd <= Setup.maxEnd, headerEnd <= setupSize else {
            throw image.fault("its setup header has an impossible length")
        }
        guard image.count > setupSize else { throw image.truncated(at: setupSize) }
        let payload = setupSize..<image.count
        // Less than one paragraph may be missing: the last one need not be complete.
        let announced = UInt64(try image.load(UInt32.self, at: Setup.paragraphs)) * 16
        guard announced > 0x200, announced < UInt64(payload.count) + 16 else { throw image.truncated(at: image.count) }

        let address: UInt64 = try image.load(at: Setup.preferredAddress)
        let alignment = UInt64(try image.load(UInt32.self, at: Setup.alignment))
        let isRelocatable = try image.load(UInt8.self, at: Setup.isRelocatable) != 0
        guard !isRelocatable || (alignment.nonzeroBitCount == 1 && address % alignment == 0), address % 4096 == 0 else {
            throw image.fault("its preferred address \(hex(address)) does not fit its alignment \(hex(alignment))")
        }
        // While it unpacks itself it needs this much from its address on.
        let initSize = UInt64(try image.load(UInt32.self, at: Setup.initSize))
        let load = Load(address: address, bytes: payload, memorySize: max(initSize, UInt64(payload.count)))
        try require(load, fitsInto: memory, of: image)
        return BootImage(
            label: "bzImage " + version(of: image), loads: [load], entry: address + 0x200,
            setupHeader: Setup.start..<headerEnd, initrdMax: UInt64(try image.load(UInt32.self, at: Setup.ramdiskMax)),
            commandLineMax: Int(try image.load(UInt32.self, at: Setup.commandLineSize)))
    }

    /// The version that the image claims, up to the first space: printable ASCII and short, or nothing.
    private static func version(of image: ImageBytes) -> String {
        guard let offset = try? image.load(UInt16.self, at: Setup.kernelVersion), offset != 0 else { return "" }
        let text = image.bytes.dropFirst(Int(offset) + 0x200).prefix(64).prefix { $0 > 0x20 && $0 < 0x7f }
        return String(decoding: text, as: UTF8.self)
    }
}
