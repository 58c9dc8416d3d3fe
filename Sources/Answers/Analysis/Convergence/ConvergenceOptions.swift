import Model

/// When a migration stops sending rounds and pauses the guest.
package enum MigrationPolicy: String, Sendable, CaseIterable {
    /// Pauses as soon as what is dirty can be sent in less than the downtime limit: pending < bandwidth · limit.
    /// Real QEMU looks again while it sends; here, as in `docs/analysis.md`, it looks at the end of each round.
    case qemu
    /// Pauses as soon as the next round would take at most the downtime limit.
    case cloudHypervisor = "cloud-hypervisor"
    /// Pauses when fewer than 50 pages are dirty, or after 5 rounds whatever is left.
    case xen

    /// The most pages with which the guest is paused after `rounds` rounds; −1 when it never is.
    func largestStoppable(rounds: Int, limitBytes: Rational, pageSize: Int64) -> Int64 {
        switch self {
        case .qemu: limitBytes.pagesBelow(pageSize)
        case .cloudHypervisor: limitBytes.pagesAtMost(pageSize)
        case .xen: rounds >= 5 ? .max : 49
        }
    }
}

/// Bandwidth · time, kept exact: bytes · 10⁻⁹.
struct Rational {
    private let product: (high: Int64, low: UInt64)

    /// What `bandwidth` bytes per second carry in `nanoseconds`.
    init(bandwidth: Int64, nanoseconds: Int64) { product = bandwidth.multipliedFullWidth(by: nanoseconds) }

    /// The most pages of `size` bytes that fit.
    func pagesAtMost(_ size: Int64) -> Int64 { divided(by: size).quotient }

    /// The most pages of `size` bytes that leave some room.
    func pagesBelow(_ size: Int64) -> Int64 {
        let (quotient, isWhole) = divided(by: size)
        return isWhole ? quotient - 1 : quotient
    }

    private func divided(by size: Int64) -> (quotient: Int64, isWhole: Bool) {
        let (divisor, overflow) = size.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return (0, false) }
        guard product.high < divisor / 2 else { return (.max, false) }
        let (quotient, remainder) = divisor.dividingFullWidth(product)
        return (quotient, remainder == 0)
    }
}

/// What a convergence question assumes.
package struct ConvergenceOptions: Sendable, Equatable {
    /// When the simulated migration begins.
    package enum Start: Sendable, Equatable {
        case first
        /// Once on every boundary.
        case all
        /// This many nanoseconds after the recording's start.
        case at(Int64)
    }
    /// What happens when a migration outlasts the recording.
    package enum Extension: String, Sendable, CaseIterable {
        /// The verdict is "recording too short".
        case none
        /// The recording repeats from its start.
        case loop
        /// Windows beyond the end hold between the fewest and the most pages of any recorded window as long.
        case steady
    }

    /// Bytes per second.
    package var bandwidths: [Int64] = [125_000_000, 1_250_000_000, 3_125_000_000]
    /// Downtime limits in nanoseconds.
    package var downtimesNs: [Int64] = [50_000_000, 300_000_000, 1_000_000_000]
    package var policies: [MigrationPolicy] = [.qemu]
    package var start = Start.first
    /// Beyond the recording.
    package var extend = Extension.none
    /// Nanoseconds that each bitmap synchronisation takes.
    package var syncNs: Int64 = 0
    /// Rounds after which an extended replay gives up.
    package var maxRounds = 1000
    /// What a replay of QEMU's own stream assumes; nil leaves it out. It reads the recording once more.
    package var qemu: QEMUStreamOptions?
    /// Whether to read the recording once more to name the pages that keep a migration from converging.
    package var namesBlockingPages = true

    /// 1, 10 and 25 Gbit/s with 50 ms, 300 ms (QEMU's default) and 1 s of downtime.
    package init() {}
}

/// A figure that the recording pins down to `low...high`; a high of nil is unknown.
package struct Bracket: Sendable, Equatable {
    package var low: Int64
    /// At most this; nil when the recording cannot say.
    package var high: Int64?

    package var isExact: Bool { low == high }
}
