import GRDB
import Model
import Schemas

/// The statements that put a recording's rows into its tables.
final class RecordingTables {
    /// Numbers that the next harvest gets.
    struct Position {
        var harvest: Int64
        var seq: Int64
    }

    private let db: Database
    private var iterations: Insertion
    private var harvests: Insertion
    /// Of the other tables, as far as they have got rows.
    private var others: [String: Insertion] = [:]
    private var segment: [UInt8] = []
    private var hasExactTimes = false

    init(_ db: Database) throws {
        self.db = db
        iterations = try Insertion(db, Iteration.table)
        harvests = try Insertion(db, Harvest.table)
    }

    /// The rows that exist from the start.
    func insert(_ info: RecordingInfo, _ slots: [MemorySlot], _ migrations: [MigrationObservation]) throws {
        try insert([info])
        for (name, value) in info.capabilities.sorted(by: { $0.key < $1.key }) {
            try db.execute(sql: "INSERT INTO capability(name, value) VALUES (?, ?)", arguments: [name, value])
        }
        for (key, value) in info.labels.sorted(by: { $0.key < $1.key }) {
            try db.execute(sql: "INSERT INTO label(key, value) VALUES (?, ?)", arguments: [key, value])
        }
        try insert((0..<info.vcpuCount).map { RunningSummary.VCPURow(vcpu: $0) })
        try insert(slots)
        try insert(migrations)
    }

    /// The rows of one iteration, or the harvests of a part of one, which `summary` sums up as they are stored. It becomes nil
    /// where it cannot.
    func insert(
        _ batch: IterationBatch, at position: inout Position, into summary: inout RunningSummary?
    ) throws {
        if !batch.exactTimes.isEmpty, !hasExactTimes { try keepExactTimes() }
        if let vcpus = batch.vcpus {
            try db.execute(sql: "UPDATE recording SET vcpu_count = max(vcpu_count, ?)", arguments: [vcpus])
            for vcpu in 0..<vcpus {
                try db.execute(sql: "INSERT OR IGNORE INTO vcpu(vcpu) VALUES (?)", arguments: [vcpu])
            }
            summary?.add(vcpus: vcpus)
        }
        if !batch.isPart { try iterations.insert(batch.iteration) }
        for (index, (harvest, gfns)) in batch.harvests.enumerated() {
            try insert(harvest, gfns, times: batch.exactTimes[index], at: &position, into: &summary)
        }
        try insert(batch.slots)
        try insert(batch.losses)
        try insert(batch.stops)
        try insert(batch.statistics)
        try insert(batch.watchEvents)
        try insert(batch.markers)
        try insert(batch.foreignRates)
        try insert(batch.verdicts)
        try insert(batch.contents)
    }

    private func insert<Row: EncodableRow>(_ rows: [Row]) throws {
        guard !rows.isEmpty else { return }
        if others[Row.table] == nil, Schema.optionalTables.contains(Row.table), try !Schema.isThere(Row.table, db) {
            for sql in Schemas.optional where sql.contains("CREATE TABLE \(Row.table)(") { try db.execute(sql: sql) }
        }
        // A slot that is known comes again when it is deleted.
        let conflict =
            Row.self == MemorySlot.self
            ? "ON CONFLICT(address_space, slot, generation) DO UPDATE SET deleted_ns = excluded.deleted_ns" : ""
        var insertion = try others.removeValue(forKey: Row.table) ?? Insertion(db, Row.table, onConflict: conflict)
        for row in rows { try insertion.insert(row) }
        others[Row.table] = insertion
    }

    private func keepExactTimes() throws {
        try db.execute(sql: "UPDATE recording SET exact_times = 1")
        try Schema.replaceViews(db, exactTimes: true)
        hasExactTimes = true
    }

    /// A harvest with more entries than a segment holds becomes several with the same times. Its costs stay with the
    /// first, its provisional entries with the last.
    private func insert(
        _ whole: Harvest, _ gfns: [GFN], times: [Int64]?, at position: inout Position,
        into summary: inout RunningSummary?
    ) throws {
        // The reader of the file will say what is wrong with it.
        if let vcpu = whole.vcpu, let known = summary?.vcpuCount, vcpu >= known { summary = nil }
        var part = whole
        var start = 0
        repeat {
            let end = min(start + Segment.maxEntries, gfns.count)
            part.id = position.harvest
            part.firstSeq = position.seq
            part.entryCount = end - start
            part.provisionalCount = end == gfns.count ? whole.provisionalCount : 0
            let isWhole = gfns.count <= Segment.maxEntries
            let some = isWhole ? gfns : Array(gfns[start..<end])
            segment.removeAll(keepingCapacity: true)
            Segment.encode(
                some, times: isWhole ? times : times.map { Array($0[start..<end]) }, sinceNs: whole.sinceNs,
                into: &segment)
            try harvests.insert(part, "entries", segment)
            if part.entryPages > 1 { try insert([HarvestSpan(harvest: part.id, pages: part.entryPages)]) }
            try summary?.visit(part, gfns: some)
            (part.scanNs, part.resetNs, part.stallNs) = (0, 0, 0)
            position.harvest += 1
            position.seq += Int64(end - start)
            start = end
        } while start < gfns.count
    }
}
