/// Everything that a kernel guest finds at I/O ports, other than what KVM serves: console, power, markers.
struct PortDevices {
    struct Effect {
        var console: [UInt8] = []
        var markers: [String] = []
        /// How the guest ended, as words that follow "The guest".
        var end: String?
    }

    private var serial = SerialPort()
    private var consoleLine = LineCollector(limit: MarkerText.consoleLimit)
    private var markerLine = LineCollector(limit: MarkerText.limit)
    private var powerEnable: UInt16 = 0
    private var powerControl: UInt16 = 0

    /// Whether the serial port asks for an interrupt.
    var serialInterrupt: Bool { serial.interrupt }

    /// Serves an output instruction: more than one byte is a wide access or a repeated one.
    mutating func write(_ data: [UInt8], to port: UInt16) -> Effect {
        var effect = Effect()
        switch port {
        case SerialPort.base..<(SerialPort.base + 8):
            for byte in data {
                guard let sent = serial.write(byte, to: port - SerialPort.base) else { continue }
                effect.console.append(sent)
                if let line = consoleLine.add(sent), let text = MarkerText.inConsole(line) {
                    effect.markers.append(text)
                }
            }
        case MarkerText.firstPort...MarkerText.lastPort:
            for byte in data {
                if let line = markerLine.add(byte), let text = MarkerText.text(line) { effect.markers.append(text) }
            }
        case ACPITables.eventPort..<(ACPITables.controlPort + 2):
            for (place, byte) in data.enumerated() { writePower(byte, at: port + UInt16(truncatingIfNeeded: place)) }
            // SLP_EN with sleep type 0, which is our _S5.
            if powerControl & 0x3c00 == 0x2000 { effect.end = "powered off" }
        case ACPITables.resetPort where data.contains(ACPITables.resetValue):
            effect.end = "asked for a reset"
        default: break
        }
        return effect
    }

    /// Serves an input instruction; ports without a device read as ones.
    mutating func read(_ size: Int, from port: UInt16) -> [UInt8] {
        switch port {
        case SerialPort.base..<(SerialPort.base + 8):
            return (0..<size).map { _ in serial.read(port - SerialPort.base) }
        case ACPITables.eventPort..<(ACPITables.controlPort + 2):
            // The status never has news; bit 0 of control says that ACPI is on.
            let registers = [0, powerEnable, powerControl | 1]
            let bytes = registers.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
            return Array(bytes.dropFirst(Int(port - ACPITables.eventPort)).prefix(size))
        default: return []
        }
    }

    private mutating func writePower(_ byte: UInt8, at port: UInt16) {
        func replace(_ word: inout UInt16, high: Bool) {
            word = high ? word & 0x00ff | UInt16(byte) << 8 : word & 0xff00 | UInt16(byte)
        }
        switch port {
        case ACPITables.eventPort + 2: replace(&powerEnable, high: false)
        case ACPITables.eventPort + 3: replace(&powerEnable, high: true)
        case ACPITables.controlPort: replace(&powerControl, high: false)
        case ACPITables.controlPort + 1: replace(&powerControl, high: true)
        default: break
        }
    }
}
