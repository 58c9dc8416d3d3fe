import Glibc
import Import

/// How the entries of a guest's dirty log are seen.
enum EventPlan: Sendable {
    /// By KVM's tracepoints of the dirty ring.
    case ring
    /// By probes on the functions that mark pages in bitmaps, and take them out. Without times only the latter.
    case bitmap(KernelLayout, times: Bool)
    /// By KVM's tracepoint of page faults, and a probe on where it drops its mappings.
    case soft(KernelLayout)

    /// What its probes need.
    var kernel: KernelLayout? {
        switch self {
        case .ring: nil
        case .bitmap(let kernel, _), .soft(let kernel): kernel
        }
    }
}

/// Where the kernel's structures have what the probes need, in bytes.
struct KernelLayout: Sendable, Equatable {
    /// In `struct kvm_memory_slot`.
    var base = 176
    var pages = 184
    var host = 248
    var flags = 256
    var id = 260
    var space = 262
    /// In `struct kvm_vcpu`.
    var vm = 0
    var vcpu = 36
    /// `manual_dirty_log_protect` in `struct kvm`; nil where nobody says it.
    var protection: Int?
    /// `nr_memslots_dirty_logging` in `struct kvm`; nil where nobody says it: Linux 6.1 has no such field, 6.12 has.
    var logging: Int?
    /// The slot in `struct kvm_gfn_range`; nil where its function is another one than we know.
    var range: Int? = 0
    /// Whether the kernel itself said so. Else these are the places in Linux 6.1 to 7.3 on x86-64, and must prove right.
    private(set) var isDescribed = false

    /// The layout of the running kernel.
    ///
    /// - Throws: ``AttachError`` when its KVM is none that we know.
    static func running() throws -> KernelLayout {
        try BTF(module: "kvm").map(KernelLayout.init) ?? KernelLayout()
    }

    private init() {}

    init(_ description: BTF) throws {
        for (function, parameters) in [
            ("mark_page_dirty_in_slot", ["kvm", "memslot", "gfn"]),
            ("kvm_arch_mmu_enable_log_dirty_pt_masked", ["kvm", "slot", "gfn_offset", "mask"]),
        ] where description.takes(function, parameters) == false {
            throw AttachError(
                "This kernel's \(function) takes other arguments than dirtyrec knows; please report this kernel, and use a dirty ring meanwhile."
            )
        }
        guard
            let slot = description.offsets(
                of: "kvm_memory_slot", ["base_gfn", "npages", "userspace_addr", "flags", "id", "as_id"]),
            let processor = description.offsets(of: "kvm_vcpu", ["kvm", "vcpu_id"]),
            let base = slot["base_gfn"], let pages = slot["npages"], let host = slot["userspace_addr"],
            let flags = slot["flags"], let id = slot["id"], let space = slot["as_id"], let vm = processor["kvm"],
            let vcpu = processor["vcpu_id"]
        else {
            throw AttachError(
                "This kernel's memory slots have a form that dirtyrec does not know; please report this kernel, and use a dirty ring meanwhile."
            )
        }
        (self.base, self.pages, self.host) = (base, pages, host)
        (self.flags, self.id, self.space, self.vm, self.vcpu) = (flags, id, space, vm, vcpu)
        protection = description.offsets(of: "kvm", ["manual_dirty_log_protect"])?.values.first
        logging = description.offsets(of: "kvm", ["nr_memslots_dirty_logging"])?.values.first
        range =
            description.takes("kvm_unmap_gfn_range", ["kvm", "range"]) == false
            ? nil : description.offsets(of: "kvm_gfn_range", ["slot"])?.values.first
        isDescribed = true
    }
}

/// A probe of ours on a function of the kernel.
struct Probe {
    let event: EventDecoder.Probe
    /// Functions that do, the first that there is counts.
    let functions: [String]
    /// What the probe shows, as `kprobe_events` wants it.
    let arguments: String

    /// The probe on what sets a VM's memory slots; newest kernels last. All take the VM and then the region.
    static func slot(_ layout: KernelLayout? = nil) -> Probe {
        Probe(
            event: .slot, functions: ["__kvm_set_memory_region", "kvm_set_memory_region"],
            arguments:
                "slot=+0($arg2):u32 flags=+4($arg2):u32 gpa=+8($arg2):u64 size=+16($arg2):u64 host=+24($arg2):u64"
                + (layout.map { " kvm=$arg1:x64" + protection($0, "$arg1") } ?? ""))
    }

