import GRDB
import Model

/// Walks through `page_content` beside the harvests: each row needs an entry of its own in its iteration that names the page.
final class ContentWalk {
    private let findings: Findings
    private var rows: CheckedRows
    /// The row that was read last, and its number; nil after the last one.
    private var next: PageContent?
    private var number: Int64 = 0
    /// Rows of the iteration in progress whose entries have not come: the last one of a page, and how many.
    private var open: [GFN: (row: Int64, count: Int)] = [:]

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
        for gfn in gfns {
            guard let place = open.index(forKey: gfn) else { continue }
            if open.values[place].count == 1 { open.remove(at: place) } else { open.values[place].count -= 1 }
        }
    }

    func endIteration(_ id: Int64) throws {
        try read(through: id)
        for (gfn, left) in open.sorted(by: { $0.value.row < $1.value.row }) {
            findings.add(PageContent.table, left.row, "no entry of iteration \(id) names GFN \(gfn) for it", .restore)
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
            open[content.gfn] = (number, (open[content.gfn]?.count ?? 0) + 1)
            try advance()
        }
    }
}
