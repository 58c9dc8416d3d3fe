import CStoreBench
import Foundation
import Model
import Store
import TestSupport

/// Consumes a recording and does next to nothing with it.
struct Sum: RecordingVisitor {
    var sum: UInt64 = 0
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) { for gfn in gfns { sum &+= gfn } }
    mutating func visit(_ iteration: Iteration) {}
}

/// Measures the store against plain C on the same SQLite.
struct StoreBench {
    let entries: Int
    let rounds: Int
    private let ringSize = 4096
    private let uniform: [GFN]
    private let sequential: [GFN]

    init(entries: Int, rounds: Int) {
        (self.entries, self.rounds) = (entries, rounds)
        var random = Seeded(1)
        uniform = (0..<entries).map { _ in GFN.random(in: 0..<1 << 20, using: &random) }
        sequential = (0..<entries).map { GFN($0 % (1 << 20)) }
    }

    /// As the recorder makes them.
    private func harvests(_ gfns: [GFN]) -> [[GFN]] {
        stride(from: 0, to: gfns.count, by: ringSize).map { Array(gfns[$0..<min($0 + ringSize, gfns.count)]) }
    }

    private func record(_ path: String, rows: Bool) throws {
        var info = RecordingInfo()
        info.vcpuCount = 2
        let writer = try RecordingWriter(path: path, info: info, options: .init(replace: true))
        for (index, part) in harvests(uniform).enumerated() {
            let id = Int64(index + 1)
            var batch = IterationBatch(iteration: Iteration(id: id, startNs: id * 1000, endNs: id * 1000 + 1000))
            let harvest = Harvest(
                iteration: id, source: .dirtyRing, vcpu: index & 1, cause: .periodic, sinceNs: id * 1000,
                tsNs: id * 1000 + 900, entryCount: part.count)
            batch.harvests = [(harvest, part)]
            try writer.commit(batch)
        }
        try writer.finish(reason: .duration, endNs: Int64.max >> 4, rows: rows)
    }

    func run() throws {
        var table: [String] = []
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-bench-\(getpid())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }

        // Segments, harvest by harvest as the recorder makes them.
        // Short runs: more of them, for one in the quiet.
        var bytesPerEntry: [String] = []
        for (name, gfns) in [("uniform over 4 GiB", uniform), ("sequential", sequential)] {
            let parts = harvests(gfns)
            var ours: [UInt8] = []
            let theirs = UnsafeMutablePointer<UInt8>.allocate(capacity: ringSize * 10)
            let decodedC = UnsafeMutablePointer<UInt64>.allocate(capacity: ringSize)
            defer { unsafe theirs.deallocate(); unsafe decodedC.deallocate() }
            var size = 0
            var encode = Pair("segment write, \(name)", against: "C loop", entries: entries, target: 0.8)
            encode.measure(rounds * 5) {
                size = 0
                for part in parts {
                    ours.removeAll(keepingCapacity: true)
                    Segment.encode(part, into: &ours)
                    size += ours.count
                }
            } theirs: {
                for part in parts { size += unsafe cbench_encode(part, part.count, theirs) }
            }
            table.append(encode.row)
            size = 0
            var segments: [[UInt8]] = []
            for part in parts {
                var segment: [UInt8] = []
                Segment.encode(part, into: &segment)
                size += segment.count
                segments.append(segment)
            }
            bytesPerEntry.append("\(name): \(String(format: "%.2f", Double(size) / Double(entries))) B/entry")

            var decoded: [GFN] = []
            var times: [Int64] = []
            var decode = Pair("segment read, \(name)", against: "C loop, unchecked", entries: entries, target: 0.5)
            try decode.measure(rounds * 5) {
                for (segment, part) in zip(segments, parts) {
                    try Segment.decode(segment.span, count: part.count, into: &decoded, times: &times)
                }
            } theirs: {
                for (segment, part) in zip(segments, parts) {
                    _ = unsafe segment[2...].withUnsafeBufferPointer {
                        unsafe cbench_decode($0.baseAddress!, decodedC, part.count)
                    }
                }
            }
            table.append(decode.row)
        }

        // Rows: both make the same table in a new file with the same settings.
        let path = folder + "/recording.db"
        let reference = folder + "/reference.db"
        let setup = """
            PRAGMA page_size = 8192; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF;
            PRAGMA cache_size = -16384;
            CREATE TABLE dirty_entry(seq INTEGER PRIMARY KEY, gfn INTEGER NOT NULL) STRICT;
            """
        try record(path, rows: false)
        var byTable = Pair("plain rows", against: "C virtual table over an array", entries: entries, target: 0.85)
        var byBinding = Pair("plain rows", against: "C bind/step", entries: entries, target: 3)
        let theirsBy = { (make: (String) -> Int32) in
            for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: reference + suffix) }
            try check(make(reference))
        }
        let oursBy = {
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.copyItem(atPath: path + ".without", toPath: path)
            try Recovery.expandRows(path: path)
        }
        try FileManager.default.copyItem(atPath: path, toPath: path + ".without")
        try byTable.measure(rounds, ours: oursBy) {
            try theirsBy { unsafe cbench_rows_by_virtual_table($0, setup, uniform, uniform.count) }
        }
        table.append(byTable.row)
        try byBinding.measure(max(rounds / 2, 1), ours: oursBy) {
            try theirsBy { unsafe cbench_rows_by_binding($0, setup, uniform, uniform.count) }
        }
        table.append(byBinding.row)

        // Reading everything: our segments against C reading the plain rows.
        let file = try RecordingFile(path: path)
        var read = Pair("replay of all entries", against: "C scan of the rows", entries: entries, target: 1)
        try read.measure(rounds) {
            var sum = Sum()
            try file.replay(into: &sum)
        } theirs: {
            var sum: UInt64 = 0
            try check(unsafe cbench_scan_rows(path, &sum))
        }
        table.append(read.row)

        print("\(entries / 1_000_000) M entries, \(rounds) rounds, harvests of \(ringSize); best of each side.\n")
        print("| what | ours | yardstick | its speed | ratio | target | reached |\n|---|---|---|---|---|---|---|")
        table.forEach { print($0) }
        print("\nSegments take \(bytesPerEntry.joined(separator: "; ")).")
    }
}
