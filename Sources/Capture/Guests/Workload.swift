import Model
import Platform

/// A built-in workload with its parameters, as `--workload NAME:key=value,…` gives it.
package struct Workload: Sendable, Equatable {
    /// How pages are chosen.
    package enum Kind: String, Sendable, CaseIterable {
        /// One page after the other, again and again.
        case sequential
        /// Every `stride` bytes, wrapping at the region's end.
        case stride
        /// Uniformly at random.
        case random
        /// All vCPUs walk one region from the same page on, and race for every page.
        case shared
        /// Zipf-distributed with exponent `theta`; ranks lie scattered over the region.
        case zipf
        /// A hot set that moves to the neighbouring pages every `phase` operations.
        case hotspot
        /// Takes turns: every vCPU walks through its part of one region, has a hot set that moves back, meets the others in the
        /// middle, and rests; `phase` operations each. A guest whose map has a shape.
        case phases
        /// Computes and touches no memory.
        case idle
        /// Asks the VMM to write `burst` pages an operation, as a device would.
        case dma

        /// One line for `dirtyrec record --list-workloads`.
        package var summary: String {
            switch self {
            case .sequential: "one page after the other, again and again"
            case .stride: "every `stride` bytes, wrapping at the end"
            case .random: "uniformly at random"
            case .shared: "all vCPUs walk one region from the same page on, and race for every page"
            case .zipf: "Zipf-distributed with exponent `theta`, ranks scattered over the region"
            case .hotspot: "`share` of the accesses in a hot set of `hot` bytes that moves every `phase` operations"
            case .phases:
                "a walk, a hot set of `hot` bytes that moves, one that all vCPUs share, and rest, `phase` operations each"
            case .idle: "computes and touches no memory"
            case .dma: "asks the VMM to write `burst` pages an operation, as a device would"
            }
        }

        /// Keys beside the common ones.
        package var ownKeys: [String] {
            switch self {
            case .stride: ["stride"]
            case .zipf: ["theta"]
            case .hotspot: ["hot", "share", "phase"]
            case .phases: ["hot", "phase"]
            case .dma: ["burst"]
            default: []
            }
        }
    }

    /// Keys that every workload takes.
    package static let commonKeys = ["size", "rate", "writes", "seed", "ops", "step", "region"]

    /// The words that named it.
    package private(set) var specification: String
    package private(set) var kind: Kind
    /// Bytes of one vCPU's region, or of the one shared region.
    package private(set) var size: Int64 = 64 << 20
    /// Operations a second of each vCPU; nil: as fast as it can.
    package private(set) var rate: Int64?
    /// Share of the operations that write, 0...1; the others read.
    package private(set) var writes = 1.0
    /// Seed of all random choices.
    package private(set) var seed: UInt64 = 1
    /// Operations after which a vCPU stops; nil: never.
    package private(set) var operations: UInt64?
    /// Operations of each vCPU between two iterations: it then waits for the harvest, so that every run has the same
    /// operations in the same iterations. nil: iterations follow the clock.
    package private(set) var step: UInt64?
    /// Whether all vCPUs work in one region.
    package private(set) var isShared = false
    /// `stride`: bytes from one operation to the next.
    package private(set) var stride: Int64 = 64 << 10
    package private(set) var theta = 0.99
    /// `hotspot`, `phases`: bytes of the hot set; nil: a sixteenth of the region.
    package private(set) var hot: Int64?
    /// `hotspot`: share of the operations that go to the hot set.
    package private(set) var share = 0.9
    /// `hotspot`: operations until the hot set moves; `phases`: operations of a phase.
    package private(set) var phase: UInt64 = 100_000
    /// `dma`: pages an operation.
    package private(set) var burst: UInt64 = 16

    private var page: UInt64 { UInt64(pageBytes) }
    /// Pages of a region.
    package var pages: UInt64 { UInt64(size) / page }
    /// `hotspot`, `phases`: pages of the hot set.
    package var hotPages: UInt64 { max(1, hot.map { UInt64($0) / page } ?? pages / 16) }
    /// `stride`: pages from one operation to the next; 1 for `sequential`.
    package var stridePages: UInt64 { kind == .stride ? UInt64(stride) / page % pages : 1 % pages }

    /// Reads `NAME` or `NAME:key=value,…`.
    ///
    /// - Throws: ``GuestError`` that lists the known names or keys, or says what a value must be.
    package init(parsing text: String) throws(GuestError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = Kind(rawValue: String(parts[0])) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw GuestError(
                "There is no workload '\(parts[0])'; known are \(known)."
                    + Suggestion.sentence(for: String(parts[0]), among: Kind.allCases.map(\.rawValue)))
        }
        self.kind = kind
        specification = text
        isShared = kind == .shared || kind == .phases
        var given: Set<String> = []
        for assignment in parts.count > 1 ? parts[1].split(separator: ",") : [] {
            let pair = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard pair.count == 2, Self.commonKeys.contains(pair[0]) || kind.ownKeys.contains(pair[0]) else {
                let known = (kind.ownKeys + Self.commonKeys).joined(separator: ", ")
                throw GuestError(
                    "Workload '\(kind.rawValue)' has no parameter '\(pair[0])'; known are \(known)."
                        + Suggestion.sentence(for: pair[0], among: kind.ownKeys + Self.commonKeys))
            }
            guard given.insert(pair[0]).inserted else {
                throw GuestError("Workload parameter \(pair[0]) is given twice: leave one out.")
            }
            try set(pair[0], to: pair[1])
        }
        try validate()
    }

    private mutating func set(_ key: String, to value: String) throws(GuestError) {
        do {
            switch key {
            case "size": size = try Units.parseSize(value)
            case "stride": stride = try Units.parseSize(value)
            case "hot": hot = try Units.parseSize(value)
            case "rate": rate = try Units.parseRate(value)
            case "writes": writes = try Self.share(value)
            case "share": share = try Self.share(value)
            case "seed": seed = try Self.number(value)
            case "ops": operations = try Self.number(value)
            case "step": step = try Self.number(value)
            case "phase": phase = try Self.number(value)
            case "burst": burst = try Self.number(value)
            case "theta": theta = try Self.exponent(value)
            default: isShared = try Self.isShared(value)
            }
        } catch {
            throw GuestError("Workload parameter \(key)=\(value) is not usable: \(error)")
        }
    }

    private static func share(_ text: String) throws(GuestError) -> Double {
        guard let value = Double(text), (0...1).contains(value) else {
            throw GuestError("a share between 0 and 1 is needed, such as 0.9.")
        }
        return value
    }

    private static func exponent(_ text: String) throws(GuestError) -> Double {
        guard let value = Double(text), (0...10).contains(value) else {
            throw GuestError("an exponent between 0 and 10 is needed, such as 0.99.")
        }
        return value
    }

    private static func number(_ text: String) throws(GuestError) -> UInt64 {
        guard let value = try? Units.parseRate(text + "/s") else {
            throw GuestError("a whole number is needed, such as 4096 or 50k.")
        }
        return UInt64(value)
    }

    private static func isShared(_ text: String) throws(GuestError) -> Bool {
        switch text {
        case "shared": true
        case "private": false
        default: throw GuestError("'shared' or 'private' is needed.")
        }
    }

    private func validate() throws(GuestError) {
        for (key, bytes) in [("size", size), ("stride", stride), ("hot", hot ?? Int64(pageBytes))]
        where bytes < pageBytes || bytes % Int64(pageBytes) != 0 {
            throw GuestError("Workload parameter \(key)=\(bytes) is not usable: give a multiple of \(pageBytes) bytes.")
        }
        // The guest's alias table holds 32-bit page numbers.
        guard pages <= 1 << 32 else { throw GuestError("Workload parameter size is not usable: at most 16 TiB.") }
        guard hotPages <= pages else {
            throw GuestError(
                "Workload parameter hot is not usable: the hot set must fit into size=\(Units.size(size)).")
        }
        if rate == 0 { throw GuestError("Workload parameter rate=0 is not usable: use 'idle', or a rate above 0.") }
        if step == 0 || operations == 0 {
            throw GuestError("Workload parameters step= and ops= are not usable: give at least one operation.")
        }
        if phase == 0 { throw GuestError("Workload parameter phase=0 is not usable: give at least one operation.") }
        guard kind != .phases || (isShared && pages < 1 << 32) else {
            throw GuestError("Workload 'phases' has one region of less than 16 TiB for all vCPUs; leave region= out.")
        }
        guard kind != .dma || (1...pages).contains(burst) else {
            throw GuestError("Workload parameter burst=\(burst) is not usable: give 1 to \(pages) pages.")
        }
    }
}
