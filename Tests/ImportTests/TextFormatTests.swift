import Foundation
import Model
import TestSupport
import Testing

@testable import Import

/// A file with a text in it that goes away with the test.
final class ScratchFile {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-\(UUID().uuidString)").path
    init(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
    init(bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What `body` takes of a processor, whatever else runs.
func threadSeconds(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    try body()
    return now() - start
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
    @Test func `gives what it says`() throws {
        let file = try ScratchFile(HonestFile.text)
        let source = try ImportFormat.open(file.path, as: .text)
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
        ("dirtyrec-text 1\nslot id=0 base=16 pages=16\nslot id=1 base=31 pages=1", 3),
        ("dirtyrec-text 1\nslot id=0 base=16 pages=16\nslot id=1 base=0 pages=17", 3),
        ("dirtyrec-text 1\nslot id=0 base=0 pages=8\nslot id=1 base=16 pages=8\nharvest iteration=1 ts=5 : 7-16", 4),
        // What readers would call corrupt.
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 scan=1152921504606846976 : 5", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 reset=1152921504606846976 : 5", 2),
        ("dirtyrec-text 1\nharvest iteration=1 ts=1 stall=1152921504606846976 : 5", 2),
        (
            "dirtyrec-text 1\nharvest iteration=1 ts=1 stall=400000000000000000 : 5\n"
                + "harvest iteration=2 ts=1 stall=400000000000000000 : 5", 3
        ),
        ("dirtyrec-text 1\nharvest iteration=1 ts=9 : 5\nend ts=8", 3),
    ])
    func `names the line that is wrong`(text: String, line: Int) throws {
        let file = try ScratchFile(text)
        let error = #expect(throws: ImportError.self) { try ImportFormat.open(file.path, as: .text).readAll() }
        #expect(error?.description.hasPrefix("\(file.path), line \(line): ") == true, "\(error?.description ?? "")")
    }

    @Test(arguments: ["\r\n", "\n"], [" ", "\t"])
    func `may come from Windows and with tabs`(end: String, blank: String) throws {
        let text = HonestFile.text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.replacing(#/ +/#, with: blank)
        }.joined(separator: end)
        let sample = try ScratchFile(HonestFile.text)
        let plain = try ImportFormat.open(sample.path).readAll()
        for mark in ["", "\u{feff}"] {
            let file = try ScratchFile(mark + text)
            let read = try ImportFormat.open(file.path)
            #expect(read.info.guest.hasSuffix("compiling"))
            let batches = try read.readAll()
            #expect(batches.map { $0.harvests.map(\.gfns) } == plain.map { $0.harvests.map(\.gfns) })
            #expect(batches.map { $0.harvests.map(\.harvest) } == plain.map { $0.harvests.map(\.harvest) })
            #expect(
                batches.flatMap(\.losses)
                    == plain.flatMap(\.losses).map { loss in
                        var loss = loss
                        loss.detail = loss.detail.replacing(" ", with: blank)
                        return loss
                    })
        }
    }

    @Test func `finds a page's slot among 4096 in about the time of one`() throws {
        func seconds(slots: Int) throws -> Double {
            let size = (1 << 22) / slots
            var text = "dirtyrec-text 1\n"
            for slot in 0..<slots { text += "slot id=\(slot) base=\(slot * size) pages=\(size)\n" }
            for iteration in 1...8 {
                text += "harvest iteration=\(iteration) ts=\(iteration) :"
                for page in 0..<5000 { text += " \(page * 797 % (1 << 22))" }
                text += "\n"
            }
            let file = try ScratchFile(text)
            let source = try ImportFormat.open(file.path)
            var entries = 0
            defer { #expect(entries == 40_000) }
            return try threadSeconds { entries = try source.readAll().reduce(0) { $0 + $1.entryCount } }
        }
        let one = try seconds(slots: 1)
        let many = try seconds(slots: 4096)
        #expect(many < one * 20, "\(many) with 4096 slots, \(one) with one")
    }
}
