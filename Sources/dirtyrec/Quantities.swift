import Analysis
import ArgumentParser
import Report
import TraceModel

/// A size on the command line, such as `64MiB`.
struct ByteSize: ExpressibleByArgument {
    let bytes: Int64
    init?(argument: String) {
        guard let bytes = try? Units.parseSize(argument) else { return nil }
        self.bytes = bytes
    }
}

/// A duration on the command line, such as `250ms`.
struct Nanoseconds: ExpressibleByArgument {
    let ns: Int64
    init?(argument: String) {
        guard let ns = try? Units.parseDuration(argument) else { return nil }
        self.ns = ns
    }
}

/// Durations above 0 separated by commas.
struct DurationList: ExpressibleByArgument {
    let ns: [Int64]
    init?(argument: String) {
        guard let ns = list(argument, { try? Units.parseDuration($0) }), ns.allSatisfy({ $0 > 0 }) else { return nil }
        self.ns = ns
    }
}

/// A bandwidth above 0.
struct Bandwidth: ExpressibleByArgument {
    let bytesPerSecond: Int64
    init?(argument: String) {
        guard let value = try? Units.parseBandwidth(argument), value > 0 else { return nil }
        bytesPerSecond = value
    }
}

/// Bandwidths above 0 separated by commas.
struct BandwidthList: ExpressibleByArgument {
    let bytesPerSecond: [Int64]
    init?(argument: String) {
        guard let values = list(argument, { try? Units.parseBandwidth($0) }), values.allSatisfy({ $0 > 0 })
        else { return nil }
        bytesPerSecond = values
    }
}

/// Policies separated by commas.
struct PolicyList: ExpressibleByArgument {
    let policies: [MigrationPolicy]
    init?(argument: String) {
        guard let policies = list(argument, MigrationPolicy.init(rawValue:)) else { return nil }
        self.policies = policies
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
            guard let ns = try? Units.parseDuration(argument) else { return nil }
            value = .at(ns)
        }
    }
}

/// The parts between commas, or nil when one is not understood or the list is longer than any grid needs.
private func list<Value>(_ text: String, _ parse: (String) -> Value?) -> [Value]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.prefix(64).compactMap { parse(String($0)) }
    return values.count == parts.count ? values : nil
}

extension Source: ExpressibleByArgument {}
extension HarvestMode: ExpressibleByArgument {}
extension ConvergenceOptions.Extension: ExpressibleByArgument {}
extension TableFormat: ExpressibleByArgument {}
