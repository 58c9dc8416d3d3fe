import Model

/// One event of a VM's dirty log: of its rings, or of its bitmaps.
package struct RingEvent: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// KVM put an entry into the ring; `dirty` counts the ring's entries including this one, modulo 2³², and
        /// `reset` those that were re-protected.
        case push(slot: UInt32, offset: UInt64, dirty: UInt32, reset: UInt32)
        /// The VMM re-protected the ring's entries up to number `reset`.
        case reset(reset: UInt32)
        /// The vCPU left the guest because its ring was full.
        case full
        /// The VMM made, changed or (with size 0) deleted a memory slot; `host` is where its memory lies in the VMM.
        case slot(id: UInt32, flags: UInt32, address: UInt64, size: UInt64, host: UInt64)
        /// KVM sets the bit of a page in its slot's bitmap, whether it is set already or not.
        case mark(slot: UInt32, gfn: GFN)
        /// KVM re-protects the pages whose bits in `mask` it has just taken out of a slot's bitmap; bit 0 is page `offset`.
        case mask(slot: UInt32, base: GFN, pages: UInt64, offset: UInt64, mask: UInt64)
        /// The thread asks for KVM_GET_DIRTY_LOG or KVM_CLEAR_DIRTY_LOG; ``sync`` says of which slot.
        case ioctl(isClear: Bool)
        /// GET or CLEAR begins with a slot.
        case sync(slot: UInt32, base: GFN, pages: UInt64, host: UInt64)
        /// The thread lets its vCPU, which is ``RingEvent/ring``, enter the guest.
        case enter
        /// The vCPU ``RingEvent/ring`` touched a guest address that KVM had not mapped, or not for writing.
        case fault(address: UInt64, isWrite: Bool)
        /// KVM is told that what the VMM has mapped for a slot changes, and drops its own mappings of it.
        case unmap(slot: UInt32, flags: UInt32, base: GFN, pages: UInt64, host: UInt64)
    }

    /// When, in nanoseconds of the trace's clock.
    package var ns: Int64
    /// The thread in which it happened.
    package var pid: Int
    /// Which vCPU's ring; 0 where it does not matter.
    package var ring: Int
    package var kind: Kind
    /// The address of the VM in the kernel; 0 for events that do not say it.
    package var vm: UInt64 = 0
    /// The VM's `manual_dirty_log_protect`; nil for events that do not say it.
    package var protection: UInt64?
    /// How many of the VM's slots log; nil for events that do not say it.
    package var loggedSlots: Int?

    package init(
        ns: Int64, pid: Int, ring: Int, kind: Kind, vm: UInt64 = 0, protection: UInt64? = nil, loggedSlots: Int? = nil
    ) {
        (self.ns, self.pid, self.ring, self.kind) = (ns, pid, ring, kind)
        (self.vm, self.protection, self.loggedSlots) = (vm, protection, loggedSlots)
    }
}

