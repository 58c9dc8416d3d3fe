import Foundation
import Import
import Model
import Platform

/// Lets QEMU switch dirty logging on, window after window, by its own dirty-rate measurement.
///
/// QEMU, and virsh before it, may take seconds to answer, in which somebody has to read events: windows are errands.
package final class DirtyRateMeter: Sendable {
    private let qmp: QMP
    private let mode: String

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

    /// Begins a window of so many seconds, 1 to 60. Throws ``AttachError``.
    func begin(seconds: Int64) -> Errand<Window> { Errand { [self] in try window(of: seconds) } }

    /// Asks for QEMU's figures of a window; brings nil as long as it is not over. When it is, the next one begins at once, if there is
    /// to be one: between the two nothing is logged. Throws ``AttachError``.
    func end(_ window: Window, next seconds: Int64?) -> Errand<(rates: [ForeignRate], next: Window?)?> {
        Errand { [self] in
            let answer: QEMUDirtyRate = try qmp.execute("query-dirty-rate")
            guard answer.status == "measured" else { return nil }
            return (answer.rates(since: window.sinceNs), try seconds.map { try self.window(of: $0) })
        }
    }

    private func window(of seconds: Int64) throws -> Window {
        let asked = monotonicNow()
        let _: QMP.Nothing = try qmp.execute("calc-dirty-rate", ["calc-time": seconds, "mode": mode])
        return Window(askedNs: asked, sinceNs: monotonicNow(), seconds: seconds)
    }

    /// In which QEMU measures, on the recording's clock.
    struct Window: Sendable {
        /// When QEMU was told to begin: virsh takes its time before it passes that on.
        let askedNs: Int64
        /// When it began, at the latest: when QEMU had answered, unless somebody knows better.
        var sinceNs: Int64
        let seconds: Int64
        var endNs: Int64 { sinceNs + seconds * 1_000_000_000 }
    }
}
