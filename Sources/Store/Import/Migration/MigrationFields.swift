import Foundation
import Model

/// Fills an observation with words of a tool, checks each figure, and keeps what it does not know.
struct MigrationFields {
    private(set) var observation: MigrationObservation
    private var others: [String: JSONTree] = [:]
    private var otherBytes = 2
    private var leftOut = 0
    /// Pages a second, which are bytes only with ``MigrationObservation/pageBytes``.
    var dirtyPagesPerSecond: Double?

    /// No honest figure is larger.
    private static let largest = Double(1 << 60)

    init(_ tool: MigrationObservation.Tool, line: Int64) { observation = MigrationObservation(tool: tool, line: line) }

    /// Nothing beyond who spoke and where.
    var isEmpty: Bool {
        observation == MigrationObservation(tool: observation.tool, line: observation.line)
            && dirtyPagesPerSecond == nil
    }

    /// A figure times its unit; nothing for what is no number, is negative or cannot be.
    mutating func set(
        _ figure: WritableKeyPath<MigrationObservation, Int64?>, _ value: Double?, times unit: Double = 1
    ) {
        guard let value, value.isFinite, value >= 0, value * unit <= Self.largest else { return }
        let number = Int64(min((value * unit).rounded(), Self.largest))
        if figure == \.throttlePercent, number > 100 { return }
        observation[keyPath: figure] = number
    }

    mutating func set(state: some StringProtocol) {
        let word = state.lowercased()
        if word.utf8.count <= MigrationObservation.longestState, !word.isEmpty { observation.state = word }
    }

    /// What has no column, as far as there is room.
    mutating func keep(_ name: some StringProtocol, _ value: JSONTree) {
        let cost = JSONTree.string(String(name)).encoded.utf8.count + value.encoded.utf8.count + 2
        guard otherBytes + cost <= MigrationObservation.longestOther - 40, others.count < 256 else {
            leftOut += 1
            return
        }
        otherBytes += cost
        others[String(name)] = value
    }

    /// The whole observation.
    func finished() -> MigrationObservation {
        var result = self
        if let rate = dirtyPagesPerSecond, rate > 0, let page = observation.pageBytes {
            result.set(\.dirtyBytesPerSecond, rate, times: Double(page))
        }
        if leftOut > 0 { result.others["left out"] = .integer(Int64(leftOut)) }
        if !result.others.isEmpty { result.observation.other = JSONTree.object(result.others).encoded }
        return result.observation
    }
}

/// Numbers with units, in the ways in which tools write them.
enum MigrationNumber {
    static let mebibyte = 1_048_576.0

    private static let units: [String: Double] = [
        "b": 1, "bytes": 1, "kib": 1024, "kbytes": 1024, "mib": mebibyte, "gib": 1024 * mebibyte,
        "tib": 1_048_576 * mebibyte,
    ]

    /// The number with which a text begins; nil without one.
    static func leading(_ text: some StringProtocol) -> Double? {
        let digits = text.drop { $0 == " " || $0 == "\t" }.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        return digits.count <= 24 ? Double(String(digits)) : nil
    }

    /// Bytes of `12.5 MiB` and the like, `/s` or not; nil of any other unit.
    static func bytes(_ text: some StringProtocol) -> Double? {
        guard let number = leading(text) else { return nil }
        let unit = text.drop { " \t.".contains($0) || $0.isNumber }.prefix { $0.isLetter }
        return units[unit.lowercased()].map { number * $0 }
    }
}
