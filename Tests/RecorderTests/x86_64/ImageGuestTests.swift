import Foundation
import Guests
import KVM
import Model
import Platform
import Recorder
import Testing

@Suite(.serialized, .enabled(if: KVMSystem.isAvailable, "needs read-write access to /dev/kvm"))
struct `A kernel-mode image under KVM` {
    /// Sets the marker `hello`, writes a word to each of the 64 pages from 2 MiB on, and powers off.
    private static let image: [UInt8] =
        [
            0x48, 0x8d, 0x35, 50, 0, 0, 0,  // lea text(%rip), %rsi
            0xb9, 6, 0, 0, 0,  // mov $6, %ecx
            0xba, 0x00, 0x05, 0, 0,  // mov $0x500, %edx
            0xfc, 0xf3, 0x6e,  // cld; rep outsb
            0xbf, 0x00, 0x00, 0x20, 0x00,  // mov $0x200000, %edi
            0xb9, 64, 0, 0, 0,  // mov $64, %ecx
            0x48, 0x89, 0x3f,  // 1: mov %rdi, (%rdi)
            0x48, 0x81, 0xc7, 0x00, 0x10, 0, 0,  // add $4096, %rdi
            0xff, 0xc9, 0x75, 0xf2,  // dec %ecx; jnz 1b
            0xba, 0x04, 0x06, 0, 0,  // mov $0x604, %edx
            0xb8, 0x00, 0x20, 0, 0,  // mov $0x2000, %eax
            0x66, 0xef, 0xf4,  // out %ax, (%dx); hlt
        ] + Array("hello\n".utf8)

    private func withGuest(vcpus: Int, _ body: (LinuxGuest) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-\(UUID().uuidString)")
        try Data(Self.image).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        var plan = BootPlan(.image, path: file.path)
        plan.vcpus = vcpus
        plan.memory = 16 << 20
        try body(try LinuxGuest(plan) { _ in })
    }

    /// The second vCPU is never started: it waits inside `KVM_RUN`, and must leave it when it is stopped.
    @Test(arguments: [Source.dirtyRing, .dirtyLog, .clearLog], [1, 2])
    func `runs to its power-off`(source: Source, vcpus: Int) throws {
        try withGuest(vcpus: vcpus) { guest in
            var plan = RecordPlan()
            plan.source = source
            plan.mode = .paused
            plan.verify = true
            plan.slow = true
            plan.durationNs = 20_000_000_000
            let sink = ListSink()
            let outcome = try Recorder(plan: plan, guest: guest).run { _, _ in sink }
            #expect(outcome.reason == .guestExit)
            #expect(outcome.losses == [])
            #expect(outcome.verdicts.reduce(0) { $0 + $1.missing } == 0)
            #expect(sink.batches.flatMap(\.markers).map(\.text) == ["hello", "The guest powered off."])
            let dirty = Set(sink.batches.flatMap(\.harvests).flatMap { $0.1 })
            #expect(dirty.isSuperset(of: 0x200..<0x240))
        }
    }

    @Test(.enabled(if: Host().kvmModule == "kvm_pvm", "this host runs kernel mode"))
    func `is refused where kernel mode is emulated`() throws {
        try withGuest(vcpus: 1) { guest in
            let error = #expect(throws: RecordError.self) { try Recorder(plan: RecordPlan(), guest: guest) }
            #expect(error?.isHostLack == true)
            #expect(error?.description.contains("--slow") == true)
        }
    }
}
