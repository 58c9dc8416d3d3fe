import Foundation
import Platform
import TestSupport
import Testing

@testable import Attach

/// What becomes of a virsh that fails, in the words of Debian's libvirt 9.0; one that works is in scripts/test-attach-libvirt.
@Suite struct `virsh` {
    /// A program in the place of virsh.
    private static func program(_ folder: String, _ body: String) throws -> String {
        let path = folder + "/virsh"
        try "#!/bin/sh\n\(body)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    private static func ask(_ body: String, domain: String = "demo", limitNs: Int64 = 20_000_000_000) throws {
        try withFolder { folder in
            let virsh = try Virsh(domain: domain, program: program(folder, body), limitNs: limitNs)
            let _: QMP.Nothing = try QMP(virsh).execute("query-status")
        }
    }

    @Test(arguments: [
        (
            "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
            "virsh cannot reach QEMU of domain 'demo': failed to connect to the hypervisor: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory. Start libvirtd"
        ),
        ("error: failed to get domain 'demo'", "See which there are with: virsh list --all"),
        ("error: Requested operation is not valid: domain is not running", "Start it with: virsh start demo"),
        (
            "error: this function is not supported by the connection driver: virDomainQemuMonitorCommand",
            "It is no guest of QEMU"
        ),
        (
            "error: Timed out during operation: cannot acquire state change lock (held by monitor=qemuDispatchDomainMonitorCommand)",
            "a domain that migrates logs its pages anyhow"
        ),
        ("something else\nlast words", ": last words. Try: virsh domstate demo"),
        ("", "it says nothing; exit status 1. Try"),
    ])
    func `that refuses is quoted, with what to do`(said: String, sentence: String) throws {
        let error = #expect(throws: AttachError.self) { try Self.ask("cat >&2 <<'END'\n\(said)\nEND\nexit 1") }
        #expect(error?.description.contains(sentence) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: ["demo", "a b", "it's \"one\"", "--help", "-x", "$(touch F)", "ünï,=code", "\u{1b}[31m"])
    func `gets a domain's name as one word, whatever it is`(domain: String) throws {
        try withFolder { folder in
            let path = try Self.program(
                folder, #"printf '%s\n' "$#" "$@" >"$0.words"; echo '{"return":{},"id":"libvirt-7"}'"#)
            let _: QMP.Nothing = try QMP(Virsh(domain: domain, program: path)).execute("query-status")
            let words = try String(contentsOfFile: path + ".words", encoding: .utf8)
            #expect(
                words == "4\n--quiet\nqemu-monitor-command\n--domain=\(domain)\n{\"execute\":\"query-status\"}\n")
        }
        let error = #expect(throws: AttachError.self) {
            try Self.ask("echo 'error: domain is not running' >&2; exit 1", domain: "-x")
        }
        #expect(error?.description.hasSuffix("virsh start --domain=-x") == true)
    }

    @Test func `that hangs is ended, with what it has started`() throws {
        try withFolder { folder in
            let path = try Self.program(folder, "sleep 1000 & echo $! >\"$0.pid\"; wait")
            let start = monotonicNow()
            let error = #expect(throws: AttachError.self) {
                try QMP(Virsh(domain: "demo", program: path, limitNs: 1_000_000_000)).execute("stop") as QMP.Nothing
            }
            #expect(monotonicNow() - start < 15_000_000_000)
            #expect(error?.description.contains("has not answered for domain 'demo' in 1 s") == true)
            let child = try #require(
                Int32(
                    String(contentsOfFile: path + ".pid", encoding: .utf8).trimmingCharacters(
                        in: .whitespacesAndNewlines)))
            let isGone = {
                (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8))?.contains(") Z ") ?? true
            }
            for _ in 0..<100 where !isGone() { usleep(50_000) }
            #expect(isGone())
        }
    }

    @Test func `that ends, and leaves somebody behind who keeps its output open, is waited for no longer than that`()
        throws
    {
        let error = #expect(throws: AttachError.self) { try Self.ask("sleep 1000 & echo '{}'", limitNs: 1_000_000_000) }
        #expect(error?.description.contains("has not answered") == true)
    }

    @Test(arguments: [
        ("while :; do echo 'no end no end no end no end no end'; done", "says more than any answer"),
        ("echo hello", "virsh does not speak QMP: 'hello"),
        ("true", "virsh does not speak QMP: ''"),
        (
            #"echo '{"id":"libvirt-419","error":{"class":"CommandNotFound","desc":"not found"}}'"#,
            "QEMU refused query-status: not found"
        ),
        (#"echo '{"id":"libvirt-420"}'"#, "QEMU's answer to query-status is none"),
        ("kill -9 $$", "it was ended by signal 9"),
    ])
    func `that answers otherwise than libvirt's does is an error`(body: String, sentence: String) throws {
        let error = #expect(throws: AttachError.self) { try Self.ask(body) }
        #expect(error?.description.contains(sentence) == true, "\(error?.description ?? "")")
    }

    @Test func `is looked for on the PATH`() throws {
        try withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/a/virsh", withIntermediateDirectories: true)
            #expect(BoundedProcess.find("virsh", in: "\(folder)/a:\(folder)/none") == nil)
            let path = try Self.program(folder, "true")
            #expect(BoundedProcess.find("virsh", in: "\(folder)/a:\(folder)") == path)
        }
        let error = #expect(throws: AttachError.self) { try Virsh(domain: "demo", program: nil) }
        #expect(error?.description.hasPrefix("There is no virsh on the PATH: install it") == true)
    }

    @Test func `tells QEMU's process by a thread of a vCPU and the UUID`() throws {
        // A process that lives, with words on its command line, asked for by its first thread.
        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/bin/sh")
        other.arguments = ["-c", "read line", "sh", "-uuid", "4450f417-f4d5-4d03-8f03-fe00a3f17f72"]
        other.standardInput = Pipe()
        try other.run()
        defer { other.terminate() }
        func process(_ uuid: String) throws -> Int32 {
            try withFolder { folder in
                let path = try Self.program(
                    folder,
                    #"case $4 in *cpus*) echo '{"return":[{"thread-id":\#(other.processIdentifier),"cpu-index":0}]}' ;; *) echo '{"return":{"UUID":"\#(uuid)"}}' ;; esac"#
                )
                return try QMP(Virsh(domain: "demo", program: path)).process()
            }
        }
        #expect(try process("4450F417-F4D5-4D03-8F03-FE00A3F17F72") == other.processIdentifier)
        let error = #expect(throws: AttachError.self) { try process("00000000-0000-4000-8000-000000000000") }
        #expect(error?.description.contains("run dirtyrec on the host of the guest") == true)
    }
}
