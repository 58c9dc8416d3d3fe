import Foundation
import Model

/// What `query-dirty-rate` says.
package struct QEMUDirtyRate: Decodable, Sendable, Equatable {
    /// A vCPU's part.
    package struct VCPU: Decodable, Sendable, Equatable {
        package let id: Int
        /// MiB a second.
        package let dirtyRate: Int64
        private enum CodingKeys: String, CodingKey { case id, dirtyRate = "dirty-rate" }
    }

    /// `unstarted`, `measuring` or `measured`.
    package let status: String
    /// `dirty-ring`, `dirty-bitmap` or `page-sampling`.
    package let mode: String?
    /// When it began, in seconds of QEMU's host clock.
    package let startTime: Int64?
    /// How long it measures, in ``calcTimeUnit``.
    package let calcTime: Int64
    /// `second` or, from QEMU 8.2 on where it was asked so, `millisecond`; older ones do not say.
    package let calcTimeUnit: String?
    /// MiB a second; missing while it measures.
    package let dirtyRate: Int64?
    /// By vCPU, in dirty-ring mode.
    package let vcpus: [VCPU]?

    private enum CodingKeys: String, CodingKey {
        case status, mode
        case startTime = "start-time"
        case calcTime = "calc-time"
        case calcTimeUnit = "calc-time-unit"
        case dirtyRate = "dirty-rate"
        case vcpus = "vcpu-dirty-rate"
    }

    /// How long it measures, in nanoseconds; nil when that cannot be: no measurement takes more than an hour.
    private var windowNs: Int64? {
        let hour: Int64 = 3_600_000_000_000
        switch calcTimeUnit ?? "second" {
        case "second" where (1...hour / 1_000_000_000).contains(calcTime): return calcTime * 1_000_000_000
        case "millisecond" where (1...hour / 1_000_000).contains(calcTime): return calcTime * 1_000_000
        default: return nil
        }
    }

    /// As rows; empty while it measures, or when a number cannot be.
    ///
    /// - Parameter since: When the measurement began, on the recording's clock.
    package func rates(since: Int64) -> [ForeignRate] {
        guard status == "measured", let windowNs, let dirtyRate, (0...Self.largest).contains(dirtyRate) else {
            return []
        }
        func row(_ vcpu: Int?, _ mebibytes: Int64) -> ForeignRate {
            ForeignRate(
                tool: ForeignRate.qemu(mode: mode), vcpu: vcpu, sinceNs: since, tsNs: since + windowNs,
                bytesPerSecond: mebibytes << 20, quantum: 1 << 20)
        }
        let valid = (vcpus ?? []).filter { (0..<4096).contains($0.id) && (0...Self.largest).contains($0.dirtyRate) }
        return [row(nil, dirtyRate)] + valid.prefix(4096).map { row($0.id, $0.dirtyRate) }
    }

    /// The rows of an answer that was stored in a file, with or without QMP's `{"return": …}` around it, as `virsh
    /// qemu-monitor-command` prints it, too. Its time is not the guest's: the window is taken to begin with the recording.
    ///
    /// - Throws: ``ImportError``.
    package static func read(_ path: String, since: Int64) throws -> [ForeignRate] {
        struct Wrapped: Decodable { let `return`: QEMUDirtyRate }
        let input = try ImportInput(path)
        try input.makeSeekable()
        let data = Data(try input.bytes(at: 0, count: min(input.size ?? 0, 1 << 20)))
        let decoder = JSONDecoder()
        guard
            let answer = (try? decoder.decode(QEMUDirtyRate.self, from: data))
                ?? (try? decoder.decode(Wrapped.self, from: data))?.return
        else { throw input.error("is no answer of QEMU to query-dirty-rate.") }
        let rates = answer.rates(since: since)
        guard !rates.isEmpty else {
            throw input.error(
                "holds no finished measurement; ask query-dirty-rate again when it says 'measured'.")
        }
        return rates
    }

    /// A TiB a second is more than any memory takes, and a million such rows stay below 2^60.
    private static let largest: Int64 = 1 << 20
}
