import Model

/// Something about how recordings were made that bears on every figure: the guest, the rings, the host.
package struct Condition: Sendable, Equatable {
    /// Its key in the JSON of a recording, such as `ring_entries`.
    package var name: String
    /// What a number counts; nil for words.
    package var unit: Figure.Unit?
    /// Every value of the recordings before, each once.
    package var before: [SQLValue]
    /// Every value of the recordings after, each once.
    package var after: [SQLValue]

    /// Whether all recordings of both sides agree.
    package var isSame: Bool { before.count == 1 && before == after }

    private static let all: [(name: String, unit: Figure.Unit?, value: @Sendable (RecordingInfo) -> SQLValue)] = [
        ("guest_kind", nil, { .text($0.guestKind) }),
        ("guest", nil, { .text($0.guest) }),
        ("vcpu_count", .count, { .integer(Int64($0.vcpuCount)) }),
        ("memory_bytes", .bytes, { .integer($0.memoryBytes) }),
        ("page_size", .bytes, { .integer($0.pageSize) }),
        ("source", nil, { .text($0.source.rawValue) }),
        ("mode", nil, { .text($0.mode.rawValue) }),
        ("ring_entries", .count, { $0.ringEntries.map { .integer(Int64($0)) } ?? .null }),
        ("interval_ns", .nanoseconds, { .integer($0.intervalNs) }),
        ("host", nil, { .text($0.host) }),
        ("kernel", nil, { .text($0.kernel) }),
        ("kvm_module", nil, { .text($0.kvmModule) }),
        ("cpu", nil, { .text($0.cpu) }),
        ("pml", nil, { $0.pml.map { .text($0 ? "on" : "off") } ?? .null }),
        ("nested", nil, { $0.nested.map { .text($0 ? "yes" : "no") } ?? .null }),
    ]

    /// The conditions in which the recordings of two sides, or of one, are not alike.
    static func differing(before: [RecordingInfo], after: [RecordingInfo]) -> [Condition] {
        func distinct(_ infos: [RecordingInfo], _ value: (RecordingInfo) -> SQLValue) -> [SQLValue] {
            infos.map(value).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
        return all.map {
            Condition(
                name: $0.name, unit: $0.unit, before: distinct(before, $0.value), after: distinct(after, $0.value))
        }.filter { !$0.isSame }
    }
}
