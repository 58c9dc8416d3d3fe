import Model
import Testing

@Suite struct UnitsTests {
    @Test(arguments: [
        ("64MiB", 67_108_864), ("4GB", 4_000_000_000), ("4096", 4096), ("1.5GiB", 1_610_612_736), ("0", 0),
        ("2 KiB", 2048), ("1TB", 1_000_000_000_000), ("9223372036854775807", Int64.max),
    ])
    func `sizes are parsed exactly`(text: String, bytes: Int64) throws {
        #expect(try Units.parseSize(text) == bytes)
    }

    @Test(arguments: [
        ("250ms", 250_000_000), ("2s", 2_000_000_000), ("1.5us", 1500), ("1.5µs", 1500), ("300ns", 300),
        ("5min", 300_000_000_000), ("1h", 3_600_000_000_000),
    ])
    func `durations are parsed exactly`(text: String, nanoseconds: Int64) throws {
        #expect(try Units.parseDuration(text) == nanoseconds)
    }

    @Test(arguments: [
        ("10Gbit/s", 1_250_000_000), ("1.25GB/s", 1_250_000_000), ("100MiB/s", 104_857_600), ("8bit/s", 1),
        ("10gbit", 1_250_000_000), ("10Gbit", 1_250_000_000), ("100mbit/s", 12_500_000), ("1Gibit", 134_217_728),
    ])
    func `bandwidths are parsed exactly`(text: String, bytesPerSecond: Int64) throws {
        #expect(try Units.parseBandwidth(text) == bytesPerSecond)
    }

    @Test(arguments: [("50k/s", 50_000), ("2.5M/s", 2_500_000), ("300/s", 300)])
    func `rates are parsed exactly`(text: String, perSecond: Int64) throws {
        #expect(try Units.parseRate(text) == perSecond)
    }

    @Test(arguments: [
        "", "MiB", "-1MiB", "1..5MiB", ".5GiB", "1.GiB", "1e3", "64 mib", "3 apples", "5m", "+4", "0x10", "\u{1b}[2J",
    ])
    func `what is no size is refused in one printable sentence`(text: String) {
        let error = #expect(throws: Units.ParsingError.self) { try Units.parseSize(text) }
        let sentence = error?.description ?? ""
        #expect(sentence.hasSuffix("."))
        #expect(!sentence.unicodeScalars.contains { $0.value < 32 })
    }

    @Test func `refusals say what to write`() {
        func sentence(_ body: () throws(Units.ParsingError) -> Int64) -> String {
            do throws(Units.ParsingError) { return "\(try body())" } catch { return error.description }
        }
        #expect(
            sentence { () throws(Units.ParsingError) in try Units.parseSize("4G") }
                == "'4G' is ambiguous; write 4GiB (powers of 1024) or 4GB (powers of 1000).")
        #expect(
            sentence { () throws(Units.ParsingError) in try Units.parseDuration("300") }
                == "'300' is not a duration; write for example 250ms, 2s or 5min.")
        #expect(
            sentence { () throws(Units.ParsingError) in try Units.parseDuration("0.5ns") }
                == "'0.5ns' is not a whole number of nanoseconds.")
        #expect(
            sentence { () throws(Units.ParsingError) in try Units.parseSize("9223372036854775807KiB") }
                == "'9223372036854775807KiB' is too large for a size.")
        #expect(
            sentence { () throws(Units.ParsingError) in try Units.parseBandwidth("1bit/s") }
                == "'1bit/s' is not a whole number of bytes per second.")
    }

    @Test func `quantities are printed with their units`() {
        #expect(Units.size(0) == "0 B")
        #expect(Units.size(1023) == "1023 B")
        #expect(Units.size(67_108_864) == "64 MiB")
        #expect(Units.size(1_644_167_168) == "1.531 GiB")
        #expect(Units.size(1_073_741_823) == "1.000 GiB")
        #expect(Units.duration(300) == "300 ns")
        #expect(Units.duration(1_204_000) == "1.204 ms")
        #expect(Units.duration(725_000_000_000) == "12 min 5 s")
        #expect(Units.duration(7_260_000_000_000) == "2 h 1 min")
        #expect(Units.bandwidth(1_250_000_000) == "10 Gbit/s")
        #expect(Units.dataRate(13_107_200) == "12.50 MiB/s")
        #expect(Units.rate(52_310) == "52.31 k/s")
        #expect(Units.rate(12) == "12/s")
        #expect(Units.count(-1_234_567) == "-1,234,567")
        #expect(Units.percent(0.125) == "12.5 %")
        #expect(Units.percent(0.0001) == "< 0.1 %")
        #expect(Units.percent(0.9999) == "> 99.9 %")
        #expect(Units.fixed(-0.05, decimals: 1) == "-0.1")
        #expect(Units.fixed(2.5, decimals: 0) == "3")
    }

    @Test(arguments: [0, 1, 4096, 4097, 1_000_000, 1 << 40, Int64.max])
    func `exact printing is read back as the same number`(value: Int64) throws {
        #expect(try Units.parseSize(Units.exactSize(value)) == value)
        let duration = min(value, Units.longestDuration)
        #expect(try Units.parseDuration(Units.exactDuration(duration)) == duration)
        #expect(try Units.parseBandwidth(Units.exactBandwidth(value)) == value)
    }

    @Test func `exact printing takes the largest unit that fits`() {
        #expect(Units.exactSize(64 << 20) == "64MiB")
        #expect(Units.exactSize(4_000_000_000) == "4GB")
        #expect(Units.exactDuration(250_000_000) == "250ms")
        #expect(Units.exactBandwidth(1_250_000_000) == "10Gbit/s")
        #expect(Units.exactBandwidth(1 << 20) == "1MiB/s")
    }
}
