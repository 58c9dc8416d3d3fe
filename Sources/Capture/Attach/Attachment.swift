import Content
import Glibc
import Import
import Model
import Platform

/// A guest being looked at: reads its events, puts them in order and makes iterations of them.
///
/// One thread does it all: while it writes, the kernel's own buffers are the queue.
package final class Attachment {
    package let target: Target
    /// From when on every event is seen.
    package internal(set) var startNs: Int64
    /// Up to when every event was seen; meaningful after ``finish(_:)``.
    package private(set) var endNs: Int64 = 0
    let instance: Instance
    var assembler: any EventAssembler
    private let plan: EventPlan
    /// Events that the kernel is known to have dropped, and when that was looked at.
    private var dropped: (count: Int64, ns: Int64) = (0, 0)
    /// vCPUs that a batch has told of.
    private var toldVCPUs: Int
    var pending: [RingEvent] = []
    var slots: SlotAddresses
    /// Whether slots log, as far as was seen, and since when.
    private var logging: (isOn: Bool, sinceNs: Int64) = (false, .min)
    private var contents: VMMContents?
    /// Of a VM that logs nothing.
    var soft: (memory: SoftDirtyMemory, assembler: SoftDirtyAssembler, intervalNs: Int64)?
    /// How the VMM has mapped the guest's memory; nil where nobody looked.
    var mappings: GuestMappings?
    /// Whether the VMM's memory went away, although its process may still be there.
    package internal(set) var isGone = false
    /// Guest memory in bytes; 0 where it is not known.
    package internal(set) var memoryBytes: Int64 = 0

    /// An event's time is taken a moment before it can be read; within this, the order between CPUs is not settled.
    static let settleNs: Int64 = 2_000_000

    /// Attaches to the guest of `target`: to its rings, or to its bitmaps where it has none.
    ///
    /// - Parameters:
    ///   - machine: Which VM of a process that runs several, from 1.
    ///   - times: Whether marks are looked at: entries of bitmaps have times and vCPUs only then.
    ///   - softDirty: Whether it is a VM that logs nothing, and is to be followed by soft-dirty bits.
    ///   - content: The pages that are looked into.
    /// - Throws: ``AttachError``.
    package init(
        _ target: Target, machine: Int?, times: Bool, softDirty: Bool = false, content: ContentShare?,
        intervalNs: Int64, buffers: TraceBuffers
    ) throws {
        if softDirty {
            try SoftDirtyMemory.checkHost()
            guard target.ringEntries == nil else { throw Self.logs("has a dirty ring") }
        }
        let tracefs = try Tracefs()
        tracefs.removeStale()
        self.target = target
        toldVCPUs = target.vcpuCount
        contents = if let content { try VMMContents(content, pid: target.pid) } else { nil }
        if target.ringEntries != nil {
            guard target.machines == 1 else {
                throw AttachError(
                    "Process \(target.pid) (\(target.command)) runs \(target.machines) VMs with dirty rings, and the kernel's events do not tell them apart."
                )
            }
            guard times else {
                throw AttachError("The VM has a dirty ring, whose entries all have times: leave --times off away.")
            }
            plan = .ring
        } else if softDirty {
            plan = .soft(try .running())
        } else {
            plan = .bitmap(try .running(), times: times)
        }
        slots = SlotAddresses(takesAll: softDirty)
        instance = try Instance(tracefs, target, machine: machine, plan: plan, buffers: buffers)
        startNs = monotonicNow()
        assembler =
            switch plan {
            case .soft: SoftDirtyAssembler(vcpuCount: target.vcpuCount, startNs: startNs, clearedNs: startNs)
            case .ring:
                Assembler(vcpuCount: target.vcpuCount, mayGrow: true, intervalNs: intervalNs, startNs: startNs)
            case .bitmap(_, let times):
                BitmapAssembler(
                    vcpuCount: target.vcpuCount, hasMarks: times, intervalNs: intervalNs, startNs: startNs)
            }
        if case .soft = plan { try beginSoft(intervalNs: intervalNs) }
    }

    /// How entries are seen.
    package var wayIn: WayIn {
        switch plan {
        case .ring: .ring
        case .bitmap(_, times: true): .bitmap
        case .bitmap(_, times: false): .masks
        case .soft: .softDirty
        }
    }

    /// What the events said of themselves: the label `self_check`.
    package var selfCheck: String {
        let lost =
            "\(Units.count(dropped.count)) events dropped, \(Units.counted(instance.missed, "probe", "probes")) missed"
        if let check = soft?.assembler.check { return Self.words(check) + ", " + lost }
        guard let check = (assembler as? BitmapAssembler)?.check else { return lost }
        let marks =
            "\(Units.counted(check.marks, "mark", "marks")), \(Units.counted(check.masks, "mask", "masks")) of "
            + "\(Units.counted(check.gets, "harvest", "harvests"))"
        return [
            marks, "\(Units.count(check.unmarked)) pages without a mark",
            "\(Units.count(check.unmasked)) without a mask",
            "\(Units.count(check.beforeAttach)) dirty before attach",
            "\(Units.count(check.initiallySet)) initially set", lost,
        ].joined(separator: ", ")
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
    /// Exits because a ring was full.
    package var fullExits: Int64 { assembler.fullExits }

    /// When the VMM switched logging on, if the last time was in that range and was seen.
    func loggingBegan(in range: ClosedRange<Int64>) -> Int64? {
        range.contains(logging.sinceNs) ? logging.sinceNs : nil
    }

    /// Pages of the guest that hold only zeros now: reads all its memory. Nil when its slots are not known, because logging
    /// was on before or the kernel has no kprobes, or when the process is gone.
    package func countZeroPages() -> Int64? {
        let regions = slots.regions
        return regions.isEmpty || hasUnknownSlots ? nil : VMMMemory.zeroPages(of: target.pid, in: regions)
    }

    /// Looks that failed, and looks that came before the VMM had protected the page again; nil when nobody asked what pages hold.
    package var looks: (unseen: Int64, early: Int64)? {
        guard let tally = contents?.tally else { return nil }
        return (tally.unseen, tally.early)
    }

    package func mark(_ text: String) { assembler.mark(text, at: monotonicNow()) }

    package func compare(_ rate: ForeignRate) { assembler.compare(rate) }

    /// How long to wait before the next look at the kernel's buffers. Of rings the events of a plugged-in vCPU's thread come only when it was seen; else it is
    /// enough that buffers do not fill up meanwhile.
    package var pauseMicroseconds: useconds_t {
        if case .ring = plan { return 10_000 }
        return instance.isFilling ? 10_000 : 40_000
    }

    /// Reads what has happened and hands over the iterations that ended.
    ///
    /// - Throws: ``AttachError``, or what `commit` throws.
    package func poll(_ commit: (IterationBatch) throws -> Void) throws {
        let now = monotonicNow()
        try read(upTo: now)
        // Before an iteration ends it must be known whether all of its events are there.
        if now - dropped.ns > Self.lookNs || soft?.assembler.isPending == true { lookForDropped(at: now) }
        try assemble(before: now - Self.settleNs, commit)
        if let batch = assembler.advance(to: now - Self.settleNs) { try commit(looked(batch)) }
        try lookIfDue(now)
    }

    /// Ends it: the instance goes, and the last iteration comes.
    ///
    /// - Throws: what `commit` throws.
    package func finish(_ commit: (IterationBatch) throws -> Void) throws {
        defer { instance.end() }
        try lookAtEnd(commit)
        let end = monotonicNow()
        endNs = end
        // Events of this very moment may take a while to become readable.
        usleep(useconds_t(Self.settleNs / 1000))
        try? read(upTo: end)
        try assemble(before: .max, commit)
        let dropped = instance.dropped
        self.dropped = (dropped.values.reduce(0, +), end)
        for (cpu, count) in dropped.sorted(by: { $0.key < $1.key }) {
            assembler.note(
                .traceOverrun, vcpu: nil, entries: nil, at: end, "The kernel dropped \(count) events on \(cpu).")
        }
        let missed = instance.missed
        if missed > 0 {
            assembler.note(.traceOverrun, vcpu: nil, entries: nil, at: end, "The kernel left out \(missed) probes.")
        }
        if case .bitmap(let layout, _) = plan, !layout.isDescribed,
            (assembler as? BitmapAssembler)?.check.misfits ?? 0 > 0
        {
            throw AttachError(
                "The kernel's memory slots lie otherwise than dirtyrec thought, and this kernel does not describe them (no /sys/kernel/btf); what was recorded is wrong."
            )
        }
        // What is written after the end belongs to no recording.
        try commit(looked(assembler.finish(at: end)) { _ in false })
    }

    private func looked(_ batch: IterationBatch) -> IterationBatch {
        let bitmaps = assembler as? BitmapAssembler
        return looked(batch) { bitmaps?.isOpen($0) ?? false }
    }

    private func looked(_ batch: IterationBatch, isOpen: (GFN) -> Bool) -> IterationBatch {
        var batch = batch
        if vcpuCount > toldVCPUs {
            batch.vcpus = vcpuCount
            toldVCPUs = vcpuCount
        }
        contents?.look(&batch, &slots, isOpen: isOpen)
        return batch
    }

    /// How often it is looked whether the kernel dropped events.
    private static let lookNs: Int64 = 500_000_000

    func lookForDropped(at ns: Int64) {
        let count = instance.dropped.values.reduce(0, +)
        if count > dropped.count || (soft != nil && instance.takeStranger()) { assembler.forget(at: ns) }
        dropped = (count, ns)
    }

    func read(upTo ns: Int64) throws { try instance.read(upTo: ns, into: &pending) }

    func assemble(before ns: Int64, _ commit: (IterationBatch) throws -> Void) throws {
        // Stable: events of one thread with equal times stay in their order.
        let settled = pending.enumerated().filter { $0.element.ns < ns }
            .sorted { ($0.element.ns, $0.offset) < ($1.element.ns, $1.offset) }
        pending.removeAll { $0.ns < ns }
        for (_, event) in settled {
            slots.note(event)
            if case .slot(_, let flags, _, 1..., _) = event.kind, logging.isOn != (flags & 1 != 0) {
                logging = flags & 1 != 0 ? (true, event.ns) : (false, logging.sinceNs)
            }
            do {
                if let batch = try assembler.add(event) { try commit(looked(batch)) }
            } catch let contradiction as EventContradiction {
                assembler.note(
                    .aborted, vcpu: nil, entries: 1, at: event.ns, "An event was left out: \(contradiction.problem).")
            }
        }
    }
}
