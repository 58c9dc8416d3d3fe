import Foundation
import GRDB
import Model

/// The statements that put a recording's rows into its tables.
final class RecordingTables {
    /// Numbers that the next harvest gets.
    struct Position {
        var harvest: Int64
        var seq: Int64
    }

    private let iteration: RawStatement
    private let harvest: RawStatement
    private let db: Database
    private var segment: [UInt8] = []
    private var hasExactTimes = false

    init(_ db: Database) throws {
        self.db = db
        iteration = try Self.insertion(db, "iteration", TraceReader.iterationColumns)
        harvest = try Self.insertion(db, "harvest", TraceReader.harvestColumns)
    }

    private static func insertion(_ db: Database, _ table: String, _ columns: [String]) throws -> RawStatement {
        try RawStatement(db, insertionSQL(table, columns))
    }

    private static func insertionSQL(_ table: String, _ columns: [String]) -> String {
        "INSERT INTO \(table)(\(columns.joined(separator: ", "))) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))"
    }

    /// The rows that exist from the start.
    static func insert(_ db: Database, _ info: RecordingInfo, _ slots: [MemorySlot]) throws {
        try db.execute(
            sql: insertionSQL("recording", RecordingInfo.columns),
            arguments: [
                info.id, info.tool, info.commandLine, info.guestKind, info.guest,
                info.seed.map { Int64(bitPattern: $0) },
                info.host, info.kernel, info.kvmModule, info.cpu, info.pml, info.nested, info.pageSize, info.vcpuCount,
                info.memoryBytes, info.source.rawValue, info.mode.rawValue, info.ringEntries, info.ringSoftLimit,
                info.clearChunkPages, info.initiallySet, info.intervalNs, info.startNs, info.wallOffsetNs, info.endNs,
                info.endReason?.rawValue,
            ])
        for (name, value) in info.capabilities.sorted(by: { $0.key < $1.key }) {
            try db.execute(sql: "INSERT INTO capability VALUES (?, ?)", arguments: [name, value])
        }
        for (key, value) in info.labels.sorted(by: { $0.key < $1.key }) {
            try db.execute(sql: "INSERT INTO label VALUES (?, ?)", arguments: [key, value])
        }
        for vcpu in 0..<info.vcpuCount { try db.execute(sql: "INSERT INTO vcpu(vcpu) VALUES (?)", arguments: [vcpu]) }
        for slot in slots { try insert(db, slot) }
    }

    /// Adds a slot, or says when a known one was deleted.
    private static func insert(_ db: Database, _ slot: MemorySlot) throws {
        try db.cachedStatement(
            sql: insertionSQL("memslot", MemorySlot.columns)
                + " ON CONFLICT(address_space, slot, generation) DO UPDATE SET deleted_ns = excluded.deleted_ns"
        ).execute(arguments: [
            slot.slot, slot.addressSpace, slot.generation, Int64(slot.baseGFN), Int64(slot.pages), slot.logged,
            slot.readonly, slot.name, slot.createdNs, slot.deletedNs,
        ])
    }

    /// The rows of one iteration, or the harvests of a part of one.
    func insert(_ batch: IterationBatch, at position: inout Position) throws {
        if !batch.exactTimes.isEmpty, !hasExactTimes { try keepExactTimes() }
        if !batch.isPart { try insert(batch.iteration) }
        for (index, (harvest, gfns)) in batch.harvests.enumerated() {
            try insert(harvest, gfns, times: batch.exactTimes[index], at: &position)
        }
        for slot in batch.slots { try Self.insert(db, slot) }
        try insert("loss", Loss.columns, batch.losses) {
            [$0.iteration, $0.tsNs, $0.kind.rawValue, $0.vcpu, $0.entries, $0.detail]
        }
        try insert("stop_latency", StopLatency.columns, batch.stops) { [$0.iteration, $0.vcpu, $0.latencyNs] }
        try insert("kvm_stat", KVMStatistic.columns, batch.statistics) { [$0.iteration, $0.vcpu, $0.name, $0.value] }
        try insert("watch_event", WatchEvent.columns, batch.watchEvents) {
            [
                $0.iteration, $0.tsNs, $0.vcpu, Int64(bitPattern: $0.gpa), Data($0.oldValue), Data($0.newValue),
                Int64(bitPattern: $0.rip),
            ]
        }
        try insert("marker", Marker.columns, batch.markers) { [$0.tsNs, $0.iteration, $0.vcpu, $0.text] }
        try insert("foreign_rate", ForeignRate.columns, batch.foreignRates) {
            [$0.tool, $0.vcpu, $0.sinceNs, $0.tsNs, $0.bytesPerSecond, $0.quantum]
        }
        try insert("oracle_verdict", OracleVerdict.columns, batch.verdicts) {
            [
                $0.iteration, $0.oracle, $0.expected, $0.missing, $0.unexplained, $0.provisional, $0.firstRead,
                $0.initiallySet, $0.pageTable, $0.silent,
            ]
        }
    }

    private func keepExactTimes() throws {
        try db.execute(sql: "UPDATE recording SET exact_times = 1")
        try Schema.replaceViews(db, exactTimes: true)
        hasExactTimes = true
    }

    private func insert<Row>(
        _ table: String, _ columns: [String], _ rows: [Row], values: (Row) -> StatementArguments
    ) throws {
        guard !rows.isEmpty else { return }
        let statement = try db.cachedStatement(sql: Self.insertionSQL(table, columns))
        for row in rows { try statement.execute(arguments: values(row)) }
    }

    private func insert(_ row: Iteration) throws {
        try iteration.run([
            row.id, row.startNs, row.endNs, row.kickNs, row.pauseNs, row.scanNs, row.getNs, row.clearNs, row.resetNs,
            row.resumeNs, row.guestProgress,
        ])
    }

    /// A harvest with more entries than a segment holds becomes several with the same times. Its costs stay with the
    /// first, its provisional entries with the last.
    private func insert(_ whole: Harvest, _ gfns: [GFN], times: [Int64]?, at position: inout Position) throws {
        var part = whole
        var start = 0
        repeat {
            let end = min(start + Segment.maxEntries, gfns.count)
            part.id = position.harvest
            part.firstSeq = position.seq
            part.entryCount = end - start
            part.provisionalCount = end == gfns.count ? whole.provisionalCount : 0
            segment.removeAll(keepingCapacity: true)
            if gfns.count <= Segment.maxEntries {
                Segment.encode(gfns, times: times, sinceNs: whole.sinceNs, into: &segment)
            } else {
                Segment.encode(
                    Array(gfns[start..<end]), times: times.map { Array($0[start..<end]) }, sinceNs: whole.sinceNs,
                    into: &segment)
            }
            try insert(part)
            (part.scanNs, part.resetNs, part.stallNs) = (0, 0, 0)
            position.harvest += 1
            position.seq += Int64(end - start)
            start = end
        } while start < gfns.count
    }

    private func insert(_ row: Harvest) throws {
        harvest.bind(1, row.id)
        harvest.bind(2, row.iteration)
        harvest.bind(3, row.source.rawValue)
        harvest.bind(4, row.vcpu.map(Int64.init))
        harvest.bind(5, row.cause.rawValue)
        harvest.bind(6, row.sinceNs)
        harvest.bind(7, row.tsNs)
        harvest.bind(8, Int64(row.entryCount))
        harvest.bind(9, row.firstSeq)
        harvest.bind(10, Int64(row.provisionalCount))
        harvest.bind(11, row.scanNs)
        harvest.bind(12, row.resetNs)
        harvest.bind(13, row.stallNs)
        try harvest.run(blob: segment, at: 14)
    }
}
