import Foundation
import Model
import Seeded
import Testing

@testable import Attach
@testable import Import

/// Files of every format, small and honest.
enum HonestFile {
    static let events = """
        # tracer: nop
         qemu-system-x86-123     [001] d..1.   10.000001: kvm_dirty_ring_push: ring 0: dirty 0x1 reset 0x0 slot 2 offset 0xa101 (used 1)
         qemu-system-x86-124     [000] d..1.   10.000002: kvm_dirty_ring_push: ring 1: dirty 0x1 reset 0x0 slot 2 offset 0x10 (used 1)
        CPU:0 [LOST 5 EVENTS]
         qemu-system-x86-123     [001] d..1.   10.000003: kvm_dirty_ring_push: ring 0: dirty 0x3 reset 0x0 slot 2 offset 0xa102 (used 3)
         qemu-system-x86-123     [001] d..1.   10.000004: kvm_dirty_ring_exit: vcpu 0
         qemu-system-x86-120     [000] d..1.   10.000900: kvm_dirty_ring_reset: ring 0: dirty 0x3 reset 0x3 (used 0)
         qemu-system-x86-120     [000] d..1.   10.000901: kvm_dirty_ring_reset: ring 1: dirty 0x1 reset 0x1 (used 0)
         CPU 1/KVM   124 [000]    10.200000123:     kvm:kvm_dirty_ring_push: ring 1: dirty 0x2 reset 0x1 slot 2 offset 0x11 (used 1)

        """

    /// What trace-cmd 3 writes: version 6, one CPU, two pages.
    static var traceDat: [UInt8] {
        typealias Records = `Trace records`
        func sized(_ text: String) -> [UInt8] { Records.little(UInt64(text.utf8.count)) + Array(text.utf8) }
        func page(_ ns: UInt64, _ records: [[UInt8]]) -> [UInt8] {
            let data = records.flatMap { Records.little(UInt32($0.count / 4) | UInt32(5) << 5) + $0 }
            let bytes = Records.little(ns) + Records.little(UInt64(data.count)) + data
            return bytes + [UInt8](repeating: 0, count: 4096 - bytes.count)
        }
        var file = TraceDat.magic + Array("6\0".utf8) + [0, 8] + Records.little(UInt32(4096))
        file += Array("header_page\0".utf8) + sized(Records.headerPage)
        file += Array("header_event\0".utf8) + sized("# compressed entry header")
        file += Records.little(UInt32(0))
        file += Records.little(UInt32(1)) + Array("kvm\0".utf8) + Records.little(UInt32(1)) + sized(Records.push)
        file += Records.little(UInt32(0)) + Records.little(UInt32(0)) + Records.little(UInt64(0))
        file += Records.little(UInt32(1)) + Array("options  \0".utf8) + Records.little(UInt16(4))
        file += Records.little(UInt32(5)) + Array("mono\0".utf8) + Records.little(UInt16(0))
        file += Array("flyrecord\0".utf8) + Records.little(UInt64(8192)) + Records.little(UInt64(8192))
        file += [UInt8](repeating: 0, count: 8192 - file.count)
        for number in [UInt32(0), 2] {
            file += page(
                1_000_000 + UInt64(number) * 1000,
                (1...2).map {
                    Records.record(pid: 9, ring: 0, dirty: number + $0, slot: 1, offset: UInt64(number + $0))
                })
        }
        return file
    }
}

@Suite struct `Imported traces` {
    @Test func `as text give every event`() throws {
        let file = try ScratchFile(HonestFile.events)
        #expect(ImportFormat.guess(file.path) == .events)
        let source = try ImportFormat.events.open(file.path)
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
        let error = #expect(throws: ImportError.self) { try ImportFormat.events.open(file.path) }
        #expect(error?.description.contains("--threads") == true)
        let chosen = try ImportFormat.events.open(file.path, threads: [77]).readAll()
        #expect(chosen.reduce(0) { $0 + $1.entryCount } == 1)
    }

    @Test func `of trace-cmd give every event`() throws {
        let file = try ScratchFile(bytes: HonestFile.traceDat)
        #expect(ImportFormat.guess(file.path) == .traceCmd)
        let batches = try ImportFormat.traceCmd.open(file.path).readAll()
        #expect(batches.flatMap(\.harvests).flatMap(\.gfns).map { $0 & 0xff } == [1, 2, 3, 4])
        #expect(batches.first?.exactTimes[0] == [1_000_005, 1_000_010, 1_002_005, 1_002_010])
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
    /// Reads a file to its end, or to its error.
    private func survives(_ bytes: [UInt8], _ format: ImportFormat) throws {
        let file = try ScratchFile(bytes: bytes)
        do {
            let source = try format.open(file.path)
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
            case .text: Array(`The text format`.sample.utf8)
            case .events: Array(HonestFile.events.utf8)
            case .traceCmd: HonestFile.traceDat
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
        let losses = try ImportFormat.events.open(file.path).readAll().flatMap(\.losses)
        #expect(losses.last?.detail == "The trace lost 123 events.")
    }

    @Test(arguments: [
        "page-size 65536\nslot id=0 base=0 pages=2251799813685247",
        "slot id=0 base=0 pages=2251799813685247\nslot id=1 base=0 pages=2251799813685247",
    ])
    func `with slots beyond any memory are added up without overflow`(head: String) throws {
        let file = try ScratchFile("dirtyrec-text 1\n\(head)\nharvest iteration=1 ts=1ms : 0x1\n")
        #expect(try TextFormat(path: file.path).info.memoryBytes == 1 << 60)
    }

    @Test func `without an end of line take no memory`() throws {
        let file = try ScratchFile(bytes: Array("dirtyrec-text 1\n".utf8) + [UInt8](repeating: 65, count: 20 << 20))
        let error = #expect(throws: ImportError.self) { try TextFormat(path: file.path).readAll() }
        #expect(error?.description.contains("16 MiB") == true)
    }
}