    /// The probes of bitmap mode.
    static func bitmap(_ layout: KernelLayout, times: Bool) -> [Probe] {
        let number = "id=+\(layout.id)($arg2):u16 as=+\(layout.space)($arg2):u16"
        let place = "base=+\(layout.base)($arg2):u64 pages=+\(layout.pages)($arg2):u64"
        var probes = [
            slot(layout),
            Probe(
                event: .mask, functions: ["kvm_arch_mmu_enable_log_dirty_pt_masked"],
                arguments: "kvm=$arg1:x64 \(number) \(place) off=$arg3:u64 mask=$arg4:x64"),
            Probe(
                event: .sync, functions: ["kvm_arch_sync_dirty_log"],
                arguments: "kvm=$arg1:x64 \(number) \(place) host=+\(layout.host)($arg2):x64"
                    + protection(layout, "$arg1")),
            Probe(event: .ioctl, functions: ["kvm_vm_ioctl"], arguments: "cmd=$arg2:x32"),
            enter(layout),
        ]
        if times {
            probes.append(
                Probe(
                    event: .mark, functions: ["mark_page_dirty_in_slot"],
                    arguments: "kvm=$arg1:x64 gfn=$arg3:u64 fl=+\(layout.flags)($arg2):u32 \(number)"))
        }
        return probes
    }

    /// Any function of a vCPU's thread that gets the vCPU does; these do whenever it enters the guest.
    private static func enter(_ layout: KernelLayout) -> Probe {
        let logs = layout.logging.map { " logs=+\($0)(+\(layout.vm)($arg1)):s32" } ?? ""
        return Probe(
            event: .enter, functions: ["vmx_vcpu_run", "svm_vcpu_run", "pvm_vcpu_run", "kvm_arch_vcpu_load"],
            arguments: "kvm=+\(layout.vm)($arg1):x64 vcpu=+\(layout.vcpu)($arg1):s32" + logs)
    }

    /// The probes of a VM that logs nothing.
    ///
    /// - Throws: ``AttachError`` where the kernel's KVM is another one than we know.
    static func soft(_ layout: KernelLayout) throws -> [Probe] {
        guard let range = layout.range else {
            throw AttachError(
                "This kernel's kvm_unmap_gfn_range takes other arguments than dirtyrec knows; please report this kernel."
            )
        }
        func field(_ place: Int) -> String { "+\(place)(+\(range)($arg2))" }
        return [
            slot(layout),
            Probe(
                event: .unmap, functions: ["kvm_unmap_gfn_range"],
                arguments: "kvm=$arg1:x64 id=\(field(layout.id)):u16 as=\(field(layout.space)):u16 "
                    + "flags=\(field(layout.flags)):u32 base=\(field(layout.base)):u64 "
                    + "pages=\(field(layout.pages)):u64 host=\(field(layout.host)):x64"),
            enter(layout),
        ]
    }

    private static func protection(_ layout: KernelLayout, _ vm: String) -> String {
        layout.protection.map { " protect=+\($0)(\(vm)):u64" } ?? ""
    }
}

extension Tracefs {
    /// The group of this process's probes.
    static var ownGroup: String { "\(prefix)_\(getpid())" }

    /// Puts a probe on the first of its functions that there is.
    ///
    /// - Returns: whether that was possible.
    func add(_ probe: Probe) -> Bool {
        let event = probe.event.rawValue
        return probe.functions.contains { function in
            let line = "p:\(Self.ownGroup)/\(event) \(function) \(probe.arguments)\n"
            return (try? Files.write(line, to: root + "/kprobe_events", append: true)) != nil
                && Files.exists(root + "/events/\(Self.ownGroup)/\(event)/format")
        }
    }

    /// Why a probe that is needed cannot be.
    func refusal(of probe: Probe, for plan: EventPlan) -> AttachError {
        let function = probe.functions.last ?? ""
        if case .soft = plan {
            let reason =
                Files.exists(root + "/kprobe_events")
                ? "this kernel lets no probe be put on \(function); is KVM older than Linux 5.12?"
                : "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)"
            return AttachError("Without a probe the VM's memory slots cannot be seen, and \(reason).")
        }
        if !Files.exists(root + "/kprobe_events") {
            return AttachError(
                "This VM has no dirty ring, and this kernel has no kprobes (CONFIG_KPROBE_EVENTS) to see its bitmaps by; start the VMM with a ring."
            )
        }
        return AttachError(
            "This VM has no dirty ring, and this kernel lets no probe be put on \(function) to see its bitmaps by; is KVM older than Linux 5.12?"
        )
    }

    /// How often probes of this process were not counted because another one was at work.
    var missedProbes: Int64 {
        // The two files have the same probes in the same order.
        let events = (try? Files.read(root + "/kprobe_events"))?.split(separator: "\n") ?? []
        let counts = (try? Files.read(root + "/kprobe_profile"))?.split(separator: "\n") ?? []
        guard events.count == counts.count else { return 0 }
        return zip(events, counts).reduce(0) { sum, pair in
            guard pair.0.contains(":\(Self.ownGroup)/") else { return sum }
            return sum + (pair.1.split(separator: " ").last.flatMap { Int64($0) } ?? 0)
        }
    }
}
