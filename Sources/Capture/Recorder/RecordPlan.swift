import Content
import Model
import Platform

package struct RecordPlan: Sendable {
    /// Where entries come from: a ring, or one of the bitmaps.
    package var source = Source.dirtyRing
    /// How harvests relate to the vCPUs.
    package var mode = HarvestMode.live
    package var intervalNs: Int64 = 100_000_000
    /// Ends the recording after so many nanoseconds.
    package var durationNs: Int64?
    /// Ends the recording after so many iterations; the final harvest makes one more.
    package var iterations: Int64?
    /// Entries of a ring; nil: as many as the host allows, at most 65,536.
    package var ringEntries: Int?
    /// Pages in one CLEAR; a multiple of 64. QEMU's default is 1 GiB.
    package var clearChunkPages = 262_144
    /// Whether the first bitmap begins as all ones (`clear-log` only).
    package var initiallySet = false
    /// Whether oracles judge every iteration at which all vCPUs stand still.
    package var verify = false
    /// Which pages are looked at when they were harvested; nil: none.
    package var content: ContentShare?
    /// Whether KVM logs writes at all; without, nothing is ever dirty: the yardstick for what logging costs.
    package var logsWrites = true
    /// Pages of which every write is stored, from the start on.
    package var watch: [WatchRange] = []
    /// Changes of memory slots, also of those that watched pages have.
    package var slotEvents: [SlotEvent] = []
    /// Whether pages are watched, now or later.
    var watches: Bool {
        !watch.isEmpty || slotEvents.contains { if case .watch = $0.action { true } else { false } }
    }
    /// Guest physical address of a page that never comes; nil: all do.
    package var stallPage: UInt64?
    /// Writes that KVM is made to do itself.
    package var kvmWrites: [KVMWrite] = []
    /// Whether a kernel-mode guest may run on a host that emulates kernel mode.
    package var slow = false
    /// Nanoseconds that a vCPU has to answer a stop.
    package var stopTimeoutNs: Int64 = 2_000_000_000
    /// Entries that may wait to be written, 8 bytes each.
    package var queueEntries = 8 << 20

    package init() {}

    /// Checks what does not depend on the host.
    ///
    /// - Throws: ``RecordError`` with the flag concerned.
    func validate() throws(RecordError) {
        guard intervalNs >= 100_000 else { throw RecordError("--interval must be at least 100 µs.") }
        if let durationNs, durationNs <= 0 { throw RecordError("--duration must be longer than 0.") }
        if let iterations, iterations < 1 { throw RecordError("--iterations must be at least 1.") }
        if let ringEntries {
            guard ringEntries >= 256, ringEntries.nonzeroBitCount == 1 else {
                throw RecordError("--ring-size \(ringEntries) is not a power of two from 256 on; try 4096.")
            }
        }
        guard clearChunkPages >= 64, clearChunkPages % 64 == 0, clearChunkPages <= 1 << 30 else {
            throw RecordError(
                "--clear-chunk \(clearChunkPages) is not a multiple of 64 pages; KVM clears in words of 64.")
        }
        if let stallPage {
            guard !verify, content == nil, !initiallySet else {
                throw RecordError(
                    "--stall-page cannot be combined with --verify, --content or --initially-set: they read all memory, and would wait for the page, too."
                )
            }
            guard !watch.contains(where: { $0.pages.contains(stallPage) }) else {
                throw RecordError("--stall-page names a page that --watch names; watch another one.")
            }
        }
        guard kvmWrites.isEmpty || verify else {
            throw RecordError("--kvm-write needs --verify: only a copy of memory shows what KVM did not log.")
        }
        if initiallySet, source != .clearLog {
            throw RecordError(
                "--initially-set needs --source clear-log: with dirty-log it does not exist,"
                    + " and with a dirty ring KVM accepts it and then logs nothing.")
        }
    }
}

/// A plan that cannot be carried out; one sentence for the user.
package struct RecordError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    /// Whether the host, not the plan, is at fault.
    package let isHostLack: Bool

    package init(_ description: String, isHostLack: Bool = false) {
        self.description = description
        self.isHostLack = isHostLack
    }
}
