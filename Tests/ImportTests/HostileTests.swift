import Foundation
import Model
import TestSupport
import Testing

@testable import Import

@Suite struct `Imported traces` {
    @Test func `as text give every event`() throws {
        let file = try ScratchFile(HonestFile.events)
        let source = try ImportFormat.open(file.path)
        #expect(source.info.vcpuCount == 2)
        let batches = try source.readAll()
        let harvests = batches.flatMap(\.harvests)
        let window: GFN = 1 << 50 | 2 << 32
        #expect(harvests.map(\.gfns) == [[window + 0xa101, window + 0xa102], [window + 0x10], [window + 0x11]])
        #expect(harvests.map(\.harvest.cause) == [.ringFull, .periodic, .final])
        #expect(batches.flatMap(\.losses).map(\.entries) == [nil, 1])
        #expect(batches.first?.exactTimes[0] == [10_000_001_000, 10_000_003_000])
    }

    @Test func `of several guests need a choice`() throws {
        let two =
            HonestFile.events
            + " other-77 [001] d..1. 11.000001: kvm_dirty_ring_push: ring 0: dirty 0x1 reset 0x0 slot 2 offset 0x1 (used 1)\n"
        let file = try ScratchFile(two)
        let error = #expect(throws: ImportError.self) { try ImportFormat.open(file.path, as: .events) }
        #expect(error?.description.contains("--threads") == true)
        let chosen = try ImportFormat.open(file.path, threads: [77]).readAll()
        #expect(chosen.reduce(0) { $0 + $1.entryCount } == 1)
    }

    @Test func `of trace-cmd give every event`() throws {
        let file = try ScratchFile(bytes: HonestFile.traceDat)
        let batches = try ImportFormat.open(file.path).readAll()
        #expect(batches.flatMap(\.harvests).flatMap(\.gfns).map { $0 & 0xff } == [1, 2, 3, 4])
        #expect(batches.first?.exactTimes[0] == [1_000_005, 1_000_010, 1_002_005, 1_002_010])
        #expect(batches.flatMap(\.losses).isEmpty)
    }

    @Test func `of many CPUs are merged by time`() throws {
        // The second page, which is later, belongs to CPU 0.
        let cpus =
            [(offset: 131_072 + 4096, size: 4096), (offset: 131_072, size: 4096)] + (2..<4096).map { _ in (0, 0) }
        let file = try ScratchFile(bytes: HonestFile.traceDat(cpus: cpus))
        let batches = try ImportFormat.open(file.path).readAll()
        #expect(batches.flatMap(\.harvests).flatMap(\.gfns).map { $0 & 0xff } == [1, 2, 3, 4])
        #expect(batches.flatMap(\.losses).isEmpty)
    }

    @Test func `of QEMU's figure are rows beside ours`() throws {
        let json =
            #"{"return": {"status": "measured", "mode": "dirty-ring", "start-time": 1, "calc-time": 2, "dirty-rate": 19, "vcpu-dirty-rate": [{"id": 0, "dirty-rate": 19}]}}"#
        let file = try ScratchFile(json)
        let rates = try QEMUDirtyRate.read(file.path, since: 5)
        #expect(rates.map(\.vcpu) == [nil, 0])
        #expect(rates.map(\.bytesPerSecond) == [19 << 20, 19 << 20])
        #expect(rates.map(\.tsNs) == [2_000_000_005, 2_000_000_005])
    }
}

@Suite struct `Hostile files` {
    @Test(arguments: [
        (0..<4096).map { _ in (131_072, 8192) }, [(8192, 8192), (12_288, 4096)], [(12_288, 4096), (8192, 8192)],
    ])
    func `whose CPUs name the same bytes are refused`(cpus: [(Int, Int)]) throws {
        let file = try ScratchFile(bytes: HonestFile.traceDat(cpus: cpus.map { (offset: $0.0, size: $0.1) }))
        let error = #expect(throws: ImportError.self) { try ImportFormat.open(file.path) }
        #expect(error?.description.contains("overlap") == true, "\(error?.description ?? "")")
    }

    /// Reads a file to its end, or to its error.
    private func survives(_ bytes: [UInt8], _ format: ImportFormat) throws {
        let file = try ScratchFile(bytes: bytes)
        do {
            let source = try ImportFormat.open(file.path, as: format)
            var entries = 0
            while let batch = try source.next() {
                entries += batch.entryCount
                for (place, harvest) in batch.harvests.enumerated() {
                    #expect(harvest.harvest.sinceNs <= harvest.harvest.tsNs)
                    #expect(harvest.gfns.allSatisfy { $0 <= largestGFN })
                    if let times = batch.exactTimes[place] { #expect(times.count == harvest.gfns.count) }
                }
            }
            #expect(entries <= ImportLimits.entriesPerIteration * 4)
        } catch let error as ImportError {
            #expect(!error.description.contains("\n"))
            #expect(error.description.hasSuffix(".") || error.description.contains("trace-cmd"))
        }
    }

    @Test(arguments: [ImportFormat.text, .events, .traceCmd])
    func `end in one sentence`(format: ImportFormat) throws {
        var random = Seeded(9)
        let honest: [UInt8] =
            switch format {
            case .text: Array(HonestFile.text.utf8)
            case .events: Array(HonestFile.events.utf8)
            case .traceCmd: HonestFile.traceDat
            case .sparse, .images, .bitmaps: []
            }
        try survives(honest, format)
        for _ in 0..<1000 {
            var bytes = honest
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch UInt8.random(in: 0..<6, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0 ... .max, using: &random)
                case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes.removeLast(bytes.count - max(1, place))
                case 3: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
                case 4: bytes.removeSubrange(place..<min(bytes.count - 1, place + 8))
                default:
                    for next in place..<min(bytes.count, place + 8) { bytes[next] = 0xff }
                }
                if bytes.isEmpty { bytes = [0] }
            }
            try survives(bytes, format)
        }
    }

    @Test func `that end with lost events say so`() throws {
        let file = try ScratchFile(HonestFile.events + "CPU:1 [LOST 123 EVENTS]\n")
        let losses = try ImportFormat.open(file.path, as: .events).readAll().flatMap(\.losses)
        #expect(losses.last?.detail == "The trace lost 123 events on CPU 1.")
    }

    @Test(arguments: [
        "page-size 65536\nslot id=0 base=0 pages=2251799813685247",
        "slot id=0 base=0 pages=1125899906842624\nslot id=1 base=1125899906842624 pages=1125899906842624",
    ])
    func `with slots beyond any memory are added up without overflow`(head: String) throws {
        let file = try ScratchFile("dirtyrec-text 1\n\(head)\nharvest iteration=1 ts=1ms : 0x1\n")
        #expect(try ImportFormat.open(file.path, as: .text).info.memoryBytes == 1 << 60)
    }

    @Test func `without an end of line take no memory`() throws {
        let file = try ScratchFile(bytes: Array("dirtyrec-text 1\n".utf8) + [UInt8](repeating: 65, count: 20 << 20))
        let error = #expect(throws: ImportError.self) { try ImportFormat.open(file.path, as: .text).readAll() }
        #expect(error?.description.contains("16 MiB") == true)
    }
}
