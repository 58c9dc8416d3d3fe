/// A 16550A at the first PC serial port: output only, sent at once. Its registers behave as Linux's 8250 driver expects
/// when it probes, interrupts included.
struct SerialPort {
    /// First of its eight I/O ports.
    static let base: UInt16 = 0x3f8
    /// Its ISA interrupt.
    static let interruptLine: UInt32 = 4

    private static let transmitterEmptyEnable: UInt8 = 2
    private static let loopback: UInt8 = 0x10

    private var interruptEnable: UInt8 = 0
    private var hasFIFO = false
    private var lineControl: UInt8 = 0
    private var modemControl: UInt8 = 0
    private var scratch: UInt8 = 0
    private var divisor: (low: UInt8, high: UInt8) = (12, 0)
    private var transmitterEmptyIsNews = false

    /// Whether it asks for an interrupt.
    var interrupt: Bool { transmitterEmptyIsNews && interruptEnable & Self.transmitterEmptyEnable != 0 }

    private var showsDivisor: Bool { lineControl & 0x80 != 0 }

    /// Takes a byte for register 0...7. - Returns: the byte that leaves on the wire, if one does.
    mutating func write(_ value: UInt8, to register: UInt16) -> UInt8? {
        switch register {
        case 0 where showsDivisor: divisor.low = value
        case 1 where showsDivisor: divisor.high = value
        case 0:
            transmitterEmptyIsNews = true
            return modemControl & Self.loopback == 0 ? value : nil
        case 1:
            let wasEnabled = interruptEnable & Self.transmitterEmptyEnable != 0
            interruptEnable = value & 0xf
            // The transmitter is always empty: enabling its interrupt raises it.
            if !wasEnabled, interruptEnable & Self.transmitterEmptyEnable != 0 { transmitterEmptyIsNews = true }
        case 2: hasFIFO = value & 1 != 0
        case 3: lineControl = value
        case 4: modemControl = value & 0x1f
        case 7: scratch = value
        default: break
        }
        return nil
    }

    mutating func read(_ register: UInt16) -> UInt8 {
        switch register {
        case 0: return showsDivisor ? divisor.low : 0
        case 1: return showsDivisor ? divisor.high : interruptEnable
        case 2:
            let reason: UInt8 = interrupt ? 2 : 1
            if interrupt { transmitterEmptyIsNews = false }
            return reason | (hasFIFO ? 0xc0 : 0)
        case 3: return lineControl
        case 4: return modemControl
        case 5: return 0x60  // the transmitter is empty
        case 6:
            // Carrier, data set ready, clear to send; in loopback what modem control says.
            guard modemControl & Self.loopback != 0 else { return 0xb0 }
            return (modemControl & 1) << 5 | (modemControl & 2) << 3 | (modemControl & 0xc) << 4
        default: return scratch
        }
    }
}
