import Testing

@testable import Attach

/// A description of types, byte by byte as the kernel's format has it.
private struct Description {
    private var types: [UInt8] = []
    private(set) var strings: [UInt8] = [0]
    private let firstString: Int
    private(set) var count: UInt32

    /// One that goes on after another.
    init(after base: Description? = nil) {
        firstString = base?.strings.count ?? 0
        count = base?.count ?? 0
    }

    private mutating func string(_ text: String) -> UInt32 {
        defer { strings += Array(text.utf8) + [0] }
        return UInt32(firstString + strings.count)
    }
    private mutating func add(_ words: UInt32...) {
        for word in words {
            for shift in 0..<4 { types.append(UInt8(truncatingIfNeeded: word >> (8 * UInt32(shift)))) }
        }
    }

    mutating func structure(_ name: String, _ members: [(String, bits: UInt32)], bitFields: Bool = false) {
        add(string(name), (bitFields ? 1 << 31 : 0) | 4 << 24 | UInt32(members.count), 64)
        for member in members { add(string(member.0), 1, member.bits) }
        count += 1
    }
    mutating func function(_ name: String, _ parameters: [String]) {
        add(0, 13 << 24 | UInt32(parameters.count), 0)
        for parameter in parameters { add(string(parameter), 1) }
        add(string(name), 12 << 24, count + 1)
        count += 2
    }
    mutating func integer() {
        add(0, 1 << 24, 4)
        add(32)
        count += 1
    }

    var bytes: [UInt8] {
        func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        return [0x9f, 0xeb, 1, 0] + word(24) + word(0) + word(types.count) + word(types.count) + word(strings.count)
            + types + strings
    }
}

@Suite struct `The kernel's description of its types` {
    private func descriptions(mark: [String] = ["kvm", "memslot", "gfn"]) -> (kernel: Description, module: Description)
    {
        var kernel = Description()
        kernel.integer()
        kernel.structure("kvm_vcpu", [("kvm", 0), ("cpu", 32 * 8), ("vcpu_id", 36 * 8)])
        kernel.structure("kvm", [("manual_dirty_log_protect", 7000 * 8)])
        var module = Description(after: kernel)
        module.integer()
        module.structure(
            "kvm_memory_slot",
            [
                ("base_gfn", 100 * 8), ("npages", 108 * 8), ("userspace_addr", 116 * 8), ("flags", 124 * 8),
                ("id", 128 * 8 | 16 << 24), ("as_id", 130 * 8 | 16 << 24),
            ], bitFields: true)
        module.function("mark_page_dirty_in_slot", mark)
        module.function("kvm_arch_mmu_enable_log_dirty_pt_masked", ["kvm", "slot", "gfn_offset", "mask"])
        return (kernel, module)
    }

    @Test func `says where a module's structures have their members`() throws {
        let (kernel, module) = descriptions()
        let description = try #require(BTF(kernel: kernel.bytes, module: module.bytes))
        #expect(description.offsets(of: "kvm_memory_slot", ["id", "as_id"]) == ["id": 128, "as_id": 130])
        #expect(description.offsets(of: "kvm_memory_slot", ["id", "nobody"]) == nil)
        #expect(description.takes("mark_page_dirty_in_slot", ["kvm", "memslot", "gfn"]) == true)
        #expect(description.takes("nobody", []) == nil)
        let layout = try KernelLayout(description)
        #expect(layout.isDescribed)
        #expect(
            [layout.base, layout.pages, layout.host, layout.flags, layout.id, layout.space] == [
                100, 108, 116, 124, 128, 130,
            ])
        #expect([layout.vm, layout.vcpu, layout.protection] == [0, 36, 7000])
    }

    @Test func `is refused when it is of a KVM that we do not know`() throws {
        let (kernel, module) = descriptions(mark: ["memslot", "gfn"])
        let older = try #require(BTF(kernel: kernel.bytes, module: module.bytes))
        #expect(throws: AttachError.self) { try KernelLayout(older) }
        let other = try #require(BTF(kernel: kernel.bytes, module: nil))
        #expect(throws: AttachError.self) { try KernelLayout(other) }
    }

    @Test func `finds nothing, and nothing beyond its end, when it is damaged`() {
        let (kernel, module) = descriptions()
        #expect(BTF(kernel: [], module: nil) == nil)
        #expect(BTF(kernel: Array(kernel.bytes.dropLast()), module: nil) == nil)
        for place in 0..<module.bytes.count {
            for value: UInt8 in [0, 0x7f, 0xff] {
                var bytes = module.bytes
                bytes[place] = value
                guard let description = BTF(kernel: kernel.bytes, module: bytes) else { continue }
                _ = description.offsets(of: "kvm_memory_slot", ["base_gfn", "as_id"])
                _ = description.takes("kvm_arch_mmu_enable_log_dirty_pt_masked", ["kvm"])
            }
        }
    }
}
