import Model
import Platform

/// What a figure of a table counts: how people read it, and its unit in the documentation.
package enum Kind: String, Sendable {
    case text
    /// 1 or 0; in JSON true or false.
    case flag
    case count
    /// A number with two decimals.
    case decimal
    /// Seconds with three decimals.
    case seconds
    /// Nanoseconds, shown in a fitting unit.
    case nanoseconds
    /// Bytes, shown in a fitting unit.
    case bytes
    /// A share of 1.
    case share
    /// A multiple of something.
    case times
    /// A page or an address.
    case hex
    /// Events a second.
    case rate
    /// Bytes a second, shown in a fitting unit.
    case dataRate
    /// Bytes a second, shown in bits a second as links are named.
    case bandwidth

    var isNumber: Bool { self != .text }

    var unit: String {
        switch self {
        case .text, .flag, .count, .decimal, .times: ""
        case .seconds: "s"
        case .nanoseconds: "ns"
        case .bytes: "bytes"
        case .share: "0…1"
        case .hex: "GFN"
        case .rate: "1/s"
        case .dataRate, .bandwidth: "bytes/s"
        }
    }

    /// A figure as people read it.
    ///
    /// - Parameter missing: What stands for one that is not known.
    func format(_ value: SQLValue, missing: String) -> String {
        switch value {
        case .null: missing
        case .integer(let number): format(number)
        case .real(let number): format(number)
        case .text(let text): Sanitizer.line(text)
        case .blob(let bytes): TableFormatter.hex(bytes)
        }
    }

    private func format(_ number: Int64) -> String {
        switch self {
        case .text: String(number)
        case .flag: number == 1 ? "yes" : "no"
        case .count: Units.count(number)
        case .nanoseconds: Units.duration(number)
        case .bytes: Units.size(number)
        case .hex: Text.hex(UInt64(bitPattern: number))
        case .decimal, .seconds, .share, .times, .rate, .dataRate, .bandwidth: format(Double(number))
        }
    }

    private func format(_ number: Double) -> String {
        switch self {
        case .decimal: Units.fixed(number, decimals: 2)
        case .seconds: Units.fixed(number, decimals: 3)
        case .share: Units.percent(number)
        case .times: Units.times(number)
        case .rate: Units.rate(number)
        case .dataRate: Units.dataRate(number)
        case .bandwidth: Units.bandwidth(number)
        case .count where number == number.rounded() && number.magnitude < 9e15: Units.count(Int64(number))
        case .nanoseconds where number.magnitude < 9e15: Units.duration(Int64(number))
        case .bytes where number.magnitude < 9e15: Units.size(Int64(number))
        case .text, .flag, .count, .nanoseconds, .bytes, .hex: Units.fixed(number, decimals: 1)
        }
    }
}
