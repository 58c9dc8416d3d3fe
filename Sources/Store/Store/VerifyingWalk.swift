import GRDB
import Model

/// Walks through harvests and iterations beside the plain rows and the summary tables, and notes where they disagree.
final class VerifyingWalk {
    private let file: RecordingFile
    private let findings: Findings
    private let slots: [MemorySlot]
    private let rows: RawStatement
    private var iterationRows: Comparison
    private var pageRows: Comparison
    private var vcpuRows: Comparison
    /// Nil where nobody asked what pages held.
    private let contents: ContentWalk?
    private var previous: Harvest?
    private var lastTime: [Int32: Int64] = [:]
    private var latestHarvest: Int64 = 0
    private var rowsAgree = true
    private var entries: Int64 = 0

    init(_ db: Database, _ file: RecordingFile, _ findings: Findings) throws {
        self.file = file
        self.findings = findings
        slots = try file.slots
        rows = try RawStatement(db, "SELECT seq, gfn FROM main.dirty_entry ORDER BY seq")
        iterationRows = try Comparison(db, RunningSummary.IterationRow.table, by: "iteration", findings)
        pageRows = try Comparison(db, RunningSummary.PageRow.table, by: "gfn", findings)
        vcpuRows = try Comparison(db, RunningSummary.VCPURow.table, by: "vcpu", findings)
        contents = try Schema.isThere(PageContent.table, db) ? ContentWalk(db, file.path, findings) : nil
    }

    func check(_ harvest: Harvest, _ gfns: [GFN]) throws {
        let expected = (previous?.id ?? 0) + 1
        if harvest.id != expected { findings.add("harvest", harvest.id, "harvest \(expected) is missing", .restore) }
        let ring = harvest.ring
        if let last = lastTime[ring], harvest.tsNs < last {
            findings.add("harvest", harvest.id, "ts_ns is earlier than at the previous harvest of its source", .report)
        }
        lastTime[ring] = harvest.tsNs
        latestHarvest = max(latestHarvest, harvest.tsNs)
        checkSlots(harvest, gfns)
        try checkRows(harvest, gfns)
        try contents?.check(harvest, gfns)
        previous = harvest
        entries += Int64(gfns.count)
    }

    func check(_ iteration: Iteration) throws {
        try contents?.endIteration(iteration.id)
        if previous?.iteration == iteration.id, latestHarvest > iteration.endNs {
            findings.add("iteration", iteration.id, "end_ns is earlier than its last harvest", .report)
        }
    }

    /// A page must lie in a slot that lived at some moment of the harvest's interval.
    private func checkSlots(_ harvest: Harvest, _ gfns: [GFN]) {
        // Imported recordings may know no slots.
        guard !slots.isEmpty else { return }
        let alive = slots.filter {
            $0.createdNs <= harvest.tsNs && ($0.deletedNs.map { $0 >= harvest.sinceNs } ?? true)
        }
        var lower: GFN = 1
        var upper: GFN = 0
        for gfn in gfns where gfn < lower || gfn >= upper {
            guard let slot = alive.first(where: { gfn >= $0.baseGFN && gfn - $0.baseGFN < $0.pages }) else {
                findings.add("harvest", harvest.id, "GFN \(gfn) lies outside the memory slots of its time", .report)
                return
            }
            (lower, upper) = (slot.baseGFN, slot.baseGFN + slot.pages)
        }
    }

    private func checkRows(_ harvest: Harvest, _ gfns: [GFN]) throws {
        guard rowsAgree else { return }
        for (index, gfn) in gfns.enumerated() {
            let seq = harvest.firstSeq + Int64(index)
            guard seq <= file.derived.rowsThrough else { return }
            guard try rows.step(), rows.int64(0) == seq else { return disagree(seq, "the row is missing") }
            guard rows.int64(1) == Int64(gfn) else {
                return disagree(seq, "gfn is \(rows.int64(1)), the packed entry says \(gfn)")
            }
        }
    }

