extension BootImage {
    static func isELF(_ image: ImageBytes) -> Bool { image.bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) }

    /// More segments than any kernel has.
    private static let maxSegments = 64

    /// An ELF64 executable, loaded at its physical addresses.
    static func elf(_ image: ImageBytes, memory: UInt64) throws(GuestError) -> BootImage {
        guard try image.load(UInt8.self, at: 4) == 2, try image.load(UInt8.self, at: 5) == 1,
            try image.load(UInt16.self, at: 18) == 62
        else { throw image.fault("it is an ELF file, but not a 64-bit one for x86-64") }
        guard [2, 3].contains(try image.load(UInt16.self, at: 16)) else {
            throw image.fault("it is an ELF file, but not an executable")
        }
        let table: UInt64 = try image.load(at: 32)
        let entrySize = try image.load(UInt16.self, at: 54)
        let count = Int(try image.load(UInt16.self, at: 56))
        guard entrySize == 56, (1...maxSegments).contains(count) else {
            throw image.fault("its program headers have an impossible size or number")
        }
        let headers = try image.range(from: table, count: UInt64(count) * 56)

        let entry: UInt64 = try image.load(at: 24)
        var loads: [Load] = []
        var entryByVirtual: UInt64?
        for header in stride(from: headers.lowerBound, to: headers.upperBound, by: 56) {
            guard try image.load(UInt32.self, at: header) == 1 else { continue }  // PT_LOAD
            let virtual: UInt64 = try image.load(at: header + 16)
            let address: UInt64 = try image.load(at: header + 24)
            let fileSize: UInt64 = try image.load(at: header + 32)
            let memorySize: UInt64 = try image.load(at: header + 40)
            guard fileSize <= memorySize else { throw image.fault("a segment is longer in the file than in memory") }
            if memorySize == 0 { continue }
            let bytes = try image.range(from: try image.load(at: header + 8), count: fileSize)
            let load = Load(address: address, bytes: bytes, memorySize: memorySize)
            try require(load, fitsInto: memory, of: image)
            loads.append(load)
            if entry >= virtual, entry - virtual < memorySize { entryByVirtual = address + (entry - virtual) }
        }
        loads.sort { $0.address < $1.address }
        for (load, next) in zip(loads, loads.dropFirst()) where load.end > next.address {
            throw image.fault("its segments overlap at \(hex(next.address))")
        }
        // Linux names the physical address of its entry point, others the virtual one.
        let isPhysical = loads.contains { $0.address <= entry && entry < $0.end }
        guard let start = isPhysical ? entry : entryByVirtual else {
            throw image.fault("its entry point \(hex(entry)) is in no segment")
        }
        return BootImage(label: "ELF64", loads: loads, entry: start)
    }
}
