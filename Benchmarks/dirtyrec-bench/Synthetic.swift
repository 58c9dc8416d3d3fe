import Model
import Store
import TestSupport

/// A recording of any length without a guest: two vCPUs that write uniformly over 4 GiB.
enum Synthetic {
    private static let ringSize = 4096
    private static let harvestsPerIteration = 16

    static func write(_ path: String, entries: Int, rows: Bool) throws {
        var info = RecordingInfo()
        info.id = "00000000000000000000000000000000"
        info.tool = "dirtyrec-bench"
        info.guestKind = "synthetic"
        info.guest = "uniform over 4 GiB"
        info.vcpuCount = 2
        info.memoryBytes = 4 << 30
        info.ringEntries = ringSize
        let slots = [MemorySlot(slot: 0, baseGFN: 0, pages: 1 << 20, logged: true, name: "data")]
        let writer = try RecordingWriter(path: path, info: info, slots: slots, options: .init(replace: true))
        var random = Seeded(1)
        var left = entries
        var id: Int64 = 0
        let length: Int64 = 100_000_000
        while left > 0 {
            id += 1
            let start = (id - 1) * length
            var batch = IterationBatch(iteration: Iteration(id: id, startNs: start, endNs: start + length))
            for number in 0..<harvestsPerIteration where left > 0 {
                let gfns = (0..<min(ringSize, left)).map { _ in random.next() & 0xfffff }
                left -= gfns.count
                let part = length / Int64(harvestsPerIteration / 2)
                let since = start + Int64(number / 2) * part
                let harvest = Harvest(
                    iteration: id, source: .dirtyRing, vcpu: number & 1,
                    cause: number < harvestsPerIteration - 2 ? .ringFull : .periodic, sinceNs: since,
                    tsNs: since + part, entryCount: gfns.count)
                batch.harvests.append((harvest, gfns))
            }
            try writer.commit(batch)
        }
        try writer.finish(reason: .duration, endNs: id * length, rows: rows)
    }
}
