import Guests
import KVM
import Model
import Platform

/// A change of memory slots at a given time of the recording, as a VMM makes it for hotplug or a device's BAR.
package struct SlotEvent: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        /// A slot of so many bytes of logged memory appears behind the guest's memory.
        case add(bytes: Int64)
        /// The slot added last disappears.
        case remove
        /// The data slot is deleted and comes back at the same place.
        case readd
        /// The data slot moves to another guest physical address, by so many bytes; the guest's page tables follow.
        case move(by: Int64)
        /// Pages are watched from now on.
        case watch(WatchRange)
        /// Pages are not watched any more.
        case unwatch(WatchRange)
    }

    /// Nanoseconds after the start.
    package var atNs: Int64
    package var action: Action

    init(atNs: Int64, action: Action) { (self.atNs, self.action) = (atNs, action) }

    /// Reads `TIME:add=SIZE`, `TIME:remove`, `TIME:readd` or `TIME:move=SIZE`.
    ///
    /// - Throws: ``RecordError`` with the forms that are understood.
    package init(parsing text: String) throws(RecordError) {
        guard let word = TimedWord(parsing: text) else { throw Self.refusal(text) }
        let size = word.value.flatMap { try? Units.parseSize(String($0)) }
        let isWhole = size.map { $0 > 0 && $0 % (2 << 20) == 0 } ?? false
        atNs = word.atNs
        switch (word.name, size) {
        case ("add", let size?) where isWhole: action = .add(bytes: size)
        case ("move", let size?) where isWhole: action = .move(by: size)
        case ("remove", _) where word.value == nil: action = .remove
        case ("readd", _) where word.value == nil: action = .readd
        default: throw Self.refusal(text)
        }
    }

    private static func refusal(_ text: String) -> RecordError {
        RecordError(
            "--slot-event \(text) is not usable: write TIME:add=SIZE, TIME:remove, TIME:readd or TIME:move=SIZE, with sizes in multiples of 2MiB, such as 500ms:move=1GiB."
        )
    }
}

/// Carries slot events out. Only while every vCPU stands still and every entry has been harvested and reset: entries name
/// the slot, and would be lost or misattributed otherwise.
struct SlotChanger {
    /// What KVM is told.
    private enum Step {
        case delete(LiveSlot)
        /// The guest's page tables follow its data.
        case moveData(to: UInt64)
        case set(LiveSlot)
    }

    private let guest: any Guest
    private(set) var map: MemoryMap
    private var added: [UInt32] = []

    init(guest: any Guest, map: MemoryMap) {
        self.guest = guest
        self.map = map
    }

    /// Does everything in the order of time but tell KVM.
    ///
    /// - Throws: ``RecordError`` for an event that will not be possible.
    static func rehearse(_ events: [SlotEvent], guest: any Guest, map: MemoryMap) throws {
        var changer = SlotChanger(guest: guest, map: map)
        for event in events.sorted(by: { $0.atNs < $1.atNs }) { _ = try changer.steps(for: event.action, nowNs: 0) }
    }

    /// Changes the slots; rows of what went and what came are added to `batch`.
    mutating func apply(_ action: SlotEvent.Action, to vm: VirtualMachine, into batch: inout IterationBatch) throws {
        let now = monotonicNow()
        for step in try steps(for: action, nowNs: now) {
            switch step {
            case .delete(let slot):
                var gone = slot.region
                gone.size = 0
                try vm.setMemory(gone, memory: slot.memory)
                batch.slots.append(slot.row(deletedNs: now))
            case .moveData(let address): (guest as? BuiltinGuest)?.moveData(to: address)
            case .set(let slot):
                try vm.setMemory(slot.region, memory: slot.memory, offset: slot.offset)
                batch.slots.append(slot.row())
            }
        }
    }

    private mutating func steps(for action: SlotEvent.Action, nowNs: Int64) throws -> [Step] {
        switch action {
        case .add(let bytes):
            let end = map.slots.map { $0.region.guestAddress + $0.region.size }.max() ?? 0
            let unit: UInt64 = 1 << 30
            let slot = map.insert(
                try GuestMemory(size: Int(bytes)), at: (end + unit - 1) / unit * unit, nowNs: nowNs)
            added.append(slot.region.slot)
            return [.set(slot)]
        case .remove:
            guard let id = added.popLast(), let slot = map.slots.first(where: { $0.region.slot == id }) else {
                throw RecordError("--slot-event remove: no slot was added before; put an earlier TIME:add=SIZE.")
            }
            guard !map.isCut(slot) else {
                throw RecordError("--slot-event remove: pages of the slot are watched; end that watch before.")
            }
            map.remove(id)
            return [.delete(slot)]
        case .watch(let range): return Self.steps(for: try map.watch(range, nowNs: nowNs))
        case .unwatch(let range): return Self.steps(for: try map.unwatch(range, nowNs: nowNs))
        case .readd, .move:
            guard guest is BuiltinGuest,
                let slot = map.slots.first(where: { $0.region.slot == BuiltinGuest.dataSlot })
            else { throw RecordError("--slot-event readd and move need a built-in workload.") }
            var address = slot.region.guestAddress
            if case .move(let distance) = action { address = try target(of: slot, movedBy: distance) }
            guard let renewed = map.renew(slot.region.slot, at: address, nowNs: nowNs) else { return [] }
            if case .move = action { return [.delete(slot), .moveData(to: address), .set(renewed)] }
            return [.delete(slot), .set(renewed)]
        }
    }

    private static func steps(for cut: MemoryMap.Cut) -> [Step] { cut.gone.map(Step.delete) + cut.new.map(Step.set) }

    private func target(of slot: LiveSlot, movedBy distance: Int64) throws -> UInt64 {
        guard !map.isCut(slot) else {
            throw RecordError(
                "--slot-event move cannot move memory of which pages are watched: the data slot is cut in pieces then.")
        }
        let (address, overflow) = slot.region.guestAddress.addingReportingOverflow(UInt64(distance))
        let isTaken = map.slots.contains {
            $0.region.slot != slot.region.slot && address < $0.region.guestAddress + $0.region.size
                && $0.region.guestAddress < address &+ slot.region.size
        }
        guard !overflow, address <= largestGFN * UInt64(pageBytes) - slot.region.size, !isTaken else {
            throw RecordError("--slot-event move would put the data slot over another; move it elsewhere.")
        }
        return address
    }
}
