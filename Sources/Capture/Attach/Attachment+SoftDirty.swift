import Glibc
import Import
import Model
import Platform

/// A VM that logs nothing: its VMM's pages are protected again and again, and seen to be written by faults and by soft-dirty bits.
extension Attachment {
    /// How long KVM may take to name its slots.
    private static let slotsNs: Int64 = 2_000_000_000

    static func logs(_ what: String) -> AttachError {
        AttachError(
            "The VM \(what): it is followed by its log, which soft-dirty bits would disturb; leave --soft-dirty away.")
    }

    /// Protects every page for the first time, which shows the slots.
    ///
    /// - Throws: ``AttachError`` when the VM logs, or has memory whose bits say nothing.
    func beginSoft(intervalNs: Int64) throws {
        if let count = instance.loggedSlots, count > 0 {
            throw Self.logs("logs \(Units.counted(Int64(count), "slot", "slots"))")
        }
        let memory = try SoftDirtyMemory(pid: target.pid)
        let pageFaults = memory.pageFaults
        let clear = try memory.clear()
        let limit = monotonicNow() + Self.slotsNs
        var regions: [VMMMemory.Region] = []
        repeat {
            usleep(5000)
            try instance.read(upTo: monotonicNow(), into: &pending)
            regions = pending.compactMap { event in
                guard case .unmap(let id, _, let base, let pages, let host) = event.kind, id < 1 << 16 else {
                    return nil
                }
                return VMMMemory.Region(baseGFN: base, address: host, size: pages << 12)
            }
        } while regions.isEmpty && monotonicNow() < limit
        guard !regions.isEmpty else {
            throw AttachError(
                "KVM did not name the memory slots of process \(target.pid) (\(target.command)), so its guest's memory cannot be told from the rest."
            )
        }
        for event in pending {
            if case .unmap(let id, let flags, _, _, _) = event.kind, flags & 1 != 0 {
                throw Self.logs("logs slot \(id & 0xffff)")
            }
        }
        let mappings = GuestMappings(of: target.pid, regions)
        guard !mappings.isHugetlb else {
            throw AttachError(
                "The guest's memory lies in hugetlb pages, which have no soft-dirty bits; let the VMM log, and leave --soft-dirty away."
            )
        }
        self.mappings = mappings
        memoryBytes = Int64(clamping: regions.reduce(0) { $0 &+ $1.size })
        // From here on no page is mapped for writing.
        startNs =
            pending.first { if case .unmap = $0.kind { $0.ns >= clear.beganNs } else { false } }?.ns ?? clear.beganNs
        let first = SoftDirtyAssembler(
            vcpuCount: target.vcpuCount, startNs: startNs, clearedNs: clear.endedNs, pageFaults: pageFaults)
        (assembler, soft) = (first, (memory, first, intervalNs))
    }

    /// Reads the bits and clears them, when it is time.
    func lookIfDue(_ now: Int64) throws {
        guard let (memory, assembler, intervalNs) = soft, !isGone, !assembler.isPending else { return }
        if let slot = assembler.loggedSlot {
            // Faults go on to tell of first writes: the iteration ends when its log has.
            guard assembler.isFull else { return }
            throw AttachError(
                "The VMM logs slot \(slot & 0xffff) for so long that too many pages wait for its end; what came before is kept. Follow the log: leave --soft-dirty away."
            )
        }
        guard now - assembler.iterationNs >= intervalNs || assembler.isFull else { return }
        do { assembler.expect(try memory.look(slots.regions, thenClear: true)) } catch { isGone = true }
    }

    /// Ends the iteration in progress, if its bits were cleared, and reads those of the last one.
    func lookAtEnd(_ commit: (IterationBatch) throws -> Void) throws {
        guard let (memory, assembler, _) = soft else { return }
        func catchUp() throws {
            usleep(useconds_t(Self.settleNs / 1000))
            try? read(upTo: monotonicNow())
            lookForDropped(at: monotonicNow())
        }
        if assembler.isPending {
            try catchUp()
            try assemble(before: .max, commit)
            if let batch = assembler.advance(to: .max) { try commit(batch) }
        }
        guard !isGone, let look = try? memory.look(slots.regions, thenClear: false) else { return }
        assembler.expect(look)
        try catchUp()
    }

    /// A slot that the VMM still logs: the last iteration began before.
    package var loggedSlot: UInt32? { soft?.assembler.loggedSlot.map { $0 & 0xffff } }

    /// Who may write the guest's memory without being seen, clause by clause; nil where nobody is known to.
    package var unseenWriters: String? {
        let writers = mappings?.unseenWriters(of: target.pid) ?? []
        return writers.isEmpty ? nil : writers.joined(separator: "; ")
    }

    /// Share of the guest's memory that the host kept in large pages at the beginning; nil where nobody looked.
    package var largePages: Double? { mappings?.largeShare(of: memoryBytes) }

    /// What each iteration costs the guest; nil where it costs nothing but events.
    package var costs: String? {
        guard let check = soft?.assembler.check, check.clears > 0 else { return nil }
        let faults =
            check.pageFaults.map {
                "\(Units.counted($0 / check.clears, "page fault", "page faults")) of the guest, reads too"
            }
            ?? "\(Units.counted(check.faults / check.clears, "write fault", "write faults")) of the guest, and reads that are not counted (no debugfs)"
        return
            "bits read in \(Units.duration(check.readNs / (check.clears + 1))), cleared in \(Units.duration(check.clearNs / check.clears)), \(faults)"
    }

    static func words(_ check: SoftDirtyAssembler.Check) -> String {
        [
            "\(Units.counted(check.faults, "write fault", "write faults")), of which \(Units.count(check.repeats)) told nothing new",
            "\(Units.count(check.elsewhere)) outside of memory",
            "\(Units.counted(check.unmarked, "page", "pages")) without a bit",
            "\(Units.count(check.between)) written while bits were read and cleared",
            "\(Units.counted(check.vmm, "entry", "entries")) of the VMM, which was not seen for \(Units.duration(check.blindNs))",
        ].joined(separator: ", ")
    }
}
