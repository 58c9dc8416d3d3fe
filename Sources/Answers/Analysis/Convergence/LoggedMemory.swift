import Model

/// The memory that a migration sends in its first round: what the guest has when it begins.
struct LoggedMemory: Sendable {
    private let slots: [MemorySlot]
    private let info: RecordingInfo
    /// Pages seen dirty: what is left when the recording says nothing of memory.
    private let dirtyPages: Int64
    /// Whether slots name the moment at which they came to be. Of guests of others they name the moment when we heard of them.
    private let knowsCreation: Bool

    init(_ recording: some Recording, dirtyPages: Int) throws {
        info = recording.info
        // Address space 1 is another view of the same memory.
        slots = try recording.slots.filter { $0.logged && $0.addressSpace == 0 }
        self.dirtyPages = Int64(dirtyPages)
        knowsCreation = WriteOrder.faultsOnFirstTouch(info)
    }

    /// The logged slots at `time`, each in one generation.
    func slots(at time: Int64) -> [MemorySlot] {
        var latest: [Int: MemorySlot] = [:]
        for slot in slots {
            if let deleted = slot.deletedNs, deleted <= time || (slot.createdNs > time) { continue }
            if knowsCreation, slot.createdNs > time { continue }
            if slot.generation >= latest[slot.slot]?.generation ?? 0 { latest[slot.slot] = slot }
        }
        return latest.values.sorted { $0.baseGFN < $1.baseGFN }
    }

    /// S₀ of a migration that begins at `time`. Where a slot's size is unknown, slots say nothing.
    func pages(at time: Int64) -> (pages: Int64, basis: ConvergenceReport.MemoryBasis) {
        // x86 addresses 2^52 bytes: more is a lie, whose multiples would overflow.
        let most = 1 << 52 / info.pageSize
        let present = slots(at: time)
        let logged = present.reduce(Int64(0)) { min($0 + Int64(clamping: $1.pages), most) }
        if logged > 0, present.allSatisfy(\.isKnown) { return (logged, .slots) }
        if info.memoryBytes >= info.pageSize { return (min(info.memoryBytes / info.pageSize, most), .memorySize) }
        return (dirtyPages, .dirtyPages)
    }
}
