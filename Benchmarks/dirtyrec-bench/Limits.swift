import Model
import Store
import TestSupport

/// Recordings at the edge of what a file can hold, each of them small in all other respects.
enum Limits: String, CaseIterable {
    /// 256 vCPUs that all write the same 1,000 pages in each of 100 iterations: every pair of rings meets.
    case vcpus
    /// A guest of 2^40 bytes: 10 million entries uniformly over GFNs up to 2^28.
    case memory
    /// 10^6 iterations of one entry.
    case iterations
    /// One iteration of 10^7 entries of different pages.
    case entries

    /// Writes the recording.
    ///
    /// - Throws: `RecordingError`.
    func write(_ path: String) throws {
        switch self {
        case .vcpus:
            let pages = Array(GFN(0)..<1000)
            try Self.write(path, vcpus: 256, pages: 1000, iterations: 100) { _ in
                (0..<256).map { (vcpu: $0, gfns: pages) }
            }
        case .memory:
            var random = Seeded(1)
            try Self.write(path, vcpus: 2, pages: 1 << 28, iterations: 100) { _ in
                (0..<2).map { vcpu in (vcpu, (0..<50_000).map { _ in random.next() >> 36 }) }
            }
        case .iterations:
            try Self.write(path, vcpus: 1, pages: 1 << 20, iterations: 1_000_000) { id in
                [(0, [GFN(id) & 0xfffff])]
            }
        case .entries:
            try Self.write(path, vcpus: 1, pages: 10_000_000, iterations: 1) { _ in
                stride(from: GFN(0), to: 10_000_000, by: Segment.maxEntries).map { first in
                    (0, Array(first..<min(first + GFN(Segment.maxEntries), 10_000_000)))
                }
            }
        }
    }

    private static func write(
        _ path: String, vcpus: Int, pages: UInt64, iterations: Int64,
        harvests: (Int64) -> [(vcpu: Int, gfns: [GFN])]
    ) throws {
        var info = RecordingInfo()
        info.id = "00000000000000000000000000000000"
        info.tool = "dirtyrec-bench"
        info.guestKind = "synthetic"
        info.vcpuCount = vcpus
        info.memoryBytes = Int64(pages) * 4096
        info.ringEntries = 65_536
        let slots = [MemorySlot(slot: 0, baseGFN: 0, pages: pages, logged: true, name: "data")]
        let writer = try RecordingWriter(path: path, info: info, slots: slots, options: .init(replace: true))
        let length: Int64 = 10_000_000
        for id in 1...iterations {
            let (start, end) = ((id - 1) * length, id * length)
            var batch = IterationBatch(iteration: Iteration(id: id, startNs: start, endNs: end))
            batch.harvests = harvests(id).map { vcpu, gfns in
                let harvest = Harvest(
                    iteration: id, source: .dirtyRing, vcpu: vcpu, cause: .periodic, sinceNs: start, tsNs: end,
                    entryCount: gfns.count)
                return (harvest, gfns)
            }
            try writer.commit(batch)
        }
        try writer.finish(reason: .duration, endNs: iterations * length)
    }
}
