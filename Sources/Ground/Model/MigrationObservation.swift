/// What a tool said of a migration at one moment. What it did not say is nil. Times are nanoseconds, sizes bytes.
package struct MigrationObservation: Sendable, Equatable {
    /// Who spoke.
    package enum Tool: String, Sendable {
        /// QEMU's monitor, as text or QMP.
        case qemu
        case virsh
        /// KubeVirt's.
        case virtLauncher = "virt-launcher"
        case cloudHypervisor = "cloud-hypervisor"
        /// Proxmox VE's task log.
        case qm
    }

    /// Number of the migration in the log, from 1.
    package var attempt: Int64 = 1
    package var tool: Tool
    /// Line of the log on which it begins, from 1.
    package var line: Int64
    /// Since the first time in the log.
    package var tsNs: Int64?
    /// How long the migration had taken.
    package var elapsedNs: Int64?
    /// In QEMU's words, such as `active`; words that nobody knows yet are kept. At most ``longestState`` bytes.
    package var state: String?
    /// Pass over memory, from 1.
    package var pass: Int64?
    package var transferredBytes: Int64?
    package var remainingBytes: Int64?
    /// Guest memory.
    package var totalBytes: Int64?
    /// What the pass sends, of tools that count passes as wholes.
    package var passBytes: Int64?
    package var passNs: Int64?
    package var zeroPages: Int64?
    package var normalPages: Int64?
    package var pageBytes: Int64?
    package var bytesPerSecond: Int64?
    package var dirtyBytesPerSecond: Int64?
    /// 0 to 100.
    package var throttlePercent: Int64?
    package var setupNs: Int64?
    package var expectedDowntimeNs: Int64?
    package var downtimeNs: Int64?
    package var downtimeLimitNs: Int64?
    /// Bytes a second; 0 for none.
    package var bandwidthLimit: Int64?
    /// Everything else, as the text of a JSON object; at most ``longestOther`` bytes.
    package var other: String?

    /// The most of one recording: a poll a second for 18 hours.
    package static let most = 1 << 16
    package static let longestState = 64
    package static let longestOther = 16 << 10

    package init(tool: Tool, line: Int64) { (self.tool, self.line) = (tool, line) }
}

extension MigrationObservation {
    /// QEMU's words for a migration that has ended.
    private static let ends: Set = ["completed", "failed", "cancelled"]

    /// Whether it says that the migration has ended.
    package var isOver: Bool { state.map(Self.ends.contains) ?? false }
    /// Whether it says that one is going on.
    package var isUnderWay: Bool { state != nil && !isOver }
}
