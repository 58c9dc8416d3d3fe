import KVM
import Model
import Testing

@testable import Recorder

struct HostTests {
    /// Kernels that the rig boots, and what KVM does in each: seen there on kvm_amd, on kvm_intel with PML for the last column.
    @Test(arguments: [
        ("6.1.0-56-cloud-amd64", "completes", "reversed"),
        ("6.12.117+deb12-cloud-amd64", "completes", "reversed"),
        ("6.18.15+deb13-cloud-amd64", "ends early", "write order"),
        ("7.3.4+deb13-cloud-amd64", "ends early", "write order"),
    ])
    func `what is known of a kernel`(kernel: String, reset: String, order: String) throws {
        func found(_ name: String, pml: Bool?) -> HostFindings.Finding? {
            KernelFact.all.compactMap { $0.finding(kernel: kernel, pml: pml) }.first { $0.name == name }
        }
        #expect(found("reset and signals", pml: false)?.value == reset)
        #expect(found("order of PML", pml: true)?.value == order)
        // Without PML its order says nothing.
        #expect(found("order of PML", pml: false) == nil)
        #expect(found("order of PML", pml: nil) == nil)
        let note = try #require(found("order of PML", pml: true)?.note)
        #expect(note.hasSuffix("(\(order == "reversed" ? "before" : "since") Linux 6.14, 37c3ddfe5238)"))
    }

    @Test func `releases are compared as numbers`() throws {
        #expect(try #require(KernelRelease("6.9.1")) < #require(KernelRelease("6.14-rc1")))
        #expect(try #require(KernelRelease("5.19.0")) < #require(KernelRelease("6.1.0-57-cloud-amd64")))
        #expect(KernelRelease("mine") == nil)
        #expect(KernelFact.all.allSatisfy { $0.finding(kernel: "", pml: true) == nil })
    }

    @Test func `a ring that PML's batches do not fit into is refused with the number that works`() throws {
        #expect(throws: Never.self) { try Machine.check(ringEntries: 256, pml: false) }
        #expect(throws: Never.self) { try Machine.check(ringEntries: 1024, pml: true) }
        let error = #expect(throws: RecordError.self) { try Machine.check(ringEntries: 512, pml: true) }
        #expect(try #require(error).description.contains("use at least 1024"))
        // The reserve must leave room.
        for pml in [false, true] {
            let least = RingLimits.least(pml: pml)
            #expect(RingLimits.softLimit(ringEntries: least, pml: pml) > 0)
            #expect(!pml || RingLimits.softLimit(ringEntries: least / 2, pml: pml) <= 0)
        }
    }
}