/// Turns raw records into events, by the format files.
package struct EventDecoder: Sendable {
    /// The tracepoints that are read, all of the group `kvm`.
    package static let tracepoints = ["kvm_dirty_ring_push", "kvm_dirty_ring_reset", "kvm_dirty_ring_exit"]
    /// The tracepoint of a vCPU's page faults, of the same group.
    package static let faults = "kvm_page_fault"
    /// Our own probes, by what they show.
    package enum Probe: String, Sendable, CaseIterable {
        /// The function behind `KVM_SET_USER_MEMORY_REGION`.
        case slot = "memslot"
        /// A page is marked in its slot's bitmap.
        case mark
        /// Pages taken out of a bitmap are re-protected.
        case mask
        /// A GET or CLEAR begins.
        case sync
        /// Which of the two it is.
        case ioctl = "vmioctl"
        /// A vCPU enters the guest.
        case enter
        /// KVM drops its mappings of a slot.
        case unmap
    }

    private enum Layout: Sendable {
        case push(
            index: EventFormat.Field, dirty: EventFormat.Field, reset: EventFormat.Field,
            slot: EventFormat.Field, offset: EventFormat.Field)
        case reset(index: EventFormat.Field, reset: EventFormat.Field)
        case full(vcpu: EventFormat.Field)
        case slot(
            id: EventFormat.Field, flags: EventFormat.Field, address: EventFormat.Field, size: EventFormat.Field,
            host: EventFormat.Field)
        case mark(slot: SlotFields, gfn: EventFormat.Field)
        case mask(
            slot: SlotFields, base: EventFormat.Field, pages: EventFormat.Field, offset: EventFormat.Field,
            mask: EventFormat.Field)
        case ioctl(command: EventFormat.Field)
        case sync(slot: SlotFields, base: EventFormat.Field, pages: EventFormat.Field, host: EventFormat.Field)
        case enter(vcpu: EventFormat.Field)
        case fault(vcpu: EventFormat.Field, address: EventFormat.Field, code: EventFormat.Field)
        case unmap(
            slot: SlotFields, flags: EventFormat.Field, base: EventFormat.Field, pages: EventFormat.Field,
            host: EventFormat.Field)
    }
    /// A slot's number and its address space.
    private struct SlotFields: Sendable {
        var id: EventFormat.Field
        var space: EventFormat.Field
    }
    private struct Known: Sendable {
        var pid: EventFormat.Field
        var layout: Layout
        var vm: EventFormat.Field?
        var protection: EventFormat.Field?
        var loggedSlots: EventFormat.Field?
    }

    private var layouts: [Int: Known] = [:]
    private let type = EventFormat.Field(offset: 0, size: 2, signed: false)
    /// `KVM_CLEAR_DIRTY_LOG` of x86-64 and arm64.
    private static let clearLog: UInt32 = 0xc018_aec0

    private let wantsFaults: Bool

    /// - Parameter faults: Whether page faults are wanted, too; somebody else's trace may be full of them.
    package init(faults: Bool = false) { wantsFaults = faults }

    /// Whether it knows what a ring push looks like.
    package var knowsPushes: Bool {
        layouts.values.contains { if case .push = $0.layout { true } else { false } }
    }

    /// Learns an event.
    ///
    /// - Returns: false when it is none of ours, or lacks a field that we need.
    @discardableResult
    package mutating func learn(_ format: EventFormat) -> Bool {
        guard let pid = format.fields["common_pid"],
            let layout = Self.ringLayout(format) ?? (wantsFaults ? Self.faultLayout(format) : nil)
                ?? Probe(rawValue: format.name).flatMap({ Self.layout($0, format.fields) })
        else { return false }
        layouts[format.id] = Known(
            pid: pid, layout: layout, vm: format.fields["kvm"], protection: format.fields["protect"],
            loggedSlots: format.fields["logs"])
        return true
    }

    private static func ringLayout(_ format: EventFormat) -> Layout? {
        let fields = format.fields
        switch format.name {
        case "kvm_dirty_ring_push":
            guard let index = fields["index"], let dirty = fields["dirty_index"], let reset = fields["reset_index"],
                let slot = fields["slot"], let offset = fields["offset"]
            else { return nil }
            return .push(index: index, dirty: dirty, reset: reset, slot: slot, offset: offset)
        case "kvm_dirty_ring_reset":
            guard let index = fields["index"], let reset = fields["reset_index"] else { return nil }
            return .reset(index: index, reset: reset)
        case "kvm_dirty_ring_exit": return fields["vcpu_id"].map { .full(vcpu: $0) }
        default: return nil
        }
    }

    private static func faultLayout(_ format: EventFormat) -> Layout? {
        guard format.name == faults, let vcpu = format.fields["vcpu_id"], let address = format.fields["fault_address"],
            let code = format.fields["error_code"]
        else { return nil }
        return .fault(vcpu: vcpu, address: address, code: code)
    }

    private static func layout(_ probe: Probe, _ fields: [String: EventFormat.Field]) -> Layout? {
        let slot = fields["id"].flatMap { id in fields["as"].map { SlotFields(id: id, space: $0) } }
        switch probe {
        case .slot:
            guard let id = fields["slot"], let flags = fields["flags"], let address = fields["gpa"],
                let size = fields["size"], let host = fields["host"]
            else { return nil }
            return .slot(id: id, flags: flags, address: address, size: size, host: host)
        case .mark:
            guard let slot, let gfn = fields["gfn"] else { return nil }
            return .mark(slot: slot, gfn: gfn)
        case .mask:
            guard let slot, let base = fields["base"], let pages = fields["pages"], let offset = fields["off"],
                let mask = fields["mask"]
            else { return nil }
            return .mask(slot: slot, base: base, pages: pages, offset: offset, mask: mask)
        case .sync:
            guard let slot, let base = fields["base"], let pages = fields["pages"], let host = fields["host"] else {
                return nil
            }
            return .sync(slot: slot, base: base, pages: pages, host: host)
        case .ioctl: return fields["cmd"].map { .ioctl(command: $0) }
        case .enter: return fields["vcpu"].map { .enter(vcpu: $0) }
        case .unmap:
            guard let slot, let flags = fields["flags"], let base = fields["base"], let pages = fields["pages"],
                let host = fields["host"]
            else { return nil }
            return .unmap(slot: slot, flags: flags, base: base, pages: pages, host: host)
        }
    }

    /// The event in `record`; nil when it is another one, or is cut off.
    package func decode(_ record: ArraySlice<UInt8>, ns: Int64) -> RingEvent? {
        guard let id = type.value(in: record), let known = layouts[Int(id)], let pid = known.pid.value(in: record)
        else {
            return nil
        }
        func value(_ field: EventFormat.Field) -> Int64 { field.value(in: record) ?? -1 }
        func word(_ field: EventFormat.Field) -> UInt32 { UInt32(truncatingIfNeeded: value(field)) }
        func long(_ field: EventFormat.Field) -> UInt64 { UInt64(bitPattern: value(field)) }
        func key(_ slot: SlotFields) -> UInt32 { word(slot.id) & 0xffff | word(slot.space) << 16 }
        var ring: Int64 = 0
        let kind: RingEvent.Kind
        switch known.layout {
        case .push(let index, let dirty, let reset, let slot, let offset):
            ring = value(index)
            kind = .push(slot: word(slot), offset: long(offset), dirty: word(dirty), reset: word(reset))
        case .reset(let index, let reset):
            ring = value(index)
            kind = .reset(reset: word(reset))
        case .full(let vcpu):
            ring = value(vcpu)
            kind = .full
        case .slot(let id, let flags, let address, let size, let host):
            kind = .slot(
                id: word(id), flags: word(flags), address: long(address), size: long(size), host: long(host))
        case .mark(let slot, let gfn): kind = .mark(slot: key(slot), gfn: long(gfn))
        case .mask(let slot, let base, let pages, let offset, let mask):
            kind = .mask(
                slot: key(slot), base: long(base), pages: long(pages), offset: long(offset), mask: long(mask))
        case .ioctl(let command): kind = .ioctl(isClear: word(command) == Self.clearLog)
        case .sync(let slot, let base, let pages, let host):
            kind = .sync(slot: key(slot), base: long(base), pages: long(pages), host: long(host))
        case .enter(let vcpu):
            ring = value(vcpu)
            kind = .enter
        case .fault(let vcpu, let address, let code):
            ring = value(vcpu)
            // Of AMD's error code and of Intel's exit qualification alike, bit 1 is a write.
            kind = .fault(address: long(address), isWrite: value(code) & 2 != 0)
        case .unmap(let slot, let flags, let base, let pages, let host):
            kind = .unmap(
                slot: key(slot), flags: word(flags), base: long(base), pages: long(pages), host: long(host))
        }
        return RingEvent(
            ns: ns, pid: Int(truncatingIfNeeded: pid), ring: Int(truncatingIfNeeded: ring), kind: kind,
            vm: known.vm.map(long) ?? 0, protection: known.protection.map(long),
            loggedSlots: known.loggedSlots.map { Int(truncatingIfNeeded: value($0)) })
    }
}
