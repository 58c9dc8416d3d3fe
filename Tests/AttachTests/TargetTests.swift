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

    /// What libvirt 9.0 starts, as far as it matters.
    private static func libvirt(_ name: String, key: String = "/var/lib/libvirt/qemu/domain-1-demo/master-key.aes")
        -> [String]
    {
        [
            "/usr/bin/qemu-system-x86_64", "-name", name, "-S", "-object",
            #"{"qom-type":"secret","id":"masterKey0","format":"raw","file":"\#(key)"}"#, "-uuid",
            "4450f417-f4d5-4d03-8f03-fe00a3f17f72", "-chardev", "socket,id=charmonitor,fd=18,server=on,wait=off",
            "-mon",
            "chardev=charmonitor,id=monitor,mode=control",
        ]
    }

    @Test func `is a domain of the system's libvirt if that has started it`() {
        #expect(HostGuest.domain(Self.libvirt("guest=demo,debug-threads=on")) == "demo")
        #expect(HostGuest.domain(Self.libvirt("guest=a,,b c,debug-threads=on")) == "a,b c")
        #expect(HostGuest.domain(Self.libvirt("guest=,debug-threads=on")) == nil)
        let session = Self.libvirt("guest=demo", key: "/home/me/.config/libvirt/qemu/lib/domain-1-demo/master-key.aes")
        #expect(HostGuest.domain(session) == nil)
        #expect(HostGuest.domain(["qemu-system-x86_64", "-name", "guest=demo", "-qmp", "unix:vm.sock,server"]) == nil)
        #expect(HostGuest.monitor(Self.libvirt("guest=demo")) == nil)
    }
}
