/// One event of a VM's dirty ring.
package struct RingEvent: Sendable, Equatable {
    /// What happened.
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
    }

    /// When, in nanoseconds of the trace's clock.
    package var ns: Int64
    /// The thread in which it happened.
    package var pid: Int
    /// Which vCPU's ring; 0 for slots.
    package var ring: Int
    /// What happened.
    package var kind: Kind

    package init(ns: Int64, pid: Int, ring: Int, kind: Kind) {
        self.ns = ns
        self.pid = pid
        self.ring = ring
        self.kind = kind
    }
}

/// Turns raw records into events, by the format files.
package struct EventDecoder: Sendable {
    /// The tracepoints that are read, all of the group `kvm`.
    package static let tracepoints = ["kvm_dirty_ring_push", "kvm_dirty_ring_reset", "kvm_dirty_ring_exit"]
    /// Our own probe on the function behind `KVM_SET_USER_MEMORY_REGION`.
    package static let slotProbe = "memslot"

    private enum Layout: Sendable {
        case push(
            index: EventFormat.Field, dirty: EventFormat.Field, reset: EventFormat.Field,
            slot: EventFormat.Field, offset: EventFormat.Field)
        case reset(index: EventFormat.Field, reset: EventFormat.Field)
        case full(vcpu: EventFormat.Field)
        case slot(
            id: EventFormat.Field, flags: EventFormat.Field, address: EventFormat.Field, size: EventFormat.Field,
            host: EventFormat.Field)
    }

    private var layouts: [Int: (pid: EventFormat.Field, layout: Layout)] = [:]
    private let type = EventFormat.Field(offset: 0, size: 2, signed: false)

    /// A decoder that knows no event.
    package init() {}

    /// Whether it knows what a ring push looks like.
    package var knowsPushes: Bool {
        layouts.values.contains { if case .push = $0.layout { true } else { false } }
    }

    /// Learns an event.
    ///
    /// - Returns: false when it is none of ours, or lacks a field that we need.
    @discardableResult
    package mutating func learn(_ format: EventFormat) -> Bool {
        let fields = format.fields
        guard let pid = fields["common_pid"] else { return false }
        var layout: Layout?
        switch format.name {
        case "kvm_dirty_ring_push":
            if let index = fields["index"], let dirty = fields["dirty_index"], let reset = fields["reset_index"],
                let slot = fields["slot"], let offset = fields["offset"]
            {
                layout = .push(index: index, dirty: dirty, reset: reset, slot: slot, offset: offset)
            }
        case "kvm_dirty_ring_reset":
            if let index = fields["index"], let reset = fields["reset_index"] {
                layout = .reset(index: index, reset: reset)
            }
        case "kvm_dirty_ring_exit":
            if let vcpu = fields["vcpu_id"] { layout = .full(vcpu: vcpu) }
        case Self.slotProbe:
            if let id = fields["slot"], let flags = fields["flags"], let address = fields["gpa"],
                let size = fields["size"], let host = fields["host"]
            {
                layout = .slot(id: id, flags: flags, address: address, size: size, host: host)
            }
        default: break
        }
        guard let layout else { return false }
        layouts[format.id] = (pid, layout)
        return true
    }

    /// The event in `record`; nil when it is another one, or is cut off.
    package func decode(_ record: ArraySlice<UInt8>, ns: Int64) -> RingEvent? {
        guard let id = type.value(in: record), let (pidField, layout) = layouts[Int(id)],
            let pid = pidField.value(in: record)
        else { return nil }
        func value(_ field: EventFormat.Field) -> Int64 { field.value(in: record) ?? -1 }
        let ring: Int64
        let kind: RingEvent.Kind
        switch layout {
        case .push(let index, let dirty, let reset, let slot, let offset):
            ring = value(index)
            kind = .push(
                slot: UInt32(truncatingIfNeeded: value(slot)), offset: UInt64(bitPattern: value(offset)),
                dirty: UInt32(truncatingIfNeeded: value(dirty)), reset: UInt32(truncatingIfNeeded: value(reset)))
        case .reset(let index, let reset):
            ring = value(index)
            kind = .reset(reset: UInt32(truncatingIfNeeded: value(reset)))
        case .full(let vcpu):
            ring = value(vcpu)
            kind = .full
        case .slot(let id, let flags, let address, let size, let host):
            ring = 0
            kind = .slot(
                id: UInt32(truncatingIfNeeded: value(id)), flags: UInt32(truncatingIfNeeded: value(flags)),
                address: UInt64(bitPattern: value(address)), size: UInt64(bitPattern: value(size)),
                host: UInt64(bitPattern: value(host)))
        }
        return RingEvent(ns: ns, pid: Int(truncatingIfNeeded: pid), ring: Int(truncatingIfNeeded: ring), kind: kind)
    }
}
