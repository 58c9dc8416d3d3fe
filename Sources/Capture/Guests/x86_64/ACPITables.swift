/// The few ACPI tables that tell a kernel about its CPUs, its interrupt controller, and how to power off.
struct ACPITables {
    /// I/O port of the PM1a event registers: 2 bytes status, 2 bytes enable.
    static let eventPort: UInt16 = 0x600
    /// I/O port of the PM1a control register.
    static let controlPort: UInt16 = 0x604
    /// The keyboard controller's command port, by which PCs have always been reset.
    static let resetPort: UInt16 = 0x64
    /// What resets the machine when written to ``resetPort``.
    static let resetValue: UInt8 = 0xfe
    /// The most CPUs whose APIC ids fit the tables; 255 means all.
    static let maxCPUs = 254

    private static let ioAPIC: UInt32 = 0xfec0_0000
    private static let localAPIC: UInt32 = 0xfee0_0000
    private static let systemInterrupt: UInt8 = 9

    /// All tables as one block; the RSDP comes first.
    static func block(cpus: Int, at address: UInt64) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 64)  // room for the RSDP
        func append(_ table: [UInt8]) -> UInt64 {
            let place = address + UInt64(block.count)
            block += table
            block += [UInt8](repeating: 0, count: (64 - block.count % 64) % 64)  // FACS wants 64-byte alignment
            return place
        }
        var facs = Table(raw: "FACS")
        facs.pad(to: 64)
        facs.set(UInt32(64), at: 4)
        let facsAddress = append(facs.bytes)

        // Name (\_S5, Package { 0, 0, 0, 0 }): sleep type 0 in the control register is power-off.
        var dsdt = Table("DSDT", revision: 2)
        dsdt.bytes += [0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0, 0, 0, 0]
        let dsdtAddress = append(dsdt.finished)

        let tables = [
            append(fixed(facs: facsAddress, dsdt: dsdtAddress).finished), append(interrupts(cpus: cpus).finished),
        ]
        var xsdt = Table("XSDT", revision: 1)
        for table in tables { xsdt.append(table) }
        let xsdtAddress = append(xsdt.finished)

        var root = Table(raw: "RSD PTR ")
        root.pad(to: 36)
        root.write("DRTREC", at: 9)
        root.set(UInt8(2), at: 15)
        root.set(UInt32(36), at: 20)
        root.set(xsdtAddress, at: 24)
        root.setChecksum(at: 8, over: 20)
        root.setChecksum(at: 32, over: 36)
        block.replaceSubrange(0..<36, with: root.bytes)
        return block
    }

    /// FADT, revision 3: fixed hardware is the PM1a block only.
    private static func fixed(facs: UInt64, dsdt: UInt64) -> Table {
        var table = Table("FACP", revision: 3)
        table.pad(to: 244)
        table.set(UInt32(facs), at: 36)
        table.set(UInt32(dsdt), at: 40)
        table.set(UInt16(systemInterrupt), at: 46)
        table.set(UInt32(eventPort), at: 56)
        table.set(UInt32(controlPort), at: 64)
        table.set(UInt8(4), at: 88)  // bytes of the event block
        table.set(UInt8(2), at: 89)  // bytes of the control block
        table.set(UInt16(101), at: 96)  // no C2
        table.set(UInt16(1001), at: 98)  // no C3
        table.set(UInt16(0b10_0101), at: 109)  // ISA devices; no VGA, no CMOS clock, no keyboard controller
        // WBINVD works, C1 works, no fixed power and sleep buttons, no RTC wake, there is a reset register.
        table.set(UInt32(0x475), at: 112)
        table.bytes.replaceSubrange(116..<120, with: [1, 8, 0, 1])  // a byte of I/O space
        table.set(UInt64(resetPort), at: 120)
        table.set(resetValue, at: 128)
        table.set(dsdt, at: 140)
        return table
    }

    /// MADT: one local APIC a CPU, one IOAPIC whose pins are the ISA interrupts.
    private static func interrupts(cpus: Int) -> Table {
        var table = Table("APIC", revision: 3)
        table.append(localAPIC)
        table.append(UInt32(1))  // there are two 8259s
        for cpu in 0..<cpus {
            table.bytes += [0, 8, UInt8(cpu), UInt8(cpu)]
            table.append(UInt32(1))  // enabled
        }
        table.bytes += [1, 12, UInt8(cpus), 0]
        table.append(ioAPIC)
        table.append(UInt32(0))
        table.bytes += [2, 10, 0, systemInterrupt]
        table.append(UInt32(systemInterrupt))
        table.append(UInt16(0xd))  // active high, level triggered
        return table
    }
}

private struct Table {
    var bytes: [UInt8]

    /// Begins with a signature only.
    init(raw signature: String) { bytes = Array(signature.utf8) }

    /// Begins with ACPI's common header.
    init(_ signature: String, revision: UInt8) {
        self.init(raw: signature)
        pad(to: 36)
        set(revision, at: 8)
        write("DRTREC", at: 10)
        write("DIRTYREC", at: 16)
        set(UInt32(1), at: 24)
        write("DREC", at: 28)
        set(UInt32(1), at: 32)
    }

    mutating func pad(to size: Int) { bytes += [UInt8](repeating: 0, count: size - bytes.count) }

    mutating func write(_ text: String, at offset: Int) {
        bytes.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
    }

    mutating func set(_ number: some FixedWidthInteger, at offset: Int) {
        for place in 0..<(number.bitWidth / 8) {
            bytes[offset + place] = UInt8(truncatingIfNeeded: number >> (8 * place))
        }
    }

    mutating func append(_ number: some FixedWidthInteger) {
        pad(to: bytes.count + number.bitWidth / 8)
        set(number, at: bytes.count - number.bitWidth / 8)
    }

    /// Makes the first `count` bytes add up to 0.
    mutating func setChecksum(at offset: Int, over count: Int) {
        bytes[offset] = 0
        bytes[offset] = 0 &- bytes.prefix(count).reduce(0, &+)
    }

    /// The bytes, with length and checksum in the common header.
    var finished: [UInt8] {
        var table = self
        table.set(UInt32(bytes.count), at: 4)
        table.setChecksum(at: 9, over: bytes.count)
        return table.bytes
    }
}
