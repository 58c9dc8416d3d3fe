import Foundation
import Platform
import TestSupport
import Testing

@testable import Attach

/// A QEMU of this machine. It has no KVM, without which QEMU 7.2 dies of `calc-dirty-rate`: measuring is in scripts/test-attach-bitmap and -libvirt.
@Suite(.enabled(if: BoundedProcess.find("qemu-system-x86_64") != nil, "needs qemu-system-x86_64 (rig/packages)"))
struct `QEMU's monitor` {
    private static func withQEMU(_ body: (QMP, Int32) throws -> Void) throws {
        try withFolder { folder in
            let qemu = Process()
            qemu.executableURL = URL(fileURLWithPath: try #require(BoundedProcess.find("qemu-system-x86_64")))
            qemu.arguments = [
                "-name", "guest=a,,b", "-accel", "tcg", "-m", "16", "-nodefaults", "-no-user-config", "-display",
                "none",
                "-qmp", "unix:\(folder)/qmp,server=on,wait=off",
            ]
            qemu.standardInput = FileHandle.nullDevice
            try qemu.run()
            defer { kill(qemu.processIdentifier, SIGKILL) }
            for _ in 0..<600 where (try? QMPSocket(folder + "/qmp")) == nil { usleep(100_000) }
            try body(QMP(QMPSocket(folder + "/qmp")), qemu.processIdentifier)
        }
    }

    @Test func `tells process, name and memory, and refuses what it does not know`() throws {
        try Self.withQEMU { (qmp, pid) throws in
            #expect(try qmp.process() == pid)
            #expect(qmp.guestName == "a,b")
            #expect(DirtyRateMeter(qmp, hasRings: false).memoryBytes == 16 << 20)
            let error = #expect(throws: AttachError.self) { try qmp.execute("nonsense") as QMP.Nothing }
            #expect(error?.description == "QEMU refused nonsense: The command nonsense has not been found")
        }
    }
}
