import Analysis
import CZstd
import Content
import Guests
import KVM
import Model
import Platform
import Synchronization
import Testing

@testable import Recorder

/// What `record --content` says, against full copies of the guest's memory that the test keeps.
@Suite(.serialized, .enabled(if: KVMHost.isUsable, KVMHost.reason))
struct ContentTests {
    /// A guest that clears pages, copies them, writes to them what they hold, or writes one word; all of its memory is copied whenever
    /// the recorder asks how far it is: while its vCPU stands still, at the end of each iteration.
    private final class CopiedGuest: Guest {
        /// Of pages RDI .. RDI + 4 MiB, for ever, with the random numbers of xorshift64 (Marsaglia 2003): p and q are two pages;
        /// by the lowest two bits: rep stosq zeros to p; rep movsq q to p; p[0] = p[0]; p[any] = number. Then so many times pause.
        private static func code(pauses: UInt16) -> [UInt8] {
            code.replacing([0xb9, 0xe8, 0x03], with: [0xb9, UInt8(truncatingIfNeeded: pauses), UInt8(pauses >> 8)])
        }
        private static let code: [UInt8] = [
            0x48, 0x89, 0xfb, 0x41, 0xb9, 0x01, 0x00, 0x00, 0x00, 0x4c, 0x89, 0xc8, 0x48, 0xc1, 0xe0, 0x0d,
            0x49, 0x31, 0xc1, 0x4c, 0x89, 0xc8, 0x48, 0xc1, 0xe8, 0x07, 0x49, 0x31, 0xc1, 0x4c, 0x89, 0xc8,
            0x48, 0xc1, 0xe0, 0x11, 0x49, 0x31, 0xc1, 0x4c, 0x89, 0xc8, 0x48, 0x89, 0xc7, 0x48, 0xc1, 0xef,
            0x14, 0x81, 0xe7, 0xff, 0x03, 0x00, 0x00, 0x48, 0xc1, 0xe7, 0x0c, 0x48, 0x01, 0xdf, 0x48, 0x89,
            0xc6, 0x48, 0xc1, 0xee, 0x20, 0x81, 0xe6, 0xff, 0x03, 0x00, 0x00, 0x48, 0xc1, 0xe6, 0x0c, 0x48,
            0x01, 0xde, 0xb9, 0x00, 0x02, 0x00, 0x00, 0x89, 0xc2, 0x83, 0xe2, 0x03, 0x83, 0xfa, 0x01, 0x72,
            0x16, 0x74, 0x1b, 0x83, 0xfa, 0x02, 0x74, 0x1b, 0x48, 0xc1, 0xe8, 0x2c, 0x25, 0xff, 0x01, 0x00,
            0x00, 0x4c, 0x89, 0x0c, 0xc7, 0xeb, 0x12, 0x31, 0xc0, 0xf3, 0x48, 0xab, 0xeb, 0x0b, 0xf3, 0x48,
            0xa5, 0xeb, 0x06, 0x48, 0x8b, 0x07, 0x48, 0x89, 0x07, 0xb9, 0xe8, 0x03, 0x00, 0x00, 0xf3, 0x90,
            0xff, 0xc9, 0x75, 0xfa, 0xe9, 0x70, 0xff, 0xff, 0xff,
        ]
        static let pages = 1024

        let vcpus = 1
        let label = "pages of every kind"
        private let inner: CodeGuest
        let baseGFN: GFN
        private let memory: GuestMemory
        private let kept = Mutex<[[[UInt64]]]>([])
        /// Memory page by page, at first as it was at the begin, then as it was at the end of each iteration.
        var copies: [[[UInt64]]] { kept.withLock { $0 } }

        init(pauses: UInt16 = 1000) throws {
            inner = try CodeGuest(Self.code(pauses: pauses), pages: Self.pages)
            let logged = inner.regions.first { $0.isLogged }
            let region = try #require(logged)
            (baseGFN, memory) = (region.baseGFN, region.memory)
            // Random, alike, text that repeats, and nothing.
            for page in 0..<Self.pages {
                for word in 0..<512 {
                    let value: UInt64 =
                        switch page % 4 {
                        case 0: .random(in: 0 ... .max)
                        case 1: UInt64(page / 64 * 1000 + word)
                        case 2: [0x6f77_206f_6c6c_6568, UInt64(page)][word % 2]
                        default: 0
                        }
                    memory.store(value, at: page * 4096 + word * 8)
                }
            }
            keep()
        }

