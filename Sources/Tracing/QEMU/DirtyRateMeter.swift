import Foundation
import TraceModel

/// What `query-dirty-rate` says.
public struct QEMUDirtyRate: Decodable, Sendable, Equatable {
    /// A vCPU's part.
    public struct VCPU: Decodable, Sendable, Equatable {
        /// Its number.
        public let id: Int
        /// MiB a second.
        public let dirtyRate: Int64
        private enum CodingKeys: String, CodingKey { case id, dirtyRate = "dirty-rate" }
    }

    /// `unstarted`, `measuring` or `measured`.
    public let status: String
    /// `dirty-ring`, `dirty-bitmap` or `page-sampling`.
    public let mode: String?
    /// When it began, in seconds of QEMU's host clock.
    public let startTime: Int64?
    /// How long it measures, in seconds.
    public let calcTime: Int64
    /// MiB a second; missing while it measures.
    public let dirtyRate: Int64?
    /// By vCPU, in dirty-ring mode.
    public let vcpus: [VCPU]?

    private enum CodingKeys: String, CodingKey {
        case status, mode
        case startTime = "start-time"
        case calcTime = "calc-time"
        case dirtyRate = "dirty-rate"
        case vcpus = "vcpu-dirty-rate"
    }

    /// As rows; empty while it measures, or when a number cannot be.
    public func rates(since: Int64, ts: Int64) -> [ForeignRate] {
        guard let dirtyRate, (0...Self.largest).contains(dirtyRate) else { return [] }
        func row(_ vcpu: Int?, _ mebibytes: Int64) -> ForeignRate {
            ForeignRate(
                tool: "qemu calc-dirty-rate", vcpu: vcpu, sinceNs: since, tsNs: ts, bytesPerSecond: mebibytes << 20,
                quantum: 1 << 20)
        }
        let valid = (vcpus ?? []).filter { (0..<4096).contains($0.id) && (0...Self.largest).contains($0.dirtyRate) }
        return [row(nil, dirtyRate)] + valid.prefix(4096).map { row($0.id, $0.dirtyRate) }
    }

    /// 4 PiB a second: sums stay small.
    private static let largest: Int64 = 1 << 32
}

/// Lets QEMU switch dirty logging on, window after window, by its own dirty-rate measurement.
public final class DirtyRateMeter {
    private let qmp: QMP
    private var sinceNs: Int64 = 0

    /// The longest window that QEMU accepts, in seconds.
    public static let longestWindow: Int64 = 60

    /// A meter of the QEMU at the other end.
    public init(_ qmp: QMP) { self.qmp = qmp }

    /// Begins a window of 1 to 60 seconds.
    ///
    /// - Throws: ``AttachError``.
    public func begin(seconds: Int64) throws {
        sinceNs = Attachment.now()
        let _: QMP.Nothing = try qmp.execute("calc-dirty-rate", ["calc-time": seconds, "mode": "dirty-ring"])
    }

    /// QEMU's figures, once the window is over.
    ///
    /// - Throws: ``AttachError``.
    public func end() throws -> [ForeignRate]? {
        let answer: QEMUDirtyRate = try qmp.execute("query-dirty-rate")
        guard answer.status == "measured" else { return nil }
        return answer.rates(since: sinceNs, ts: sinceNs + min(answer.calcTime, 3600) * 1_000_000_000)
    }
}
