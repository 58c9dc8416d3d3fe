import Analysis
import ArgumentParser
import Model
import Report
import Synchronization

/// Why the last argument was refused: the parser asks for a value or nothing, and cannot pass a reason on.
enum Refusal {
    fileprivate struct Reason: Error, CustomStringConvertible { let description: String }

    private static let last = Mutex<String?>(nil)
    /// The reason, as one sentence.
    static var reason: String? { last.withLock { $0 } }

    /// What `parse` makes of an argument; nil, and a reason, when it throws.
    fileprivate static func noting<Value>(_ parse: () throws -> Value) -> Value? {
        do { return try parse() } catch {
            last.withLock { $0 = "\(error)" }
            return nil
        }
    }

    /// `value`, which must be above 0.
    fileprivate static func positive(_ value: Int64, _ text: String) throws -> Int64 {
        guard value > 0 else { throw Refusal.Reason(description: "'\(text)' is not above 0.") }
        return value
    }
}

/// A size on the command line, such as `64MiB`.
struct ByteSize: ExpressibleByArgument {
    let bytes: Int64
    init?(argument: String) {
        guard let bytes = Refusal.noting({ try Units.parseSize(argument) }) else { return nil }
        self.bytes = bytes
    }
}

/// A duration on the command line, such as `250ms`.
struct Nanoseconds: ExpressibleByArgument {
    let ns: Int64
    init?(argument: String) {
        guard let ns = Refusal.noting({ try Units.parseDuration(argument) }) else { return nil }
        self.ns = ns
    }
}

/// Durations above 0 separated by commas.
struct DurationList: ExpressibleByArgument {
    let ns: [Int64]
    init?(argument: String) {
        guard let ns = list(argument, { try Refusal.positive(Units.parseDuration($0), $0) }) else { return nil }
        self.ns = ns
    }
}

/// A bandwidth above 0.
struct Bandwidth: ExpressibleByArgument {
    let bytesPerSecond: Int64
    init?(argument: String) {
        guard
            let value = Refusal.noting({ try Refusal.positive(Units.parseBandwidth(argument), argument) })
        else { return nil }
        bytesPerSecond = value
    }
}

/// Bandwidths above 0 separated by commas.
struct BandwidthList: ExpressibleByArgument {
    let bytesPerSecond: [Int64]
    init?(argument: String) {
        guard let values = list(argument, { try Refusal.positive(Units.parseBandwidth($0), $0) }) else { return nil }
        bytesPerSecond = values
    }
}

/// Policies separated by commas.
struct PolicyList: ExpressibleByArgument {
    let policies: [MigrationPolicy]
    init?(argument: String) {
        let known = MigrationPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        guard
            let policies = list(
                argument,
                { name in
                    guard let policy = MigrationPolicy(rawValue: name) else {
                        throw Refusal.Reason(description: "'\(name)' is no policy; known are \(known).")
                    }
                    return policy
                })
        else { return nil }
        // Each once, in the order given.
        self.policies = policies.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}

/// When a simulated migration begins.
struct MigrationStart: ExpressibleByArgument {
    let value: ConvergenceOptions.Start
    init?(argument: String) {
        switch argument {
        case "first": value = .first
        case "all": value = .all
        default:
            guard let ns = Refusal.noting({ try Units.parseDuration(argument) }) else { return nil }
            value = .at(ns)
        }
    }
}

/// The parts between commas, or nil when one is not understood or the list is longer than any grid needs.
private func list<Value>(_ text: String, _ parse: (String) throws -> Value) -> [Value]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    return Refusal.noting {
        guard parts.count <= 64 else { throw Refusal.Reason(description: "A list has at most 64 values.") }
        return try parts.map { try parse(String($0)) }
    }
}

extension Source: ExpressibleByArgument {}
extension HarvestMode: ExpressibleByArgument {}
extension ConvergenceOptions.Extension: ExpressibleByArgument {}
extension TableFormat: ExpressibleByArgument {}