        private func keep() {
            let copy = (0..<Self.pages).map { memory.words(at: $0 * 4096) }
            kept.withLock { $0.append(copy) }
        }

        var regions: [GuestRegion] { inner.regions }
        func populate() throws { try inner.populate() }
        func start(_ vcpu: VCPU) throws { try inner.start(vcpu) }
        func handle(_ exit: VCPUExit, of vcpu: VCPU) -> GuestAction { inner.handle(exit, of: vcpu) }
        func completedOperations(of vcpu: Int) -> UInt64? {
            keep()
            return 0
        }
    }

    /// The guest rests less, and iterations take longer, where the machine needs that for some dozens of pages in each.
    private func record(_ share: String, iterations: Int64 = 6) throws -> (CopiedGuest, Recorded, intervalNs: Int64) {
        let ways: [(Int64, UInt16)] = [
            (10_000_000, 1000), (50_000_000, 1000), (10_000_000, 50), (10_000_000, 1), (100_000_000, 1),
            (2_000_000_000, 1),
        ]
        for (intervalNs, pauses) in ways {
            let guest = try CopiedGuest(pauses: pauses)
            let recorded = try recordInMemory(guest) {
                $0.mode = .paused
                $0.verify = false
                $0.content = try ContentShare(parsing: share)
                $0.intervalNs = intervalNs
                $0.iterations = iterations
            }
            #expect(recorded.outcome.isComplete && recorded.batches.count == Int(iterations) + 1)
            #expect(guest.copies.count == recorded.batches.count + 1)
            if recorded.pages.reduce(0, { $0 + $1.count }) >= 40 * Int(iterations) {
                return (guest, recorded, intervalNs)
            }
        }
        throw Failure()
    }

    private struct Failure: Error {}

    /// QEMU's format, written out.
    private static func xbzrle(_ old: [UInt64], _ new: [UInt64]) -> Int {
        let (old, new) = (bytes(old), bytes(new))
        var (encoded, place) = ([UInt8](), 0)
        func lebs(_ count: Int) -> [UInt8] {
            count < 128 ? [UInt8(count)] : [UInt8(count & 127 | 128), UInt8(count >> 7)]
        }
        while place < old.count {
            let same = zip(old[place...], new[place...]).prefix { $0 == $1 }.count
            guard place + same < old.count else { break }
            let other = zip(old[(place + same)...], new[(place + same)...]).prefix { $0 != $1 }.count
            encoded += lebs(same) + lebs(other) + new[(place + same)..<(place + same + other)]
            place += same + other
        }
        return min(encoded.count, 4096)
    }

    private static func bytes(_ words: [UInt64]) -> [UInt8] {
        words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    private static func zstd(_ words: [UInt64]) -> Int {
        let source = bytes(words)
        var target = [UInt8](repeating: 0, count: 8192)
        let size = unsafe ZSTD_compress(&target, target.count, source, source.count, 1)
        return min(size, 4096)
    }

    @Test func `every dirty page is told as it was`() throws {
        let (guest, recorded, _) = try record("all")
        var (silent, zeros, changed) = (0, 0, 0)
        var pageOfHash: [UInt64: [UInt64]] = [:]
        var hashOfPage: [[UInt64]: UInt64] = [:]
        for (number, batch) in recorded.batches.enumerated() {
            #expect(batch.contents.map(\.gfn) == recorded.pages[number].sorted())
            for content in batch.contents {
                let page = Int(content.gfn - guest.baseGFN)
                let (old, new) = (guest.copies[number][page], guest.copies[number + 1][page])
                let words = zip(old, new).count { $0 != $1 }
                let digest = content.digest
                #expect(content.iteration == batch.iteration.id)
                #expect(digest.isZero == (new == [UInt64](repeating: 0, count: 512)))
                #expect(digest.change == .init(words: Int64(words), xbzrleBytes: Int64(Self.xbzrle(old, new))))
                #expect(digest.zstdBytes == Self.zstd(new))
                #expect(
                    pageOfHash[digest.hash, default: new] == new && hashOfPage[new, default: digest.hash] == digest.hash
                )
                pageOfHash[digest.hash] = new
                hashOfPage[new] = digest.hash
                (silent, zeros, changed) = (
                    silent + (words == 0 ? 1 : 0), zeros + (digest.isZero ? 1 : 0), changed + words
                )
            }
        }
        // The guest did everything that it should.
        #expect(silent > 0 && zeros > 0 && changed > 0 && hashOfPage.count > 10)
    }

