import Foundation
import Model
import TestSupport
import Testing

@testable import Import

/// Logs of every tool: `Migrations`, whose README says how each was made.
@Suite struct `Migration logs` {
    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Migrations/\(name)").path
    }

    static let names = [
        "cloud-hypervisor.txt", "qemu-10.0-auto-converge.txt", "qemu-10.0-monitor.txt", "qemu-11.1-completed.json",
        "qemu-11.1-monitor.txt", "qemu-7.2-cancelled.json", "qemu-7.2-events.json", "qemu-7.2-failed.txt",
        "qemu-7.2-monitor.txt", "qm-6.txt", "qm-9.txt", "virsh-dirtyrate.txt", "virsh-domjobinfo-completed.txt",
        "virsh-domjobinfo.txt", "virt-launcher.json",
    ]

    private func read(_ name: String) throws -> [MigrationObservation] {
        try MigrationLog.read(Self.path(name)).observations
    }

    private func read(text: String) throws -> MigrationLog {
        let file = try ScratchFile(text)
        return try MigrationLog.read(file.path)
    }

    @Test(
        arguments: [
            ("cloud-hypervisor.txt", 7, "completed", 4, 2316 << 20),
            ("qemu-10.0-auto-converge.txt", 16, "active", 10, 156_872_785),
            ("qemu-11.1-completed.json", 1, "completed", 28, 107_286_949),
            ("qemu-7.2-events.json", 10, "completed", 4, 11_034_752),
            ("qemu-7.2-cancelled.json", 10, "cancelled", 3, 41_024_428), ("qm-6.txt", 6, "failed", nil, 470_699_126),
            ("qemu-7.2-failed.txt", 1, "failed", nil, nil), ("virsh-domjobinfo.txt", 6, "active", 3, 35_393_634),
            ("virt-launcher.json", 6, "active", 3, 33 << 20), ("virsh-dirtyrate.txt", 1, nil, nil, nil),
            ("qm-9.txt", 10, "completed", nil, 442_394_214),
        ] as [(String, Int, String?, Int64?, Int64?)])
    func `say how it went`(name: String, count: Int, state: String?, pass: Int64?, sent: Int64?) throws {
        let seen = try read(name)
        #expect(seen.count == count)
        #expect(seen.allSatisfy { $0.attempt == 1 })
        #expect(seen.compactMap(\.state).last == state)
        #expect(seen.compactMap(\.pass).max() == pass)
        #expect(seen.compactMap(\.transferredBytes).max() == sent)
    }

    /// What QEMU writes of one migration by text and by QMP, in three versions, means the same.
    @Test(arguments: ["7.2", "10.0", "11.1"]) func `of QEMU's monitor, old and new`(version: String) throws {
        let seen = try read("qemu-\(version)-monitor.txt")
        let first = try #require(seen.first)
        #expect((first.state, first.pass) == ("active", 1))
        // It was asked after 0.3 s.
        #expect((300_000_000..<400_000_000).contains(try #require(first.elapsedNs)))
        #expect((first.expectedDowntimeNs, first.pageBytes, first.tool) == (300_000_000, 4096, .qemu))
        let total = try #require(first.totalBytes)
        #expect(abs(total - 67_641_344) < 100_000)
        let sent = try #require(first.transferredBytes)
        let (normal, zero) = (try #require(first.normalPages), try #require(first.zeroPages))
        // A page goes whole and with 8 bytes, one of zeros with 9.
        #expect(abs(sent - normal * 4104 - zero * 9) < 1 << 16)
        #expect((4000...4100).contains(zero))
        let parameters = try #require(seen.last { $0.downtimeLimitNs != nil })
        #expect((parameters.downtimeLimitNs, parameters.bandwidthLimit) == (300_000_000, 16 << 20))
        let completed = try #require(seen.last { $0.isOver })
        #expect(completed.state == "completed" && completed.remainingBytes == 0)
        #expect(try #require(completed.downtimeNs) < 100_000_000)
        #expect(completed.other?.contains("precopy") == true)
    }

    @Test func `of libvirt have a rate in bytes`() throws {
        let seen = try read("virsh-domjobinfo.txt")
        #expect(seen.compactMap(\.dirtyBytesPerSecond).first.map { $0 % 4096 } == 0)
        #expect(seen.allSatisfy { $0.tool == .virsh && $0.other?.contains("Outgoing migration") == true })
        #expect(try read("virsh-domjobinfo-completed.txt").map(\.downtimeNs) == [3_000_000])
        #expect(try read("virsh-dirtyrate.txt").map(\.dirtyBytesPerSecond) == [9 << 20])
    }

    @Test func `of Cloud Hypervisor count whole passes`() throws {
        let seen = try read("cloud-hypervisor.txt")
        #expect(seen.compactMap(\.passBytes) == [1024 << 20, 512 << 20, 520 << 20, 260 << 20])
        #expect(seen.compactMap(\.downtimeLimitNs) == [300_000_000, 300_000_000])
        #expect(seen.last?.downtimeNs == 316_000_000)
        #expect(seen.first?.expectedDowntimeNs == nil)
        #expect(seen.map(\.tsNs).last == 1_355_911_000)
    }

    @Test func `have the time that stands before a line, in it, or alone before it`() throws {
        let answer = #"{"return": {"status": "active", "ram": {"transferred": 1}}}"#
        for text in [
            "1795956574.5 \(answer)\n1795956576.75 \(answer)\n",
            "2026-11-29T12:49:34.5Z \(answer)\n2026-11-29T13:49:36.75+01:00 \(answer)\n",
            "1795956574.5\n\(answer)\n1795956576.75\n\(answer)\n",
            #"{"time": 1795956574.5, "answer": \#(answer)}"# + "\n"
                + #"{"time": "2026-11-29 12:49:36.75Z", "answer": \#(answer)}"#,
        ] {
            let log = try read(text: text)
            #expect(log.observations.map(\.tsNs) == [0, 2_250_000_000], "\(text)")
            #expect(log.wallNs == 1_795_956_574_500_000_000)
        }
        // A zone that nobody names is no moment, but a clock.
        let local = try read(text: "[2026-11-29 12:49:34] \(answer)\n[2026-11-29 12:49:36] \(answer)\n")
        #expect(local.observations.map(\.tsNs) == [0, 2_000_000_000])
        #expect(local.wallNs == nil)
        #expect(try read(text: "\(answer)\n").observations.map(\.tsNs) == [nil])
    }

    @Test func `of several migrations are told apart`() throws {
        func answer(_ state: String, _ ms: Int) -> String { #"{"status": "\#(state)", "total-time": \#(ms)}"# + "\n" }
        let log = try read(
            text: answer("active", 1) + answer("cancelled", 5) + answer("cancelled", 5) + answer("setup", 0)
                + answer("active", 9)
                + answer("active", 2))
        #expect(log.observations.map(\.attempt) == [1, 1, 1, 2, 2, 3])
    }

    @Test func `keep what they do not know, within bounds`() throws {
        let known = try read(text: #"{"status": "active", "new-figure": {"a": [1, null]}, "socket-address": "x"}"#)
        #expect(known.observations.map(\.other) == [#"{"new-figure":{"a":[1,null]},"socket-address":"x"}"#])
        let many = (0..<1000).map { #""n\#($0)": "\#(String(repeating: "\\u0001", count: 20))""# }.joined(
            separator: ",")
        let other = try #require(try read(text: #"{"status": "active", \#(many)}"#).observations[0].other)
        #expect(other.utf8.count <= MigrationObservation.longestOther)
        #expect(other.contains("\"left out\":"))
    }

    @Test(arguments: [
        (#"{"status": "active", "total-time": -1}"#, nil as Int64?),
        (#"{"status": "active", "total-time": 1e300}"#, nil),
        (#"{"status": "active", "total-time": "12"}"#, nil), (#"{"status": "active", "total-time": 12}"#, 12_000_000),
        (#"{"status": "active", "total-time": 1152921504607}"#, nil),
    ])
    func `take no figure that cannot be`(text: String, elapsed: Int64?) throws {
        #expect(try read(text: text).observations.map(\.elapsedNs) == [elapsed])
    }

    @Test(arguments: [
        ("", "says nothing of a migration"), ("hello\n", "docs/import.md"), ("{}\n", "says nothing"),
        (#"{"return": {"status": "running", "running": true}}"#, "says nothing"),
        ("Migration status: none\n", "says nothing"),
        (#"{"status": "active","#, "ends within its JSON"),
        (String(repeating: "{\"a\":", count: 200), "nested deeper than 64"),
        (#"{"a": ""# + String(repeating: "x", count: 2 << 20), "longer than 1 MiB"),
        (String(repeating: #"{"status": "active"}"#, count: 70_000), "more than 65536 observations"),
    ])
    func `that say nothing, or too much, are refused in one sentence`(text: String, reason: String) throws {
        let error = #expect(throws: ImportError.self) { try read(text: text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.hasSuffix(".") == true && error?.description.contains("\n") == false)
    }

    @Test(arguments: names) func `that are damaged give an observation or a sentence`(name: String) throws {
        let honest = try Array(Data(contentsOf: URL(fileURLWithPath: Self.path(name))))
        var random = Seeded(UInt64(name.utf8.count))
        for _ in 0..<60 {
            var bytes = honest
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch UInt8.random(in: 0..<6, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0 ... .max, using: &random)
                case 1: bytes.removeLast(bytes.count - max(1, place))
                case 2: bytes.insert(contentsOf: bytes[place...].prefix(200), at: place)
                case 3: bytes.removeSubrange(place..<min(bytes.count - 1, place + 20))
                case 4:
                    bytes.replaceSubrange(
                        place...place,
                        with: ["9223372036854775807", "1e999", "-1", "00", "\n"].randomElement(using: &random)!.utf8)
                default: for next in place..<min(bytes.count, place + 8) { bytes[next] = 0xff }
                }
                if bytes.isEmpty { bytes = [0] }
            }
            let file = try ScratchFile(bytes: bytes)
            do throws(ImportError) {
                let log = try MigrationLog.read(file.path)
                #expect(log.observations.allSatisfy { $0.throttlePercent ?? 0 <= 100 && $0.elapsedNs ?? 0 <= 1 << 60 })
                #expect(log.observations.allSatisfy { $0.other?.utf8.count ?? 0 <= MigrationObservation.longestOther })
                #expect(log.endNs >= 0)
            } catch { #expect(!error.description.contains("\n")) }
        }
    }
}
