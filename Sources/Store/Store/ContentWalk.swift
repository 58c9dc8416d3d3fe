import GRDB
import Model

/// Walks through `page_content` beside the harvests: each row needs an entry of its iteration that names the page.
final class ContentWalk {
    private let findings: Findings
    private var rows: CheckedRows
    /// The row that was read last, and its number; nil after the last one.
    private var next: PageContent?
    private var number: Int64 = 0
    /// Rows of the iteration in progress whose entry has not come.
    private var open: [GFN: Int64] = [:]

    init(_ db: Database, _ path: String, _ findings: Findings) throws {
        self.findings = findings
        rows = try CheckedRows(db, path, PageContent.table)
        try advance()
    }

    private func advance() throws {
        next = try rows.step() ? PageContent(row: &rows) : nil
        number += 1
    }

    func check(_ harvest: Harvest, _ gfns: [GFN]) throws {
        try read(through: harvest.iteration)
        guard !open.isEmpty else { return }
        for gfn in gfns { open[gfn] = nil }
    }

    func endIteration(_ id: Int64) throws {
        try read(through: id)
        for (gfn, row) in open.sorted(by: { $0.value < $1.value }) {
            findings.add(PageContent.table, row, "no entry of iteration \(id) names GFN \(gfn)", .restore)
        }
        open.removeAll(keepingCapacity: true)
    }

    /// What is left over names iterations that do not exist.
    func finish() {
        if next != nil {
            findings.add(PageContent.table, number, "its iteration is over already, or does not exist", .restore)
        }
    }

    private func read(through iteration: Int64) throws {
        while let content = next, content.iteration == iteration {
            open[content.gfn] = number
            try advance()
        }
    }
}