    @Test func `a recording that does not ask looks at nothing`() throws {
        let recorded = try recordInMemory(CopiedGuest()) { $0.mode = .paused }
        #expect(recorded.batches.flatMap { $0.contents }.isEmpty)
    }

    @Test(
        .enabled(if: !KVMHost.isShort, "Copies of all memory take minutes where every instruction is emulated."),
        arguments: ["all", "1/4"])
    func `figures are within their error of what full copies say`(share: String) throws {
        let (guest, recorded, intervalNs) = try record(share, iterations: 12)
        let recording = MemoryRecording(slots: recorded.slots, batches: recorded.batches)
        var options = SnapshotOptions()
        options.cadencesNs = [intervalNs, intervalNs * 7 / 2]
        options.blocks = [4096]
        let report = try Snapshots.report(recording, options: options)
        for cadence in report.options.cadencesNs ?? [] {
            let truth = self.truth(guest, recorded, cadence)
            let estimates = report.contents.filter { $0.cadenceNs == cadence }
            #expect(estimates.map { $0.form } == ContentEstimate.Form.allCases)
            for estimate in estimates {
                let error = try #require(estimate.error)
                let right = try #require(truth[estimate.form])
                if share == "all" {
                    #expect(estimate.looked == estimate.pages && error == 0)
                    #expect(estimate.low <= right && right <= estimate.high, "\(estimate), \(right)")
                    // Where a page was looked at once a diff, or only its end counts, nothing is uncertain.
                    let isExact = cadence == intervalNs || ![.changed, .xbzrle].contains(estimate.form)
                    if isExact { #expect(estimate.low == estimate.high, "\(estimate)") }
                } else {
                    #expect(estimate.looked < estimate.pages)
                    // Twice the 95 % interval: one in ten thousand.
                    #expect(
                        estimate.low - 2 * error <= right && right <= estimate.high + 2 * error,
                        "\(estimate), right is \(right)")
                    #expect(error < 0.3 * Double(estimate.whole), "\(estimate)")
                }
            }
        }
    }

    /// Bytes of all diffs by form, from the copies alone.
    private func truth(
        _ guest: CopiedGuest, _ recorded: Recorded, _ cadence: Int64
    ) -> [ContentEstimate.Form: Double] {
        var truth = Dictionary(uniqueKeysWithValues: ContentEstimate.Form.allCases.map { ($0, 0) })
        let origin = recorded.batches[0].iteration.startNs
        var (begin, pages, due) = (0, Set<GFN>(), origin + cadence)
        for (number, batch) in recorded.batches.enumerated() {
            pages.formUnion(recorded.pages[number])
            guard batch.iteration.endNs >= due else { continue }
            while due <= batch.iteration.endNs { due += cadence }
            var contents = Set<[UInt64]>()
            for gfn in pages {
                let page = Int(gfn - guest.baseGFN)
                let (old, new) = (guest.copies[begin][page], guest.copies[number + 1][page])
                contents.insert(new)
                truth[.whole, default: 0] += 4096
                truth[.nonzero, default: 0] += new.contains { $0 != 0 } ? 4096 : 0
                truth[.changed, default: 0] += old != new ? 4096 : 0
                truth[.zstd, default: 0] += Self.zstd(new)
                truth[.xbzrle, default: 0] += Self.xbzrle(old, new)
            }
            truth[.distinct, default: 0] += contents.count * 4096
            (begin, pages) = (number + 1, [])
        }
        return truth.mapValues(Double.init)
    }
}

/// Within the suite `record` means its own.
private func recordInMemory(_ guest: any Guest, plan change: (inout RecordPlan) throws -> Void) throws -> Recorded {
    try record(guest, plan: change)
}
