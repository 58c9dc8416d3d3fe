/// What Linux's 64-bit boot protocol wants to find in memory: zero page with E820 map, command line, GDT, page tables.
/// All of it lies below ``BootImage/lowest``.
enum BootTables {
    static let gdt: UInt64 = 0x1000
    /// The zero page (`struct boot_params`).
    static let zeroPage: UInt64 = 0x2000
    /// Where a stack that grows down may begin.
    static let stack: UInt64 = 0x8000
    /// Six pages of page tables.
    static let pageTable: UInt64 = 0x9000
    static let commandLine: UInt64 = 0x20000
    /// Room for the command line with its NUL.
    static let commandLineRoom = 0x10000
    /// End of the memory below 640 KiB that the guest may use.
    static let lowEnd: UInt64 = 0x9fc00
    static let acpi: UInt64 = 0xe0000

    /// Null, unused, 64-bit code (0x10), data (0x18).
    static let segments: [UInt64] = [0, 0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff]

    /// Maps the first 4 GiB to themselves in 2 MiB pages: one top-level table, one of pointers, four directories.
    static var pageTables: [UInt64] {
        let writable: UInt64 = 0x3
        let large: UInt64 = 0x80
        let pointers = pageTable + 0x1000
        let directories = pageTable + 0x2000
        var tables = [UInt64](repeating: 0, count: 6 * 512)
        tables[0] = pointers | writable
        for gibibyte in 0..<4 { tables[512 + gibibyte] = (directories + UInt64(gibibyte) << 12) | writable }
        for page in 0..<2048 { tables[1024 + page] = UInt64(page) << 21 | writable | large }
        return tables
    }

    /// A range of the E820 map; type 1 is memory, 2 reserved.
    struct Range: Sendable, Equatable {
        var start: UInt64
        var end: UInt64
        var type: UInt32
    }

    /// The memory map of a guest with so much memory below and above 4 GiB.
    static func e820(low: UInt64, high: UInt64) -> [Range] {
        var map = [
            Range(start: 0, end: lowEnd, type: 1), Range(start: lowEnd, end: BootImage.lowest, type: 2),
            Range(start: BootImage.lowest, end: low, type: 1),
        ]
        if high > 0 { map.append(Range(start: 1 << 32, end: 1 << 32 + high, type: 1)) }
        return map
    }

    /// The zero page: the image's own setup header, and what the loader adds.
    static func zeroPage(
        header: ArraySlice<UInt8>, map: [Range], commandLine text: Int, initrd: Swift.Range<UInt64>?
    ) -> [UInt8] {
        typealias Setup = BootImage.Setup
        var page = [UInt8](repeating: 0, count: 4096)
        func set(_ number: some FixedWidthInteger, at offset: Int) {
            for place in 0..<(number.bitWidth / 8) {
                page[offset + place] = UInt8(truncatingIfNeeded: number >> (8 * place))
            }
        }
        page.replaceSubrange(Setup.start..<(Setup.start + header.count), with: header)
        set(UInt16(0xaa55), at: Setup.bootFlag)
        set(UInt32(0x5372_6448), at: Setup.magic)
        set(UInt8(0xff), at: Setup.loader)  // a loader without a number of its own
        set(UInt32(commandLine), at: Setup.commandLineAddress)
        set(UInt32(text), at: Setup.commandLineSize)
        if let initrd {
            set(UInt32(initrd.lowerBound), at: Setup.ramdiskAddress)
            set(UInt32(initrd.count), at: Setup.ramdiskSize)
        }
        set(acpi, at: 0x70)  // acpi_rsdp_addr
        set(UInt8(map.count), at: 0x1e8)  // e820_entries
        for (place, range) in map.enumerated() {
            let at = 0x2d0 + 20 * place  // e820_table
            set(range.start, at: at)
            set(range.end - range.start, at: at + 8)
            set(range.type, at: at + 16)
        }
        return page
    }
}
