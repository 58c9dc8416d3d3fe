import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// Recordings made up for tests.
enum Recordings {
    /// How a recording ends.
    enum Ending: CaseIterable { case rows, noRows, cutOff }

    static func write(_ path: String, _ recording: MemoryRecording, ending: Ending = .rows) throws {
        let writer = try RecordingWriter(path: path, info: recording.info, slots: recording.slots)
        for batch in recording.batches { try writer.commit(batch) }
        if ending != .cutOff { try writer.finish(reason: .duration, endNs: 1 << 40, rows: ending == .rows) }
    }

    /// A recording with everything that entries can be: several rings, full rings, provisional entries, the VMM's log,
    /// ascending, descending and random order, iterations without entries.
    static func random(seed: UInt64, iterations: Int? = nil) -> MemoryRecording {
        var random = Seeded(seed)
        let vcpus = Int.random(in: 1...4, using: &random)
        var info = RecordingInfo()
        info.id = "0123456789abcdef0123456789abcdef"
        info.vcpuCount = vcpus
        info.memoryBytes = 16 << 20
        info.startNs = 1000
        let slots = [
            MemorySlot(slot: 0, baseGFN: 0, pages: 64, logged: false, name: "low", createdNs: 1),
            MemorySlot(slot: 1, baseGFN: 64, pages: 3000, logged: true, name: "data", createdNs: 1),
        ]
        var now: Int64 = 1000
        let batches = (0..<(iterations ?? Int.random(in: 1...12, using: &random))).map { number in
            var iteration = Iteration(
                id: Int64(number) + 1, startNs: now, endNs: now + Int64.random(in: 1...50_000_000, using: &random))
            now = iteration.endNs
            iteration.scanNs = Int64.random(in: 0...900, using: &random)
            iteration.resetNs = Int64.random(in: 0...900, using: &random)
            iteration.pauseNs = Int64.random(in: 0...900, using: &random)
            var batch = IterationBatch(iteration: iteration)
            for _ in 0..<Int.random(in: 0...5, using: &random) {
                batch.harvests.append(harvest(of: iteration, vcpus: vcpus, &random))
            }
            batch.stops = (0..<vcpus).map {
                StopLatency(iteration: iteration.id, vcpu: $0, latencyNs: Int64.random(in: 0...99, using: &random))
            }
            batch.statistics = [KVMStatistic(iteration: iteration.id, vcpu: 0, name: "pf_fixed", value: 3)]
            return batch
        }
        return MemoryRecording(info: info, slots: slots, batches: batches)
    }

    private static func harvest(of iteration: Iteration, vcpus: Int, _ random: inout Seeded) -> (Harvest, [GFN]) {
        let isVMM = Int.random(in: 0..<6, using: &random) == 0
        let count = Int.random(in: 0...60, using: &random)
        let first = GFN.random(in: 64...2900, using: &random)
        let gfns: [GFN] =
            switch Int.random(in: 0..<3, using: &random) {
            case 0: (0..<count).map { first + GFN($0) }
            case 1: (0..<count).map { first + GFN(count - $0) }
            default: (0..<count).map { _ in GFN.random(in: 64...160, using: &random) }
            }
        let isFull = !isVMM && Bool.random(using: &random)
        let harvest = Harvest(
            iteration: iteration.id, source: isVMM ? .vmm : .dirtyRing,
            vcpu: isVMM ? nil : Int.random(in: 0..<vcpus, using: &random), cause: isFull ? .ringFull : .periodic,
            sinceNs: iteration.startNs, tsNs: Int64.random(in: iteration.startNs...iteration.endNs, using: &random),
            entryCount: count, provisionalCount: isFull && count > 0 ? 1 : 0,
            scanNs: Int64.random(in: 0...500, using: &random),
            stallNs: isFull ? Int64.random(in: 1...500, using: &random) : 0)
        return (harvest, gfns)
    }
}

extension QuerySession {
    /// All rows of a named query: these columns of them, or all.
    func rows(_ name: String, _ settings: [String: String] = [:], of wanted: String...) throws -> [[SQLValue]] {
        let query = try NamedQuery.named(name)
        var places: [Int] = []
        var rows: [[SQLValue]] = []
        try run(
            query.sql, parameters: query.values(settings),
            columns: { names in
                places =
                    try wanted.isEmpty ? Array(names.indices) : wanted.map { try #require(names.firstIndex(of: $0)) }
            }, row: { row in rows.append(places.map { row[$0] }) })
        return rows
    }

    /// One number of a named query's first row.
    func number(_ column: String, _ name: String, _ settings: [String: String] = [:]) throws -> Double {
        try #require(try rows(name, settings, of: column).first?.first).number
    }

    /// All rows of a statement.
    func rows(sql: String, timeout: Duration? = nil) throws -> [[SQLValue]] {
        var rows: [[SQLValue]] = []
        try run(sql, timeout: timeout, columns: { _ in }, row: { rows.append($0) })
        return rows
    }
}

extension SQLValue {
    /// The number, rounded to nine digits so that sums in another order agree; NaN for anything else.
    var number: Double {
        let value: Double =
            switch self {
            case .integer(let value): Double(value)
            case .real(let value): value
            default: .nan
            }
        guard value != 0, value.isFinite else { return value }
        let scale = pow(10, 9 - log10(abs(value)).rounded(.up))
        return (value * scale).rounded() / scale
    }
}
