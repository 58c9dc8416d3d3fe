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
        for form in [epoch, date, program] {
            var cursor = Cursor(text)
            guard let time = form(&cursor) else { continue }
            return (time, rest(text[text.utf8.index(text.startIndex, offsetBy: cursor.place)...]))
        }
        return (nil, line)
    }

    /// `1732881600.25`, with a blank, a colon, a bracket or nothing behind it.
    private static func epoch(_ cursor: inout Cursor) -> LogTime? {
        guard let seconds = cursor.digits(9...10) else { return nil }
        let fraction = cursor.take(".") ? cursor.fraction() : 0
        guard let fraction, cursor.isAtEnd || cursor.isBefore(" \t:]") else { return nil }
        var time = LogTime(seconds: seconds, microseconds: 0)
        time?.ns += fraction
        return time
    }

    /// `2024-11-29 12:00:00.25+01:00` and its like.
    private static func date(_ cursor: inout Cursor) -> LogTime? {
        guard let year = cursor.digits(4...4), cursor.take("-"), let month = cursor.digits(2...2), cursor.take("-"),
            let day = cursor.digits(2...2), cursor.take("T") || cursor.take(" "), let hour = cursor.digits(2...2),
            cursor.take(":"), let minute = cursor.digits(2...2), cursor.take(":"), let second = cursor.digits(2...2)
        else { return nil }
        var fraction: Int64 = 0
        var behind = cursor
        if behind.take(".") || behind.take(","), let found = behind.fraction() { (fraction, cursor) = (found, behind) }
        return time(year, month, day, hour, minute, second, fraction, zone: cursor.zone())
    }

    /// Cloud Hypervisor's, since it began.
    private static func program(_ cursor: inout Cursor) -> LogTime? {
        guard cursor.take("cloud-hypervisor: ") else { return nil }
        while cursor.take(" ") {}
        guard let seconds = cursor.digits(1...9), cursor.take("."), let fraction = cursor.fraction(), cursor.take("s:")
        else { return nil }
        return LogTime(.program, seconds * 1_000_000_000 + fraction)
    }

    /// Goes along the begin of a line: each line of a log is looked at, where regular expressions take too long.
    private struct Cursor {
        private let bytes: [UInt8]
        private(set) var place = 0

        init(_ text: Substring) { bytes = Array(text.utf8.prefix(64)) }

        var isAtEnd: Bool { place == bytes.count }
        func isBefore(_ any: String) -> Bool { !isAtEnd && any.utf8.contains(bytes[place]) }

        mutating func take(_ text: String) -> Bool {
            guard bytes[place...].starts(with: text.utf8) else { return false }
            place += text.utf8.count
            return true
        }

        private func run() -> ArraySlice<UInt8> { bytes[place...].prefix { (48..<58).contains($0) } }

        /// A number of so many digits, as many as there are.
        mutating func digits(_ counts: ClosedRange<Int>) -> Int64? {
            let found = run()
            guard counts.contains(found.count) else { return nil }
            place += found.count
            return found.reduce(0) { $0 * 10 + Int64($1 - 48) }
        }

        /// The nanoseconds that digits behind a point say; beyond nine they say nothing.
        mutating func fraction() -> Int64? {
            let found = run()
            guard !found.isEmpty else { return nil }
            place += found.count
            return (0..<9).reduce(0) { $0 * 10 + ($1 < found.count ? Int64(found[found.startIndex + $1] - 48) : 0) }
        }

        /// Seconds that a zone is ahead of UTC; nil where none is named.
        mutating func zone() -> Int64? {
            var behind = self
            _ = behind.take(" ")
            if behind.take("Z") || behind.take("UTC") {
                self = behind
                return 0
            }
            let isBefore = behind.take("-")
            guard isBefore || behind.take("+") else { return nil }
            var digits = behind.run()
            if digits.count == 2 {
                _ = behind.digits(2...2)
                guard behind.take(":") else { return nil }
                digits += behind.run().prefix(2)
                behind.place += min(2, behind.run().count)
            } else {
                digits = digits.prefix(4)
                behind.place += digits.count
            }
            guard digits.count == 4 else { return nil }
            self = behind
            let number = digits.reduce(0) { $0 * 10 + Int64($1 - 48) }
            return (isBefore ? -1 : 1) * (number / 100 * 3600 + number % 100 * 60)
        }
    }

    private init(_ clock: Clock, _ ns: Int64) { (self.clock, self.ns) = (clock, ns) }

    private static func rest(_ text: Substring) -> String {
        String(text.drop { $0 == " " || $0 == "]" || $0 == ":" || $0 == "\t" })
    }

    /// Of the Gregorian calendar.
    private static func time(
        _ year: Int64, _ month: Int64, _ day: Int64, _ hour: Int64, _ minute: Int64, _ second: Int64, _ fraction: Int64,
        zone: Int64?
    ) -> LogTime? {
        guard (1970...2199).contains(year), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        // Days since 1970, by years that begin in March.
        let (y, m) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - (zone ?? 0)
        guard seconds >= 0 else { return nil }
        return LogTime(zone == nil ? .local : .wall, seconds * 1_000_000_000 + fraction)
    }
}
