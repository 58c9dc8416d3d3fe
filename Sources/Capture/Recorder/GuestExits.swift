import Guests
import KVM
import Model

/// Serves what vCPUs leave the guest for, each on its own thread: watched writes here, everything else by the guest.
struct GuestExits: Sendable {
    let guest: any Guest
    let map: CurrentMap
    let events: EventLog

    func serve(_ exit: VCPUExit, of vcpu: VCPU) -> VCPUCrew.AfterExit {
        if case .mmioWrite(let address, let data) = exit, let slot = map.watched(address) {
            write(data, at: address, to: slot, for: vcpu)
            return .resume
        }
        switch guest.handle(exit, of: vcpu) {
        case .resume: return .resume
        case .done: return .done
        case .waitForIteration: return .waitForIteration
        case .sleep(let ns): return .sleep(ns)
        case .mark(let texts):
            for text in texts { events.mark(text, vcpu: vcpu.index) }
            return .resume
        case .end(let how):
            events.mark("The guest \(how).", vcpu: vcpu.index)
            return .guestEnded
        case .wrote(let pages):
            events.wrote(pages)
            return .resume
        case .unexpected: return .died("unexpected exit \(exit) (\(vcpu.registerDump()))")
        }
    }

    /// Does a write to a watched page, which KVM has handed over instead of doing it.
    private func write(_ data: [UInt8], at address: UInt64, to slot: LiveSlot, for vcpu: VCPU) {
        let next = (try? vcpu.instructionPointer()) ?? 0
        events.watch(data, at: address, vcpu: vcpu.index, rip: guest.writer(before: next) ?? next) {
            let place = slot.offset + Int(address - slot.region.guestAddress)
            let count = min(data.count, slot.memory.size - place)
            defer { slot.memory.write(Array(data.prefix(count)), at: place) }
            return slot.memory.read(count, at: place)
        }
    }
}
