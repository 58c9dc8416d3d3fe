import Analysis
import Model
import Store
import Testing

@testable import Report

/// Numbers in the page equal `--json` equal SQL.
struct PageNumbersTests {
    @Test(arguments: [24, 1100])
    func `every statement on the page gives the page's rows`(iterations: Int) throws {
        let folder = try PageFolder()
        let path = folder.file("a.db")
        try PageSample.record(path, iterations, entries: iterations > 100 ? 12 : 60)
        let report = try PageSample.report(path)
        let sets = try report.sets { try PageSample.rows(path, $0).rows }
        #expect(sets.count == 20)
        for set in sets {
            let answer = try PageSample.rows(path, set.sql)
            #expect(answer.columns == set.columns.map(\.key), "\(set.name)")
            #expect(answer.rows.count == set.rows.count, "\(set.name)")
            for (place, (theirs, ours)) in zip(answer.rows, set.rows).enumerated() {
                #expect(
                    zip(theirs, ours).allSatisfy { equal(JSON($0), JSON($1)) },
                    "\(set.name), row \(place): \(theirs) \(ours)")
            }
        }
    }

    @Test func `more iterations than boundaries give the same windows`() throws {
        let folder = try PageFolder()
        let path = folder.file("a.db")
        try PageSample.record(path, 4200, entries: 2)
        let report = try PageSample.report(path)
        for set in try report.sets(query: { try PageSample.rows(path, $0).rows })
        where ["working_set", "working_set_windows", "checkpoints", "rate", "vcpus"].contains(set.name) {
            let answer = try PageSample.rows(path, set.sql).rows
            #expect(answer.count == set.rows.count, "\(set.name)")
            for (theirs, ours) in zip(answer, set.rows) {
                #expect(zip(theirs, ours).allSatisfy { equal(JSON($0), JSON($1)) }, "\(set.name): \(theirs) \(ours)")
            }
        }
    }

    @Test func `every round on the page is what its statement counts`() throws {
        let folder = try PageFolder()
        let path = folder.file("a.db")
        try PageSample.record(path, 40, entries: 400)
        let report = try PageSample.report(path)
        var rounds = 0
        for cell in report.analysis.convergence.grid {
            guard let sql = ConvergenceView.sql(cell.outcome) else { continue }
            let counted = try PageSample.rows(path, sql).rows
            let known = ConvergenceView.shown(cell.outcome).filter { $0.round.dirtyPages?.high != nil }
            #expect(counted.count == known.count)
            for (row, (number, round)) in zip(counted, known) {
                let dirty = round.dirtyPages
                #expect(
                    row.map { JSON($0) } == [JSON(number), JSON(dirty?.low), JSON(dirty?.high)],
                    "\(ConvergenceView.title(cell)), round \(number)")
                rounds += 1
            }
        }
        #expect(rounds > 10)
    }

    @Test func `the page's rows are the JSON's`() throws {
        let folder = try PageFolder()
        let path = folder.file("a.db")
        try PageSample.record(path, 24)
        let report = try PageSample.report(path)
        let json = JSONReport.render(report.analysis)
        let sets = Dictionary(
            uniqueKeysWithValues: try report.sets { try PageSample.rows(path, $0).rows }.map { ($0.name, $0) })
        for (name, key, columns) in Self.counterparts {
            let set = try #require(sets[name])
            let theirs = try #require(json.at(key)?.elements, "\(key)")
            #expect(theirs.count == set.rows.count, "\(name)")
            for (row, object) in zip(set.rows, theirs) {
                for (column, path) in columns {
                    let place = try #require(set.columns.firstIndex { $0.key == column })
                    #expect(equal(JSON(row[place]), object.at(path) ?? .string("missing")), "\(name).\(column)")
                }
            }
        }
        func sum(_ set: String, _ column: String, where match: ([SQLValue]) -> Bool = { _ in true }) throws -> Int64 {
            let set = try #require(sets[set])
            let place = try #require(set.columns.firstIndex { $0.key == column })
            return set.rows.filter(match).reduce(0) {
                if case .integer(let value) = $1[place] { $0 + value } else { $0 }
            }
        }
        let entries = json.at("counts.entries")
        #expect(try JSON(sum("vcpus", "entries")) == entries)
        #expect(try JSON(sum("rings", "entries")) == entries)
        for (step, key) in [("scan", "scan"), ("reset", "reset"), ("pause", "pause")] {
            #expect(
                try JSON(sum("costs", "ns") { $0.contains(.text(step)) }) == json.at("costs_ns.\(key).sum"))
        }
        #expect(try JSON(sum("losses", "entries")) == json.at("fidelity.lost"))
        let cells = try #require(json.at("convergence.grid")?.elements)
        #expect(cells.count == 36)
    }

    /// Set, key of the JSON's array, and which column is which key.
    private static let counterparts: [(String, String, [(String, String)])] = [
        (
            "rate", "timeline",
            [
                ("first_tick", "first_tick"), ("ticks", "ticks"), ("entries", "duplicates.entries"),
                ("unique_pages", "duplicates.distinct"), ("new_pages", "new_pages"),
            ]
        ),
        (
            "iterations", "timeline",
            [
                ("cross_ring", "duplicates.cross_ring"),
                ("provisional", "duplicates.provisional"),
            ]
        ),
        ("working_set", "working_set_course", [("ticks", "ticks"), ("last_tick", "last_tick"), ("pages", "pages")]),
        (
            "working_set_windows", "working_set",
            [
                ("ticks", "ticks"), ("tau_ns", "tau_ns"), ("windows", "windows"), ("min", "pages.min"),
                ("p50", "pages.p50"), ("p90", "pages.p90"), ("p95", "pages.p95"), ("max", "pages.max"),
            ]
        ),
        ("footprint", "footprint", [("ticks", "ticks"), ("pages", "pages"), ("sum", "sum"), ("windows", "windows")]),
        ("redirty", "redirty", [("ticks", "ticks"), ("last_ticks", "last_ticks"), ("count", "count")]),
        (
            "granularity", "granularity",
            [("bytes", "bytes"), ("units", "units"), ("amplification", "amplification")]
        ),
        (
            "sharing", "sharing.pairs",
            [("first_vcpu", "first_vcpu"), ("second_vcpu", "second_vcpu"), ("pages", "pages")]
        ),
        (
            "shared", "sharing.top_pages",
            [("gfn", "gfn"), ("shared_ticks", "shared_ticks"), ("entries", "entries"), ("ticks", "ticks")]
        ),
        (
            "hottest", "hottest_pages",
            [("gfn", "gfn"), ("ticks", "ticks"), ("entries", "entries"), ("shared_ticks", "shared_ticks")]
        ),
        (
            "ring_what_if", "ring_what_if",
            [
                ("ring_entries", "ring_entries"), ("soft_limit", "soft_limit"), ("full_exits", "full_exits_low"),
                ("affected_intervals", "affected_intervals"),
            ]
        ),
        (
            "checkpoints", "checkpoints",
            [
                ("ticks", "ticks"), ("cadence_ns", "cadence_ns"), ("count", "count"), ("pages", "pages"),
                ("largest_bytes", "largest_bytes"), ("chain_bytes", "chain_bytes"), ("full_every", "full_every"),
            ]
        ),
        (
            "rings", "rings",
            [
                ("entries", "duplicates.entries"), ("first_reports", "duplicates.distinct"),
                ("cross_ring", "duplicates.cross_ring"), ("ring_full", "full_exits"), ("stall_ns", "stall_ns.sum"),
            ]
        ),
    ]

    private func equal(_ one: JSON, _ other: JSON) -> Bool {
        guard let a = one.double, let b = other.double else { return one == other }
        return (a - b).magnitude <= 1e-9 * max(1, a.magnitude, b.magnitude)
    }
}

extension JSON {
    fileprivate var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
    fileprivate var elements: [JSON]? { if case .array(let values) = self { values } else { nil } }

    /// The value at keys separated by dots.
    fileprivate func at(_ path: String) -> JSON? {
        path.split(separator: ".").reduce(self) { (value: JSON?, key) in
            guard case .object(let members)? = value else { return nil }
            return members.first { $0.0 == key }?.1
        }
    }
}
