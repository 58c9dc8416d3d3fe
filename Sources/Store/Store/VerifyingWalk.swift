import GRDB
import Model

/// Walks through harvests and iterations beside the plain rows and the summary tables, and notes where they disagree.
final class VerifyingWalk {
    private let file: RecordingFile
    private let findings: Findings
    private let slots: [MemorySlot]
    private let rows: RawStatement
    private let iterationRows: RawStatement
    private let pageRows: RawStatement
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
        iterationRows = try RawStatement(
            db,
            """
            SELECT iteration, entries, unique_pages, new_pages, cross_ring, same_ring, provisional, vmm
            FROM main.iteration_summary ORDER BY iteration
            """)
        pageRows = try RawStatement(
            db,
            """
            SELECT gfn, entries, iterations, vcpu_count, vcpu_mask, first_iteration, last_iteration, first_ns, last_ns
            FROM main.page_summary ORDER BY gfn
            """)
    }

    func check(_ harvest: Harvest, _ gfns: [GFN]) throws {
        let expected = (previous?.id ?? 0) + 1
        if harvest.id != expected { findings.add("harvest", harvest.id, "harvest \(expected) is missing", .restore) }
        let ring = DuplicateClassifier.ring(of: harvest)
        if let last = lastTime[ring], harvest.tsNs < last {
            findings.add("harvest", harvest.id, "ts_ns is earlier than at the previous harvest of its source", .report)
        }
        lastTime[ring] = harvest.tsNs
        latestHarvest = max(latestHarvest, harvest.tsNs)
        checkSlots(harvest, gfns)
        try checkRows(harvest, gfns)
        previous = harvest
        entries += Int64(gfns.count)
    }

    func check(_ iteration: Iteration) throws {
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

    func check(_ expected: Summary.IterationRow) throws {
        guard file.isSummarized else { return }
        try compare("iteration_summary", iterationRows, expected.columns)
    }

    func check(_ expected: Summary.PageRow) throws {
        guard file.isSummarized else { return }
        try compare("page_summary", pageRows, expected.columns)
    }

    private func compare(_ table: String, _ statement: RawStatement, _ expected: [Int64?]) throws {
        guard try statement.step() else {
            return findings.add(table, expected[0], "the row is missing", .rebuild)
        }
        for (column, value) in expected.enumerated() where statement.integer(Int32(column)) != value {
            let found = statement.integer(Int32(column)).map(String.init) ?? "NULL"
            return findings.add(
                table, expected[0],
                "\(statement.columnName(Int32(column))) is \(found) instead of \(value.map(String.init) ?? "NULL")",
                .rebuild)
        }
    }

    /// What must hold once everything was seen.
    func finish(_ vcpus: [Summary.VCPUTotals], _ db: Database) throws {
        if rowsAgree, try rows.step() {
            findings.add("dirty_entry", rows.int64(0), "no packed entry has this number", .rebuild)
        }
        let through = file.derived.rowsThrough
        if through > entries {
            findings.add("recording", 1, "rows_through is \(through), but there are \(entries) entries", .rebuild)
        } else if through > 0, through < entries {
            findings.add("recording", 1, "plain rows end at \(through) of \(entries) entries", .recover)
        }
        guard file.isSummarized else { return }
        for (table, statement) in [("iteration_summary", iterationRows), ("page_summary", pageRows)]
        where try statement.step() {
            findings.add(table, statement.int64(0), "nothing in the recording explains the row", .rebuild)
        }
        let totals = try RawStatement(
            db, "SELECT vcpu, harvests, entries, unique_pages, ring_full, stall_ns FROM main.vcpu ORDER BY vcpu")
        for (vcpu, expected) in vcpus.enumerated() {
            try compare(
                "vcpu", totals,
                [
                    Int64(vcpu), expected.harvests, expected.entries, expected.uniquePages, expected.ringFull,
                    expected.stallNs,
                ])
        }
    }
}

/// Feeds one pass over the segments to the walk and to the summary that it compares with the tables.
struct SummarizingWalk: TraceVisitor {
    private let walk: VerifyingWalk
    private var summary: Summary

    init(walk: VerifyingWalk, vcpuCount: Int, progress: @escaping (Int64) -> Void) {
        self.walk = walk
        summary = Summary(vcpuCount: vcpuCount, emit: walk.check, progress: progress)
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        try walk.check(harvest, gfns)
        try summary.visit(harvest, gfns: gfns)
    }

    mutating func visit(_ iteration: Iteration) throws {
        try walk.check(iteration)
        try summary.visit(iteration)
    }

    mutating func finish(_ db: Database) throws {
        try summary.finish(page: walk.check)
        try walk.finish(summary.vcpus, db)
    }
}
