import Foundation
import Model
import TestSupport
import Testing

@testable import Import

/// Inputs in the forms that ftrace, trace-cmd, perf and libvirt really write: `Cases`.
@Suite struct `Inputs that people have` {
    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases/\(name)").path
    }

    private struct Entry: Equatable {
        var vcpu: Int?
        var offset: GFN
        var ns: Int64
    }

    private func entries(_ batches: [IterationBatch]) -> [Entry] {
        batches.flatMap { batch in
            batch.harvests.enumerated().flatMap { place, harvest in
                zip(harvest.gfns, batch.exactTimes[place] ?? []).map { gfn, ns in
                    Entry(vcpu: harvest.harvest.vcpu, offset: gfn & 0xffff_ffff, ns: ns)
                }
            }
        }.sorted { $0.ns < $1.ns }
    }

    private func read(_ name: String, threads: Set<Int> = []) throws -> [IterationBatch] {
        try ImportFormat.open(Self.path(name), threads: threads).readAll()
    }

    @Test func `the trace of the ring's first review`() throws {
        let batches = try read("ring-rfc.txt")
        #expect(entries(batches).map(\.offset) == [0x37e, 0x37f, 0x380])
        #expect(entries(batches).allSatisfy { $0.vcpu == 1 })
        let harvests = batches.flatMap(\.harvests).map(\.harvest)
        #expect(harvests.map(\.cause) == [.ringFull, .final])
        #expect(harvests.map(\.entryCount) == [2, 1])
        #expect(batches.flatMap(\.losses).isEmpty)
    }

    @Test func `threads whose names hold blanks, or are unknown`() throws {
        let batches = try read("thread-with-blank.txt")
        #expect(entries(batches).map(\.vcpu) == [0, 0, 1])
        #expect(batches.flatMap(\.harvests).map(\.harvest.cause) == [.periodic, .final])
        #expect(try read("thread-with-blank.txt", threads: [170, 172]).flatMap(\.harvests).map(\.gfns.count) == [1])
    }

    @Test(arguments: ["long-flags.txt", "tgid.txt", "perf-no-cpu.txt", "raw-fields.txt"])
    func `columns that options add or leave out`(name: String) throws {
        let batches = try read(name)
        let expected = [
            Entry(vcpu: 0, offset: 36_964, ns: 81_190_920_000), Entry(vcpu: 0, offset: 36_965, ns: 81_190_953_000),
        ]
        #expect(entries(batches) == expected)
        #expect(batches.flatMap(\.losses).isEmpty)
    }

    @Test func `perf's process and thread, and nanoseconds`() throws {
        #expect(entries(try read("perf-pid-tid.txt", threads: [4713])).map(\.ns) == [81_190_920_123, 81_190_953_456])
        #expect(throws: ImportError.self) { try read("perf-pid-tid.txt", threads: [4711]) }
    }

    @Test func `tabs instead of blanks`() throws {
        #expect(entries(try read("tabs.txt")) == [Entry(vcpu: 0, offset: 36_964, ns: 81_190_920_000)])
    }

    @Test func `events that trace-cmd says were dropped`() throws {
        let losses = try read("dropped.txt").flatMap(\.losses)
        #expect(losses.map(\.entries) == [nil, 42])
        #expect(losses.map(\.vcpu) == [nil, 0])
        #expect(losses.first?.detail == "The trace lost 42 events on CPU 0.")
        // Without a gap in the numbers the line is still a loss.
        let text = try String(contentsOfFile: Self.path("dropped.txt"), encoding: .utf8).replacing("0x2c", with: "0x2")
        let file = try ScratchFile(text)
        #expect(
            try ImportFormat.open(file.path).readAll().flatMap(\.losses).map(\.detail) == [
                "The trace lost 42 events on CPU 0."
            ])
    }

    @Test(arguments: [
        ("CPU:3 [LOST 7 EVENTS]", "The trace lost 7 events on CPU 3."),
        ("CPU:3 [LOST EVENTS]", "The trace lost an unknown number of events on CPU 3."),
        ("CPU:3 [EVENTS DROPPED]", "The trace lost an unknown number of events on CPU 3."),
        ("LOST 8 events!", "The trace lost 8 events."),
    ])
    func `losses in the words of every tool`(line: String, sentence: String) throws {
        let text = try String(contentsOfFile: Self.path("tabs.txt"), encoding: .utf8) + line + "\n"
        let file = try ScratchFile(text)
        #expect(try ImportFormat.open(file.path).readAll().flatMap(\.losses).map(\.detail) == [sentence])
    }

    @Test func `relative times are refused by the option's name`() throws {
        let error = #expect(throws: ImportError.self) { try read("latency-format.txt") }
        #expect(error?.description.contains("latency-format") == true)
        #expect(error?.description.contains("line 1") == true)
    }

    @Test func `page sampling is kept apart from entries`() throws {
        let rates = try QEMUDirtyRate.read(Self.path("rate-page-sampling.json"), since: 5)
        #expect(rates.map(\.tool) == ["qemu calc-dirty-rate page-sampling"])
        #expect(rates.map(\.counts) == [.sampledPages])
        #expect(rates.map(\.tsNs) == [1_000_000_005])
    }

    @Test func `a window in milliseconds is as long as it says`() throws {
        let rates = try QEMUDirtyRate.read(Self.path("rate-milliseconds.json"), since: 0)
        #expect(rates.map(\.vcpu) == [nil, 0, 1])
        #expect(rates.map(\.tsNs) == [1_000_000_000, 1_000_000_000, 1_000_000_000])
        #expect(rates.allSatisfy { $0.counts == .entries })
    }

    @Test(arguments: [
        ([0x1f, 0x8b, 8, 0], "gzip"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0], "xz"),
        ([0x28, 0xb5, 0x2f, 0xfd, 4], "zstd"),
        ([0xff, 0xfe, 0x64, 0], "UTF-16"), ([0xfe, 0xff, 0, 0x64], "UTF-16"),
        (Array("d\0i\0r\0t\0y\0".utf8), "UTF-16"), (Array("PERFILE2".utf8), "perf script"),
        (Array("SQLite format 3\0".utf8), "database"),
    ])
    func `what is no input is named, with what to do`(bytes: [UInt8], name: String) throws {
        let file = try ScratchFile(bytes: bytes)
        for format in ImportFormat.allCases.map(Optional.some) + [nil] {
            let error = #expect(throws: ImportError.self) { try ImportFormat.open(file.path, as: format) }
            #expect(error?.description.contains(name) == true, "\(error?.description ?? "")")
        }
        #expect(throws: ImportError.self) { try QEMUDirtyRate.read(file.path, since: 0) }
    }

    @Test(arguments: ["trace.dat", "events", "text"])
    func `a pipe gives what a file gives`(kind: String) throws {
        let bytes =
            switch kind {
            case "trace.dat": HonestFile.traceDat
            case "events": Array(HonestFile.events.utf8)
            default: Array(HonestFile.text.utf8)
            }
        let pipe = Pipe()
        let writer = Thread {
            try? pipe.fileHandleForWriting.write(contentsOf: Data(bytes)); try? pipe.fileHandleForWriting.close()
        }
        writer.start()
        let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        let piped = try ImportFormat.open(path).readAll()
        let file = try ScratchFile(bytes: bytes)
        #expect(
            piped.map { $0.harvests.map(\.gfns) }
                == (try ImportFormat.open(file.path).readAll().map { $0.harvests.map(\.gfns) }))
        #expect(!piped.isEmpty)
    }
}
