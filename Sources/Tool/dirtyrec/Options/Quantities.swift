import Analysis
import ArgumentParser
import Model
import Report

/// Why a word of the command line is refused: one sentence.
struct Refusal: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// `value`, which must be above 0.
    static func unlessPositive(_ value: Int64, _ text: String) throws -> Int64 {
        guard value > 0 else { throw Refusal("'\(text)' is not above 0.") }
        return value
    }
}

/// A size, such as `64MiB`.
struct ByteSize {
    let bytes: Int64
    init(parsing text: String) throws { bytes = try Units.parseSize(text) }
}

/// A duration, such as `250ms`.
struct Nanoseconds {
    let ns: Int64
    init(ns: Int64) { self.ns = ns }
    init(parsing text: String) throws { ns = try Units.parseDuration(text) }
}

/// Durations above 0 separated by commas.
struct DurationList {
    let ns: [Int64]
    init(parsing text: String) throws {
        ns = try list(text) { try Refusal.unlessPositive(Units.parseDuration($0), $0) }
    }
}

/// Sizes above 0 separated by commas.
struct SizeList {
    let bytes: [Int64]
    init(parsing text: String) throws {
        bytes = try list(text) { try Refusal.unlessPositive(Units.parseSize($0), $0) }
    }
}

/// A bandwidth above 0.
struct Bandwidth {
    let bytesPerSecond: Int64
    init(parsing text: String) throws {
        bytesPerSecond = try Refusal.unlessPositive(Units.parseBandwidth(text), text)
    }
}

/// Bandwidths above 0 separated by commas.
struct BandwidthList {
    let bytesPerSecond: [Int64]
    init(parsing text: String) throws { bytesPerSecond = try list(text) { try Bandwidth(parsing: $0).bytesPerSecond } }
}

/// Policies separated by commas.
struct PolicyList {
    let policies: [MigrationPolicy]
    init(parsing text: String) throws {
        let known = MigrationPolicy.allCases.map(\.rawValue)
        let policies = try list(text) { name in
            guard let policy = MigrationPolicy(rawValue: name) else {
                throw Refusal(
                    "'\(name)' is no policy; known are \(known.joined(separator: ", "))."
                        + Suggestion.sentence(for: name, among: known))
            }
            return policy
        }
        // Each once, in the order given.
        self.policies = policies.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}

/// When a simulated migration begins.
struct MigrationStart {
    let value: ConvergenceOptions.Start
    init(parsing text: String) throws {
        switch text {
        case "first": value = .first
        case "all": value = .all
        default: value = .at(try Units.parseDuration(text))
        }
    }
}

/// The parts between commas; a list longer than any grid needs is refused.
private func list<Value>(_ text: String, _ parse: (String) throws -> Value) throws -> [Value] {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count <= 64 else { throw Refusal("A list has at most 64 values.") }
    return try parts.map { try parse(String($0)) }
}

extension HarvestMode: ExpressibleByArgument {}
extension ConvergenceOptions.Extension: ExpressibleByArgument {}
extension TableFormat: ExpressibleByArgument {}
