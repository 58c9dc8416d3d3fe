import Foundation
import Import
import Model
import Platform

/// Lets QEMU switch dirty logging on, window after window, by its own dirty-rate measurement.
package final class DirtyRateMeter {
    private let qmp: QMP
    private let mode: String
    private var sinceNs: Int64 = 0

    /// The longest window that QEMU accepts, in seconds.
    package static let longestWindow: Int64 = 60

    /// A meter of the QEMU at the other end, whose VM has dirty rings or bitmaps.
    package init(_ qmp: QMP, hasRings: Bool) {
        self.qmp = qmp
        mode = hasRings ? "dirty-ring" : "dirty-bitmap"
    }

    /// Bytes of the guest's memory; nil when QEMU does not say.
    package var memoryBytes: Int64? {
        struct Measured: Decodable {
            let base: Int64
            let plugged: Int64?
            enum CodingKeys: String, CodingKey { case base = "base-memory", plugged = "plugged-memory" }
        }
        guard let summary: Measured = try? qmp.execute("query-memory-size-summary"),
            (0...1 << 50).contains(summary.base), (0...1 << 50).contains(summary.plugged ?? 0)
        else { return nil }
        return summary.base + (summary.plugged ?? 0)
    }

    /// Begins a window of 1 to 60 seconds.
    ///
    /// - Throws: ``AttachError``.
    package func begin(seconds: Int64) throws {
        sinceNs = monotonicNow()
        let _: QMP.Nothing = try qmp.execute("calc-dirty-rate", ["calc-time": seconds, "mode": mode])
    }

    /// QEMU's figures, once the window is over.
    ///
    /// - Throws: ``AttachError``.
    package func end() throws -> [ForeignRate]? {
        let answer: QEMUDirtyRate = try qmp.execute("query-dirty-rate")
        guard answer.status == "measured" else { return nil }
        return answer.rates(since: sinceNs)
    }
}
