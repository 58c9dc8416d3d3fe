import Glibc
import Import
import Model
import Platform

/// A guest being looked at: reads its events, puts them in order and makes iterations of them.
///
/// One thread does it all: while it writes, the kernel's own buffers are the queue.
package final class Attachment {
    /// The process.
    package let target: Target
    /// From when on every event is seen.
    package let startNs: Int64
    /// Up to when every event was seen; meaningful after ``finish(_:)``.
    package private(set) var endNs: Int64 = 0
    private let instance: Instance
    private var assembler: Assembler
    private var pending: [RingEvent] = []
    /// Where the VMM keeps the memory of each logged slot that was seen.
    private var regions: [UInt32: VMMMemory.Region] = [:]

    /// An event's time is taken a moment before it can be read; within this, the order between CPUs is not settled.
    private static let settleNs: Int64 = 2_000_000

    /// Attaches to the guest of `target`.
    ///
    /// - Throws: ``AttachError``.
    package init(_ target: Target, intervalNs: Int64, buffers: TraceBuffers) throws {
        guard target.ringEntries != nil else {
            throw AttachError(
                """
                The VM of process \(target.pid) (\(target.command)) has no dirty ring: start QEMU with \
                -accel kvm,dirty-ring-size=4096, or another VMM with KVM_CAP_DIRTY_LOG_RING.
                """)
        }
        let tracefs = try Tracefs()
        tracefs.removeStale()
        self.target = target
        instance = try Instance(tracefs, pid: target.pid, buffers: buffers)
        startNs = monotonicNow()
        assembler = Assembler(vcpuCount: target.vcpuCount, mayGrow: true, intervalNs: intervalNs, startNs: startNs)
    }

    /// Takes away what is switched on in the kernel, from any thread.
    package var cleanup: TraceCleanup { instance.cleanup }
    /// vCPUs seen so far; more when some were plugged in.
    package var vcpuCount: Int { assembler.vcpuCount }
    /// Whether guest addresses of slots can be learnt.
    package var seesSlots: Bool { instance.seesSlots }
    /// Whether pages of a slot with unknown guest address were seen.
    package var hasUnknownSlots: Bool { assembler.hasUnknownSlots }
    package var entries: Int64 { assembler.entries }
    /// Entries known to be missing.
    package var missing: Int64 { assembler.missing }
    /// Exits because a ring was full.
    package var fullExits: Int64 { assembler.fullExits }

    /// Pages of the guest that hold only zeros now: reads all its memory. Nil when its slots are not known, because logging
    /// was on before or the kernel has no kprobes, or when the process is gone.
    package func countZeroPages() -> Int64? {
        regions.isEmpty || hasUnknownSlots
            ? nil : VMMMemory.zeroPages(of: target.pid, in: Array(regions.values))
    }

    /// Adds a named moment.
    package func mark(_ text: String) { assembler.mark(text, at: monotonicNow()) }

    /// Adds a rate that another tool measured.
    package func compare(_ rate: ForeignRate) { assembler.compare(rate) }

    /// Reads what has happened and hands over the iterations that ended.
    ///
    /// - Throws: ``AttachError``, or what `commit` throws.
    package func poll(_ commit: (IterationBatch) throws -> Void) throws {
        let now = monotonicNow()
        try read(upTo: now)
        try assemble(before: now - Self.settleNs, commit)
        if let batch = assembler.advance(to: now - Self.settleNs) { try commit(batch) }
    }

    /// Ends it: the instance goes, and the last iteration comes.
    ///
    /// - Throws: what `commit` throws.
    package func finish(_ commit: (IterationBatch) throws -> Void) throws {
        let end = monotonicNow()
        endNs = end
        defer { instance.end() }
        // Events of this very moment may take a while to become readable.
        usleep(useconds_t(Self.settleNs / 1000))
        try? read(upTo: end)
        try assemble(before: .max, commit)
        for (cpu, count) in instance.dropped.sorted(by: { $0.key < $1.key }) {
            assembler.note(.traceOverrun, entries: nil, at: end, "The kernel dropped \(count) events on \(cpu).")
        }
        try commit(assembler.finish(at: end))
    }

    private func read(upTo ns: Int64) throws { try instance.read(upTo: ns, into: &pending) }

    private func assemble(before ns: Int64, _ commit: (IterationBatch) throws -> Void) throws {
        // Stable: events of one thread with equal times stay in their order.
        let settled = pending.enumerated().filter { $0.element.ns < ns }
            .sorted { ($0.element.ns, $0.offset) < ($1.element.ns, $1.offset) }
        pending.removeAll { $0.ns < ns }
        for (_, event) in settled {
            if case .slot(let id, let flags, _, let size, let host) = event.kind, id < 1 << 16 {
                // A slot is deleted without flags; only logged ones come into the account.
                if size == 0 {
                    regions[id] = nil
                } else if flags & 1 != 0 {
                    regions[id] = VMMMemory.Region(address: host, size: size)
                }
            }
            do {
                if let batch = try assembler.add(event) { try commit(batch) }
            } catch let contradiction as Assembler.Contradiction {
                assembler.note(.aborted, entries: 1, at: event.ns, "An event was left out: \(contradiction.problem).")
            }
        }
    }
}
