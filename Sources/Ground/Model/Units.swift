import Glibc  // Linking libm, which rounded() calls.

/// Reads and prints sizes, durations and rates, everywhere in the same words.
///
/// Parsing is exact integer arithmetic: what cannot be expressed in whole bytes, nanoseconds or events is refused.
package enum Units {
    /// Why a quantity was refused: one sentence that says what to write instead.
    package struct ParsingError: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Bytes of a size such as `64MiB`, `4GB`, `1.5GiB` or `4096`. Bare `K`, `M`, `G` are refused as ambiguous.
    package static func parseSize(_ text: String) throws(ParsingError) -> Int64 {
        try parse(text, kind: "size", example: "64MiB, 4GB or 4096", units: sizeUnits)
    }

    /// Nanoseconds of a duration such as `250ms`, `2s`, `1.5us`, `300ns`, `5min` or `1h`. A unit is required.
    /// At most ``longestDuration``.
    package static func parseDuration(_ text: String) throws(ParsingError) -> Int64 {
        let duration = try parse(text, kind: "duration", example: "250ms, 2s or 5min", units: durationUnits)
        guard duration <= longestDuration else {
            throw ParsingError(
                description: "'\(text)' is too long: a duration is at most \(longestDuration / 3_600_000_000_000)h.")
        }
        return duration
    }

    /// 36 years, in nanoseconds: the largest that a recording holds, and no sum of a few overflows.
    package static let longestDuration: Int64 = 1 << 60

    /// Bytes per second of a bandwidth such as `10Gbit/s`, `1.25GB/s` or `100MiB/s`.
    package static func parseBandwidth(_ text: String) throws(ParsingError) -> Int64 {
        try parse(
            text, kind: "bandwidth", example: "10Gbit/s, 1.25GB/s or 100MiB/s",
            units: bandwidthUnits + bandwidthAliases)
    }

    /// Events per second of a rate such as `50k/s`, `2M/s` or `300/s`.
    package static func parseRate(_ text: String) throws(ParsingError) -> Int64 {
        try parse(text, kind: "rate", example: "300/s, 50k/s or 2M/s", units: rateUnits)
    }

    // MARK: Printing

    /// A size in IEC units with four significant digits, such as `1.531 GiB`; exact below 1 KiB.
    package static func size(_ bytes: Int64) -> String {
        scaled(Double(bytes), base: 1024, units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    }

    /// A duration with four significant digits, such as `1.204 ms` or `95.20 s`; from 10 minutes on as `12 min 5 s`.
    package static func duration(_ nanoseconds: Int64) -> String {
        if nanoseconds.magnitude < 600_000_000_000 {
            return scaled(Double(nanoseconds), base: 1000, units: ["ns", "µs", "ms", "s"])
        }
        let seconds = (nanoseconds.magnitude + 500_000_000) / 1_000_000_000
        let sign = nanoseconds < 0 ? "-" : ""
        if seconds < 7200 { return "\(sign)\(seconds / 60) min \(seconds % 60) s" }
        return "\(sign)\(seconds / 3600) h \(seconds % 3600 / 60) min"
    }

    /// A bandwidth in bits per second, as network links are named: `10 Gbit/s`, `941.2 Mbit/s`.
    package static func bandwidth(_ bytesPerSecond: Double) -> String {
        scaled(bytesPerSecond * 8, base: 1000, units: ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s"])
    }

    /// A data rate in IEC bytes per second: `12.5 MiB/s`.
    package static func dataRate(_ bytesPerSecond: Double) -> String {
        scaled(bytesPerSecond, base: 1024, units: ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s", "PiB/s"])
    }

    /// Events per second with an SI prefix: `52.31 k/s`.
    package static func rate(_ perSecond: Double) -> String {
        let text = scaled(perSecond, base: 1000, units: ["", "k", "M", "G", "T"])
        return text.hasSuffix(" ") ? text.dropLast() + "/s" : text + "/s"
    }

    /// A count of things, by their singular and plural: `1 entry`, `1,234 entries`.
    package static func counted(_ value: Int64, _ one: String, _ many: String) -> String {
        count(value) + " " + (value == 1 ? one : many)
    }

    /// An exact count with thousands separated by commas: `1,234,567`.
    package static func count(_ value: Int64) -> String {
        let digits = String(value.magnitude)
        var text = value < 0 ? "-" : ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A share of 1 as a percentage with one decimal: `12.5 %`. Only an exact 0 or 1 prints as `0 %` or `100 %`.
    package static func percent(_ share: Double) -> String {
        if share == 0 || share == 1 { return share == 0 ? "0 %" : "100 %" }
        if share > 0, share < 0.001 { return "< 0.1 %" }
        if share > 0.999, share < 1 { return "> 99.9 %" }
        return fixed(share * 100, decimals: 1) + " %"
    }

    /// A multiple: `× 1.03`, `× 66.15`, `× 262,144`; two decimals below 100, none from 1000 on.
    package static func times(_ value: Double) -> String {
        guard value.magnitude < 9e15, value.magnitude >= 100 else { return "× " + fixed(value, decimals: 2) }
        return value.magnitude < 1000 && value != value.rounded()
            ? "× " + fixed(value, decimals: 1) : "× " + count(Int64(value.rounded()))
    }

    /// `value` with a fixed number of decimals (0...9), rounded half away from zero. Not for non-finite values.
    package static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "unknown" : value < 0 ? "-infinite" : "infinite" }
        let power = (0..<decimals).reduce(1.0) { product, _ in product * 10 }
        let rounded = (value * power).rounded(.toNearestOrAwayFromZero)
        guard rounded.magnitude < 9e18 else { return String(value) }
        let integer = Int64(rounded)
        let sign = integer < 0 ? "-" : ""
        guard decimals > 0 else { return String(integer) }
        let scale = Int64(power)
        let fraction = String(integer.magnitude % UInt64(scale))
        return "\(sign)\(integer.magnitude / UInt64(scale))."
            + String(repeating: "0", count: decimals - fraction.count) + fraction
    }

    // MARK: Exact printing: what the parser reads back as the same number

    /// A size in the largest unit that divides it: `64MiB`, `4GB`, `4097B`.
    package static func exactSize(_ bytes: Int64) -> String { exact(bytes, sizeUnits) }
    /// A duration in the largest unit that divides it: `250ms`, `90s`.
    package static func exactDuration(_ nanoseconds: Int64) -> String { exact(nanoseconds, durationUnits) }
    /// A bandwidth in the largest unit that divides it: `10Gbit/s`, `1MiB/s`.
    package static func exactBandwidth(_ bytesPerSecond: Int64) -> String {
        let bits = bytesPerSecond.multipliedReportingOverflow(by: 8)
        if !bits.overflow, bits.partialValue % 1_000_000 == 0 {
            return exact(bits.partialValue, prefixes.map { Unit(name: $0.0 + "bit/s", numerator: $0.1) })
        }
        return exact(bytesPerSecond, bandwidthUnits.filter { $0.denominator == 1 })
    }

    private static func exact(_ value: Int64, _ units: [Unit]) -> String {
        let named = units.filter { !$0.name.isEmpty }
        let fitting = named.filter { value != 0 && value % $0.numerator == 0 }
        guard let unit = fitting.max(by: { $0.numerator < $1.numerator }) ?? named.first else { return "\(value)" }
        return "\(value / unit.numerator)\(unit.name)"
    }

    // MARK: Inside

    /// A unit as an exact fraction of the base unit.
    private struct Unit {
        var name: String
        var numerator: Int64
        var denominator: Int64 = 1
    }

    private static let prefixes: [(String, Int64)] = [
        ("", 1), ("k", 1000), ("K", 1000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000),
    ]
    private static let binaryPrefixes: [(String, Int64)] = [
        ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40),
    ]
    private static let sizeUnits =
        [Unit(name: "", numerator: 1)]
        + (prefixes + binaryPrefixes).map { Unit(name: $0.0 + "B", numerator: $0.1) }
    private static let durationUnits = [
        Unit(name: "ns", numerator: 1), Unit(name: "us", numerator: 1000), Unit(name: "µs", numerator: 1000),
        Unit(name: "ms", numerator: 1_000_000), Unit(name: "s", numerator: 1_000_000_000),
        Unit(name: "min", numerator: 60_000_000_000), Unit(name: "h", numerator: 3_600_000_000_000),
    ]
    private static let bandwidthUnits =
        (prefixes + binaryPrefixes).map { Unit(name: $0.0 + "B/s", numerator: $0.1) }
        + (prefixes + binaryPrefixes).map { Unit(name: $0.0 + "bit/s", numerator: $0.1, denominator: 8) }
    /// As tc(8) and many tables write them: `10gbit`, `10Gbit`.
    private static let bandwidthAliases = (prefixes + binaryPrefixes).flatMap { prefix, factor in
        [prefix, prefix.lowercased(), prefix.prefix(1).uppercased() + prefix.dropFirst()].flatMap { prefix in
            ["bit", "bit/s"].map { Unit(name: prefix + $0, numerator: factor, denominator: 8) }
        }
    }
    private static let rateUnits = prefixes.map { Unit(name: $0.0 + "/s", numerator: $0.1) }

    private static func parse(
        _ text: String, kind: String, example: String, units: [Unit]
    ) throws(ParsingError) -> Int64 {
        let shown = text.map { $0.isASCII && !($0.isNewline || $0 < " " || $0 == "\u{7f}") || $0 == "µ" ? $0 : "?" }
        let refusal = ParsingError(description: "'\(String(shown))' is not a \(kind); write for example \(example).")
        let digits = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        let name = text[digits.endIndex...].drop { $0 == " " }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = parts.first, !whole.isEmpty, parts.last?.isEmpty == false else {
            throw refusal
        }
        guard let unit = units.first(where: { $0.name == name }) else {
            if kind == "size", ["K", "M", "G", "T", "k"].contains(name) {
                let prefix = name.uppercased()
                throw ParsingError(
                    description: "'\(String(shown))' is ambiguous; write \(digits)\(prefix)iB (powers of 1024) or "
                        + "\(digits)\(prefix)B (powers of 1000).")
            }
            throw refusal
        }
        let tooLarge = ParsingError(description: "'\(String(shown))' is too large for a \(kind).")
        let fraction = parts.count == 2 ? parts[1] : ""
        guard fraction.count <= 9, let mantissa = Int64(whole + fraction) else { throw tooLarge }
        let product = mantissa.multipliedFullWidth(by: unit.numerator)
        let divisor = fraction.reduce(unit.denominator) { power, _ in power * 10 }
        guard product.high >= 0, UInt64(product.high) < UInt64(divisor) else { throw tooLarge }
        let (quotient, remainder) = divisor.dividingFullWidth(product)
        guard remainder == 0 else {
            throw ParsingError(description: "'\(String(shown))' is not a whole number of \(baseName(kind)).")
        }
        return quotient
    }

    private static func baseName(_ kind: String) -> String {
        switch kind {
        case "size": "bytes"
        case "duration": "nanoseconds"
        case "bandwidth": "bytes per second"
        default: "events per second"
        }
    }

    /// Four significant digits in the largest unit that leaves at least 1. Without decimals means exact: `1 GiB`, but
    /// `1.000 GiB` for a byte less.
    private static func scaled(_ value: Double, base: Double, units: [String]) -> String {
        guard value.isFinite else {
            return "\(value.isNaN ? "unknown" : value < 0 ? "-infinite" : "infinite") \(units[0])"
        }
        var scaled = value
        var place = 0
        // What would round to the next unit's 1 is printed in it.
        while scaled.magnitude >= base - base / 20_000, place < units.count - 1 {
            scaled /= base
            place += 1
        }
        let decimals =
            scaled == scaled.rounded()
            ? 0 : scaled.magnitude < 10 ? 3 : scaled.magnitude < 100 ? 2 : scaled.magnitude < 1000 ? 1 : 0
        return "\(fixed(scaled, decimals: decimals)) \(units[place])"
    }
}
