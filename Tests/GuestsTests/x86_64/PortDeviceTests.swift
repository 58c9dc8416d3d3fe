import Testing

@testable import Guests

@Suite struct `The serial port` {
    @Test func `is what Linux's 8250 driver calls a 16550A`() {
        var port = SerialPort()
        // The interrupt enable register has four bits.
        _ = port.write(0xff, to: 1)
        #expect(port.read(1) == 0xf)
        _ = port.write(0, to: 1)
        // In loopback the modem status repeats modem control: OUT2 and RTS come back as DCD and CTS.
        _ = port.write(0x1a, to: 4)
        #expect(port.read(6) & 0xf0 == 0x90)
        _ = port.write(0, to: 4)
        _ = port.write(1, to: 2)
        #expect(port.read(2) == 0xc1)
        _ = port.write(0x5a, to: 7)
        #expect(port.read(7) == 0x5a)
    }

    @Test func `says once that its transmitter is empty`() {
        var port = SerialPort()
        #expect(!port.interrupt)
        _ = port.write(2, to: 1)
        #expect(port.interrupt)
        #expect(port.read(2) == 2)
        #expect(!port.interrupt)
        #expect(port.read(2) == 1)
        #expect(port.write(0x41, to: 0) == 0x41)
        #expect(port.interrupt)
    }

    @Test func `keeps the divisor apart from data, and loops back instead of sending`() {
        var port = SerialPort()
        _ = port.write(0x83, to: 3)
        #expect(port.write(1, to: 0) == nil)
        #expect(port.read(0) == 1)
        _ = port.write(3, to: 3)
        #expect(port.read(0) == 0)
        _ = port.write(0x10, to: 4)
        #expect(port.write(0x41, to: 0) == nil)
    }
}

@Suite struct `Markers` {
    private func console(_ text: String) -> [String] {
        var devices = PortDevices()
        return devices.write(Array(text.utf8), to: SerialPort.base).markers
    }

    @Test(arguments: [
        ("dirtyrec-mark: boot done\n", ["boot done"]), ("[    1.5] dirtyrec-mark: sort\r\n", ["sort"]),
        ("dirtyrec-mark:a\nnoise\ndirtyrec-mark:b\n", ["a", "b"]), ("dirtyrec-mark: unfinished", []),
        ("dirtyrec-mark:\n", []), ("dirtyrec-mark:   \n", []), ("dirtyrec-mar: x\n", []),
        ("dirtyrec-mark: \u{1b}[31mred\n", ["\u{1b}[31mred"]),
    ])
    func `come from lines of the console`(text: String, markers: [String]) {
        #expect(console(text) == markers)
    }

    @Test func `are bounded, and valid text whatever the guest writes`() throws {
        let long = try #require(console("dirtyrec-mark: " + String(repeating: "x", count: 100_000) + "\n").first)
        #expect(long.count == 256)
        var devices = PortDevices()
        let hostile = [0xff, 0xfe, 0xc0, 0x41, 0xe2, 0x82] as [UInt8]
        let text = try #require(devices.write(hostile + [0], to: MarkerText.firstPort).markers.first)
        #expect(text.contains("A") && !text.utf8.contains(0))
    }

    @Test func `come from the ports, one after the other or all from one`() {
        var devices = PortDevices()
        for (place, byte) in "copy\n".utf8.enumerated() {
            let effect = devices.write([byte], to: MarkerText.firstPort + UInt16(place))
            #expect(effect.markers == (byte == 0xa ? ["copy"] : []))
        }
        #expect(devices.write(Array("sort\nidle\n".utf8), to: MarkerText.lastPort).markers == ["sort", "idle"])
    }
}

@Suite struct `Power` {
    @Test func `goes off by a word or by two bytes, and only with sleep type 0`() {
        var devices = PortDevices()
        #expect(devices.write([0x00, 0x24], to: ACPITables.controlPort).end == nil)
        #expect(devices.write([0x00, 0x20], to: ACPITables.controlPort).end == "powered off")
        devices = PortDevices()
        #expect(devices.write([0x00], to: ACPITables.controlPort).end == nil)
        #expect(devices.write([0x20], to: ACPITables.controlPort + 1).end == "powered off")
    }

    @Test func `is reset by the keyboard controller`() {
        var devices = PortDevices()
        #expect(devices.write([0x20], to: ACPITables.resetPort).end == nil)
        #expect(devices.write([0xfe], to: ACPITables.resetPort).end == "asked for a reset")
    }

    @Test func `has registers that read as written, in ACPI mode`() {
        var devices = PortDevices()
        _ = devices.write([0x20, 0x01], to: ACPITables.eventPort + 2)
        #expect(devices.read(4, from: ACPITables.eventPort) == [0, 0, 0x20, 0x01])
        #expect(devices.read(2, from: ACPITables.controlPort) == [1, 0])
        #expect(devices.read(1, from: 0x1234) == [])
    }

    @Test func `has tables whose checksums are right and whose pointers lead to tables`() {
        let base: UInt64 = 0xe0000
        let block = ACPITables.block(cpus: 3, at: base)
        func number(_ at: Int, _ size: Int) -> Int {
            block[at..<(at + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        func sum(_ at: Int, _ count: Int) -> UInt8 { block[at..<(at + count)].reduce(0, &+) }
        func name(_ at: Int) -> String { String(decoding: block[at..<(at + 4)], as: UTF8.self) }
        #expect(sum(0, 20) == 0 && sum(0, 36) == 0)
        let xsdt = number(24, 8) - Int(base)
        #expect(name(xsdt) == "XSDT" && number(xsdt + 4, 4) == 52)
        let tables = [xsdt, number(xsdt + 36, 8) - Int(base), number(xsdt + 44, 8) - Int(base)]
        #expect(tables.map(name) == ["XSDT", "FACP", "APIC"])
        let dsdt = number(tables[1] + 40, 4) - Int(base)
        #expect(name(dsdt) == "DSDT")
        for table in tables + [dsdt] { #expect(sum(table, number(table + 4, 4)) == 0) }
        #expect(block.count <= 0x20000 && ACPITables.block(cpus: ACPITables.maxCPUs, at: base).count <= 0x20000)
    }
}
