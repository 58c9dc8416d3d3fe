import Foundation
import Import
import Model
import Testing

@testable import Attach

@Suite struct `Recording buffers` {
    private func buffers(
        ring: Int?, cpus: Int, used: Range<Int>? = nil, hostGiB: Int = 64, asked: Int? = nil
    ) -> TraceBuffers {
        TraceBuffers(
            ringEntries: ring, online: Set(0..<cpus), used: Set(used ?? 0..<cpus), hostKiB: hostGiB << 20,
            asked: asked)
    }

    @Test func `are as large as a ring and a rate need`() {
        #expect(buffers(ring: 256, cpus: 4).kibibytes == 144)
        #expect(buffers(ring: 4096, cpus: 4).kibibytes == 2304)
        // 100,000 pushes fit between two looks, however large the ring is.
        #expect(buffers(ring: 1 << 16, cpus: 4).kibibytes == 3515)
        // A bitmap is never full.
        #expect(buffers(ring: nil, cpus: 4).kibibytes == 4296)
    }

    @Test func `lie on the CPUs where the VMM may run`() {
        let pinned = buffers(ring: 4096, cpus: 256, used: 8..<16)
        #expect(pinned.cpus == Set(8..<16))
        #expect(pinned.total == 8 * 2304)
        #expect(buffers(ring: 4096, cpus: 4).cpus == nil)
    }

    @Test func `take a small part of the host at most`() {
        let many = buffers(ring: 1 << 16, cpus: 256, hostGiB: 8)
        #expect(many.total <= (8 << 20) / 32)
        #expect(buffers(ring: 1 << 16, cpus: 4096, hostGiB: 1).kibibytes == TraceBuffers.smallest)
    }

    @Test func `are what the user asks for`() {
        #expect(buffers(ring: 256, cpus: 256, hostGiB: 1, asked: 16 << 10).kibibytes == 16 << 10)
    }

    @Test func `know the kernel's lists of CPUs`() {
        #expect(CPUList("0-3,8\n")?.cpus == [0, 1, 2, 3, 8])
        #expect(CPUList("\t5")?.cpus == [5])
        #expect(CPUList("") == CPUList(" \n"))
        #expect(CPUList("3-1") == nil)
    }
}

@Suite struct `Threads of a VMM` {
    @Test func `are followed when they come later`() throws {
        // A process of its own: threads of the test's come and go all the time.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            "import sys, threading; print(1, flush=True); sys.stdin.readline(); "
                + "t = threading.Thread(target=sys.stdin.read); t.start(); print(t.native_id, flush=True); t.join()",
        ]
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        defer { kill(process.processIdentifier, SIGKILL) }
        func line() -> String {
            var text = ""
            while !text.hasSuffix("\n") {
                let more = output.fileHandleForReading.availableData
                if more.isEmpty { break }
                text += String(decoding: more, as: UTF8.self)
            }
            return text
        }
        #expect(line() == "1\n")
        var threads = Threads(of: process.processIdentifier)
        #expect(threads.current == [Int(process.processIdentifier)])
        try input.fileHandleForWriting.write(contentsOf: Data("go\n".utf8))
        let new = try #require(Int(line().prefix { $0.isNumber }))
        let isNew = threads.refresh()
        #expect(isNew)
        #expect(threads.current.contains(new))
        let (isOurs, isForeign) = (threads.contains(new), !threads.contains(1))
        #expect(isOurs && isForeign)
    }
}

@Suite struct `A vCPU that is plugged in` {
    private func push(_ ring: Int, _ ns: Int64, _ number: UInt32) -> RingEvent {
        RingEvent(
            ns: ns, pid: 1, ring: ring,
            kind: .push(slot: 1, offset: UInt64(number), dirty: number, reset: 0))
    }

    @Test func `is followed, and what was missed of it is a loss`() throws {
        var assembler = Assembler(vcpuCount: 1, mayGrow: true, intervalNs: 0, startNs: 0)
        _ = try assembler.add(push(0, 1, 7))
        _ = try assembler.add(push(2, 2, 4))
        #expect(assembler.vcpuCount == 3)
        let batch = assembler.finish(at: 3)
        #expect(batch.harvests.map(\.harvest.vcpu) == [0, 2])
        #expect(batch.losses.map(\.entries) == [3])
        #expect(batch.losses.map(\.vcpu) == [2])
        // A trace names its rings before it is read.
        var fixed = Assembler(vcpuCount: 1, intervalNs: 0, startNs: 0)
        #expect(throws: Assembler.Contradiction.self) { try fixed.add(push(1, 1, 1)) }
    }
}