    /// After the first difference every further row may differ: one finding says it.
    private func disagree(_ seq: Int64, _ problem: String) {
        findings.add("dirty_entry", seq, problem, .rebuild)
        rowsAgree = false
    }

    func check(_ expected: RunningSummary.IterationRow) throws {
        if file.isSummarized { try iterationRows.compare(expected) }
    }

    func check(_ expected: RunningSummary.PageRow) throws {
        if file.isSummarized { try pageRows.compare(expected) }
    }

    /// What must hold once everything was seen.
    func finish(_ vcpus: [RunningSummary.VCPURow]) throws {
        if rowsAgree, try rows.step() {
            findings.add("dirty_entry", rows.int64(0), "no packed entry has this number", .rebuild)
        }
        let through = file.derived.rowsThrough
        if through > entries {
            findings.add("recording", 1, "rows_through is \(through), but there are \(entries) entries", .rebuild)
        } else if through > 0, through < entries {
            findings.add("recording", 1, "plain rows end at \(through) of \(entries) entries", .recover)
        }
        contents?.finish()
        guard file.isSummarized else { return }
        try iterationRows.expectEnd()
        try pageRows.expectEnd()
        for vcpu in vcpus { try vcpuRows.compare(vcpu) }
    }
}

/// Compares the rows of a table, in ascending order, with those that it should have.
struct Comparison: RowEncoder {
    private let table: String
    private let findings: Findings
    private let statement: RawStatement
    private var columns: ColumnFinder
    private var key: Int64?
    private var isSame = true

    init(_ db: Database, _ table: String, by key: String, _ findings: Findings) throws {
        let columns = SchemaCatalog.columns(of: table)
        statement = try RawStatement(
            db, "SELECT \(columns.joined(separator: ", ")) FROM main.\(table) ORDER BY \(key)")
        (self.table, self.findings, self.columns) = (table, findings, ColumnFinder(columns))
    }

    /// Compares the next row with one whose first column is the key. Of a row that differs, the first difference is told.
    mutating func compare(_ expected: some EncodableRow) throws {
        key = nil
        columns.rewind()
        isSame = try statement.step()
        let isMissing = !isSame
        expected.encode(to: &self)
        if isMissing { findings.add(table, key, "the row is missing", .rebuild) }
    }

    mutating func set(_ column: String, _ value: Int64?) {
        key = key ?? value
        guard isSame, let place = columns.place(of: column).map(Int32.init) else { return }
        let found = statement.integer(place)
        guard found != value else { return }
        let words = [found, value].map { $0.map(String.init) ?? "NULL" }
        findings.add(table, key, "\(column) is \(words[0]) instead of \(words[1])", .rebuild)
        isSame = false
    }

    // Summaries are made of integers.
    mutating func set(_ column: String, _ value: String?) {}
    mutating func set(_ column: String, _ value: [UInt8]) {}

    /// There must be no further row.
    func expectEnd() throws {
        if try statement.step() {
            findings.add(table, statement.int64(0), "nothing in the recording explains the row", .rebuild)
        }
    }
}

/// Feeds one pass over the segments to the summary, which the walk follows and compares with the tables.
struct SummarizingWalk: RecordingVisitor {
    private let walk: VerifyingWalk
    private var summary: RunningSummary

    init(walk: VerifyingWalk, vcpuCount: Int, progress: @escaping (Int64) -> Void) {
        self.walk = walk
        summary = RunningSummary(
            vcpuCount: vcpuCount,
            follower: RunningSummary.Follower(
                harvest: walk.check, iteration: walk.check, row: walk.check, progress: progress))
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { try summary.visit(harvest, gfns: gfns) }

    mutating func visit(_ iteration: Iteration) throws { try summary.visit(iteration) }

    /// Checks what came; the rest of the recording may be unreadable.
    mutating func catchUp() throws { try summary.count() }

    mutating func finish() throws {
        let (vcpus, _) = try summary.finish(iteration: { _ in }, page: walk.check)
        try walk.finish(vcpus)
    }
}
