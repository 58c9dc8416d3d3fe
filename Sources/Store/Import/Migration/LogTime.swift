import Model

/// A time as logs write it before a line, or alone on one.
struct LogTime: Equatable {
    enum Clock {
        /// Since 1970, by a zone that the log names.
        case wall
        /// A date and time of an unknown zone, as if it were UTC's.
        case local
        /// Since a program began.
        case program
    }
    var clock: Clock
    /// Nanoseconds, never negative.
    var ns: Int64

    func isComparable(to other: LogTime) -> Bool { clock == other.clock }

    /// Seconds since 1970, or since a program began; nil when that cannot be.
    init?(seconds: Double, _ clock: Clock) {
        guard seconds >= 0, seconds < 9e9 else { return nil }
        (self.clock, ns) = (clock, Int64((seconds * 1e9).rounded()))
    }

    init?(seconds: Int64, microseconds: Int64) {
        guard (0..<9_000_000_000).contains(seconds), (0..<1_000_000).contains(microseconds) else { return nil }
        (clock, ns) = (.wall, seconds * 1_000_000_000 + microseconds * 1000)
    }

    /// A text that is a time and nothing else.
    init?(_ text: String) {
        let (time, rest) = Self.split(text)
        guard let time, rest.isEmpty else { return nil }
        self = time
    }

    /// The time that a line begins with, and what follows; without one, the line as it is.
    static func split(_ line: String) -> (LogTime?, String) {
        let text = line.drop { $0 == " " || $0 == "[" }
        guard let first = text.utf8.first, first == UInt8(ascii: "c") || (48..<58).contains(first) else {
            return (nil, line)
        }
        if let match = text.prefixMatch(of: #/(\d{9,10})(\.\d{1,9})?(?=[\s:\]]|$)/#),
            let whole = Int64(match.1), let fraction = nanoseconds(match.2)
        {
            var time = LogTime(seconds: whole, microseconds: 0)
            time?.ns += fraction
            return time.map { ($0, rest(text[match.range.upperBound...])) } ?? (nil, line)
        }
        if let match = text.prefixMatch(
            of: #/(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(?: ?(Z|UTC|[+-]\d\d:?\d\d))?/#)
        {
            let numbers = [match.1, match.2, match.3, match.4, match.5, match.6].compactMap { Int64($0) }
            guard let fraction = nanoseconds(match.7.map { "." + $0 }), let time = date(numbers, fraction, match.8)
            else {
                return (nil, line)
            }
            return (time, rest(text[match.range.upperBound...]))
        }
        if let match = text.prefixMatch(of: #/cloud-hypervisor: +(\d{1,9}\.\d{1,9})s:/#), let seconds = Double(match.1)
        {
            return (LogTime(seconds: seconds, .program), rest(text[match.range.upperBound...]))
        }
        return (nil, line)
    }

    private init(_ clock: Clock, _ ns: Int64) { (self.clock, self.ns) = (clock, ns) }

    private static func rest(_ text: Substring) -> String {
        String(text.drop { $0 == " " || $0 == "]" || $0 == ":" || $0 == "\t" })
    }

    /// `.5` is half a second.
    private static func nanoseconds(_ fraction: Substring?) -> Int64? {
        guard let digits = fraction?.dropFirst() else { return 0 }
        return Int64(digits + String(repeating: "0", count: 9 - digits.count))
    }

    private static func nanoseconds(_ fraction: String?) -> Int64? { nanoseconds(fraction.map { $0[...] }) }

    /// Year, month, day, hour, minute and second of the Gregorian calendar.
    private static func date(_ numbers: [Int64], _ fraction: Int64, _ zone: Substring?) -> LogTime? {
        guard numbers.count == 6 else { return nil }
        let (year, month, day) = (numbers[0], numbers[1], numbers[2])
        guard (1970...2199).contains(year), (1...12).contains(month), (1...31).contains(day), numbers[3] < 24,
            numbers[4] < 60, numbers[5] <= 60
        else { return nil }
        // Days since 1970, by years that begin in March.
        let (y, m) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
        var seconds = days * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
        var clock = Clock.local
        if let zone {
            clock = .wall
            let digits = zone.filter(\.isNumber)
            if digits.count == 4, let hours = Int64(digits.prefix(2)), let minutes = Int64(digits.suffix(2)) {
                seconds -= (zone.first == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
            }
        }
        guard seconds >= 0 else { return nil }
        return LogTime(clock, seconds * 1_000_000_000 + fraction)
    }
}
