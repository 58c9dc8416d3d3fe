import Testing

@testable import Attach

@Suite struct `A VMM` {
    @Test func `has rings of the size that it has mapped`() {
        let maps = """
            7f00-7f40 rw-s 00000000 00:0e 1056 anon_inode:kvm-vcpu:0
            7fe000000000-7fe000010000 rw-s 00040000 00:0e 1056                       anon_inode:kvm-vcpu:0
            """
        #expect(Target.ringEntries(maps) == 4096)
        #expect(Target.ringEntries("7f00-7f40 rw-s 00000000 00:0e 1056 anon_inode:kvm-vcpu:0") == nil)
    }
}
