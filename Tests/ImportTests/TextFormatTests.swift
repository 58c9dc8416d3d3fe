import Attach
import Foundation
import Import
import Model
import Testing

/// A file with a text in it that goes away with the test.
final class ScratchFile {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-\(UUID().uuidString)").path
    init(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
    init(bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension ImportSource {
    /// All iterations.
    func readAll() throws -> [IterationBatch] {
        var batches: [IterationBatch] = []
        while let batch = try next() { batches.append(batch) }
        return batches
    }
}

@Suite struct `The text format` {
    static let sample = """
        dirtyrec-text 1
        # a comment
        guest   my own VMM, compiling
        vcpus   2
        label   team=storage
        slot    id=0 base=0x0 pages=65536 name=ram

        harvest iteration=1 vcpu=0 ts=100ms : 0x100 257 0x200-0x20f
        harvest iteration=1 vcpu=1 ts=101ms : 0x100
        loss    ts=101ms kind=overrun vcpu=1 entries=3 : the ring wrapped
        harvest iteration=2 vcpu=0 ts=150ms cause=ring_full provisional=1 stall=3ms : 0x100,0x101
        harvest iteration=2 vcpu=0 ts=200ms : 0x7f@170000000 0x80@180000000
        marker  ts=200ms : phase 2
        end     ts=250ms reason=signal

        """

    @Test func `gives what it says`() throws {
        let file = try ScratchFile(Self.sample)
        let source = try TextFormat(path: file.path)
        #expect(source.info.guest == "my own VMM, compiling")
        #expect(source.info.vcpuCount == 2)
        #expect(source.info.labels == ["team": "storage"])
        #expect(source.slots == [MemorySlot(slot: 0, baseGFN: 0, pages: 65536, logged: true, name: "ram")])
        let batches = try source.readAll()
        #expect(source.endNs == 250_000_000)
        #expect(source.endReason == .signal)
        try #require(batches.count == 2)
        #expect(batches[0].harvests.map(\.gfns) == [[0x100, 0x101] + (0x200...0x20f), [0x100]])
        #expect(batches[0].harvests.map(\.harvest.vcpu) == [0, 1])
        #expect(batches[0].losses.map(\.entries) == [3])
        #expect(batches[0].iteration.startNs == 0)
        #expect(batches[0].iteration.endNs == 101_000_000)
        let full = batches[1].harvests[0].harvest
        #expect(full.cause == .ringFull)
        #expect(full.provisionalCount == 1)
        #expect(full.stallNs == 3_000_000)
        #expect(full.sinceNs == 100_000_000)
        #expect(batches[1].harvests[1].harvest.sinceNs == 150_000_000)
        #expect(batches[1].exactTimes == [1: [170_000_000, 180_000_000]])
        #expect(batches[1].markers.map(\.text) == ["phase 2"])
    }

    @Test(arguments: [
        ("dirtyrec-text 2", 1), ("", 1), ("dirtyrec-text 1\nvcpus many", 2), ("dirtyrec-text 1\nnonsense", 2),
        ("dirtyrec-text 1\nharvest iteration=2 ts=1 : 1", 2), ("dirtyrec-text 1\nharvest iteration=1 : 1", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 vcpu=1 : 1", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 : 0-0x7ffffffffffff", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 : 5-4", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 : 5x", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 : 5@2", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 : 5@1 6", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=5 : 5\nharvest iteration=1 ts=4 : 5", 3),
        ("dirtyrec-text 1\nslot id=0 base=0 pages=16\nharvest iteration=1 ts=5 : 16", 3),
        ("dirtyrec-text 1\nharvest iteration=1 ts=99999999999999999999 : 5", 2),
    ])
    func `names the line that is wrong`(text: String, line: Int) throws {
        let file = try ScratchFile(text)
        let error = #expect(throws: ImportError.self) { try TextFormat(path: file.path).readAll() }
        #expect(error?.description.hasPrefix("\(file.path), line \(line): ") == true, "\(error?.description ?? "")")
    }
}
