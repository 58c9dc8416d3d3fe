import Analysis
import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// Named queries say what the native analysis says, on random recordings.
@Suite struct AgreementTests {
    private let folder = Scratch()
    private static let all = ["ticks": "1000"]

    private func check(seed: UInt64, _ body: (QuerySession, RecordingAnalysis, MemoryRecording) throws -> Void) throws {
        let recording = Recordings.random(seed: seed)
        let path = folder.path + "/\(seed).db"
        try Recordings.write(path, recording, ending: seed % 2 == 0 ? .rows : .noRows)
        let session = try QuerySession(path: path)
        var options = AnalysisOptions()
        options.topPages = 10_000
        try body(session, Analyzer.analyze(RecordingFile(path: path), options: options), recording)
    }

    @Test(arguments: 1...UInt64(50))
    func `duplicates and working sets agree`(seed: UInt64) throws {
        try check(seed: seed) { session, analysis, _ in
            let total = analysis.duplicates
            #expect(
                try session.rows(
                    "duplicates/total", of: "entries", "unique_pages", "cross_ring", "same_ring", "provisional", "vmm")
                    == [
                        .integers(
                            total.entries, total.distinct, total.crossRing, total.redirtied + total.sameRing,
                            total.provisional, total.vmm)
                    ])
            #expect(
                try session.rows("duplicates/redirtied", of: "iteration", "redirtied", "same_ring")
                    == analysis.timeline.filter { $0.duplicates.redirtied + $0.duplicates.sameRing > 0 }
                    .map { .integers($0.firstIteration, $0.duplicates.redirtied, $0.duplicates.sameRing) })
            #expect(
                try session.rows(
                    "duplicates/by_iteration", of: "iteration", "entries", "unique_pages", "cross_ring", "same_ring",
                    "provisional", "vmm")
                    == analysis.timeline.map {
                        let counts = $0.duplicates
                        return [SQLValue].integers(
                            $0.firstIteration, counts.entries, counts.distinct, counts.crossRing,
                            counts.redirtied + counts.sameRing, counts.provisional, counts.vmm)
                    })
            var soFar: Int64 = 0
            #expect(
                try session.rows("working_set/growth", of: "unique_pages", "new_pages", "pages_so_far")
                    == analysis.timeline.map {
                        soFar += $0.newPages
                        return [SQLValue].integers($0.duplicates.distinct, $0.newPages, soFar)
                    })
            #expect(
                try session.rows(
                    "duplicates/shared", ["ticks": "1000", "limit": "10000"], of: "gfn", "shared_iterations",
                    "iterations",
                    "entries")
                    == analysis.sharing.topPages.map {
                        .integers($0.gfn, $0.sharedIterations, $0.iterations, $0.entries)
                    })
            #expect(
                try session.rows("duplicates/sharing_matrix", Self.all, of: "first_vcpu", "second_vcpu", "pages")
                    == analysis.sharing.pairs.map { .integers($0.first, $0.second, $0.pages) })
            #expect(
                try session.rows("working_set/redirty", Self.all, of: "ticks", "intervals")
                    == analysis.redirty.buckets.map { .integers($0.iterations, $0.count) })
            #expect(
                try session.rows("working_set/granularity", of: "unit_bytes", "units")
                    == analysis.granularity.map { .integers($0.bytes, $0.units) })
            for window in analysis.workingSet.prefix(2) {
                let iterations = window.iterations ?? 0
                let pages = try (iterations...Int(analysis.counts.iterations)).map {
                    Int64(
                        try session.number(
                            "pages", "working_set/window", ["ticks": "\(iterations)", "through": "\($0)"]))
                }.sorted()
                #expect(pages.first == window.high.min && pages.last == window.high.max)
                #expect(pages[(pages.count * 50 + 99) / 100 - 1] == window.high.p50)
            }
        }
    }

    @Test(arguments: 1...UInt64(50))
    func `order, pages, costs and rates agree`(seed: UInt64) throws {
        try check(seed: seed) { session, analysis, _ in
            let rings = analysis.order.rings.filter { $0.harvests > 0 }.sorted { ($0.vcpu ?? .max) < ($1.vcpu ?? .max) }
            #expect(
                try session.rows(
                    "order/runs", Self.all, of: "vcpu", "harvests", "entries", "ascents", "descents",
                    "longest_descending_run", "shape")
                    == rings.map {
                        .integers(
                            $0.vcpu, $0.harvests, $0.steps + $0.harvests, $0.ascents, $0.descents,
                            $0.longestDescendingRun)
                            + [.text($0.shape.rawValue)]
                    })
            #expect(
                try session.rows(
                    "pages/hottest", ["limit": "10000"], of: "gfn", "iterations", "entries", "first_iteration",
                    "last_iteration")
                    == analysis.hottestPages.map {
                        .integers($0.gfn, $0.iterations, $0.entries, $0.firstIteration, $0.lastIteration)
                    })
            for list in analysis.hotLists {
                let rows = try session.rows(
                    "convergence/hot_pages", ["percent": "\(Int(list.iterationShare * 100))"], of: "pages", "records",
                    "saved_bytes")
                #expect(rows == [.integers(list.pages, list.records, list.bytesSaved)])
            }
            let steps = analysis.costs.steps.filter { $0.summary.count > 0 }
            #expect(
                try session.rows("cost/steps", of: "step", "count", "total_ns", "p50_ns", "p95_ns", "max_ns")
                    == steps.map { step in
                        [.text(step.name)]
                            + .integers(
                                step.summary.count, step.summary.sum, step.summary.p50, step.summary.p95,
                                step.summary.max)
                    })
            let vcpus = analysis.rings.filter { $0.vcpu != nil }.sorted { ($0.vcpu ?? 0) < ($1.vcpu ?? 0) }
            #expect(
                try session.rows("cost/ring_full", of: "vcpu", "exits", "stall_ns", "max_ns")
                    == vcpus.map { .integers($0.vcpu, $0.fullExits, $0.stall.sum, $0.stall.max) })
            #expect(
                try Set(session.rows("convergence/vcpus", of: "vcpu", "entries"))
                    == Set(vcpus.map { .integers($0.vcpu, $0.duplicates.entries) }))
        }
    }

    @Test(arguments: 1...UInt64(50))
    func `convergence agrees`(seed: UInt64) throws {
        try check(seed: seed) { session, analysis, _ in
            for cell in analysis.convergence.grid {
                let settings = ["bandwidth": "\(cell.bandwidth)B/s", "downtime": "\(cell.downtimeNs)ns"]
                let model = try session.rows("convergence/average_model", settings, of: "converges", "rounds")[0]
                #expect(
                    try session.number("lambda", "convergence/average_model", settings)
                        == SQLValue.real(cell.lambda.lambda).number)
                #expect(
                    model == [
                        .integer(cell.lambda.converges ? 1 : 0),
                        cell.lambda.rounds.map { .integer(Int64($0)) } ?? .null,
                    ])
                if let total = cell.lambda.totalNs {
                    let seconds = try session.number("total_s", "convergence/average_model", settings)
                    #expect(abs(seconds * 1e9 - Double(total)) < 2)
                }
                #expect(
                    try session.number("mean_bytes_per_s", "convergence/link", settings)
                        == SQLValue.real(analysis.rate.bytesPerSecond ?? 0).number)
            }
        }
    }

    @Test(arguments: 1...UInt64(30))
    func `snapshots agree`(seed: UInt64) throws {
        try check(seed: seed) { session, _, recording in
            for (coalesce, block) in [(0, 4096), (0, 65_536), (8192, 4096)] as [(Int64, Int64)] {
                var options = SnapshotOptions()
                options.cadencesNs = [20_000_000, 70_000_000]
                options.blocks = [block]
                options.coalesce = coalesce
                let report = try Snapshots.report(recording, options: options)
                for cadence in [20_000_000, 70_000_000] as [Int64] {
                    let rows = try session.rows(
                        "snapshots/diffs",
                        ["cadence": "\(cadence)ns", "block": "\(block)B", "coalesce": "\(coalesce)B"],
                        of: "blocks", "extents", "bytes"
                    ).map { $0.map { Int64($0.number) } }
                    let sums = (0..<3).map { column in rows.reduce(0) { $0 + $1[column] } }
                    guard let size = report.sizes.first(where: { $0.cadenceNs == cadence }) else {
                        #expect(rows.isEmpty)
                        continue
                    }
                    #expect(size.count == Int64(rows.count))
                    #expect([size.blocks, size.extents, size.bytes] == sums)
                    #expect(size.first == rows.first?.last)
                    #expect(size.size.max == rows.compactMap(\.last).max())
                    for score in report.stability where score.cadenceNs == cadence {
                        guard case .last(let count) = score.policy else { continue }
                        let rows = try session.rows(
                            "snapshots/stability", ["cadence": "\(cadence)ns", "last": "\(count)"],
                            of: "foretold", "dirtied", "hits")
                        let sums = (0..<3).map { column in rows.reduce(0) { $0 + Int64($1[column].number) } }
                        #expect([score.foretold, score.dirtied, score.hits] == sums)
                    }
                }
            }
        }
    }

    @Test(arguments: 1...UInt64(20))
    func `what the analysis does not tell agrees with a plain count`(seed: UInt64) throws {
        try check(seed: seed) { session, _, recording in
            let entries = recording.batches.flatMap { $0.harvests.flatMap(\.1) }
            let counts = Dictionary(grouping: entries) { $0 }.mapValues { Int64($0.count) }
            for gfn in Set(entries).sorted().prefix(5) {
                #expect(Int64(try session.rows("pages/history", ["gfn": "\(gfn)"]).count) == counts[gfn])
            }
            let regions = Dictionary(grouping: counts.keys) { $0 / 16 * 16 }
            let rows = try session.rows(
                "pages/regions", ["bytes": "64KiB", "limit": "10000"], of: "first_gfn", "pages", "entries")
            #expect(
                Set(rows)
                    == Set(
                        regions.map { .integers($0.key, $0.value.count, $0.value.reduce(0) { $0 + (counts[$1] ?? 0) }) }
                    ))
            let slots = try session.rows("pages/slots", of: "name", "dirty_pages", "entries")
            #expect(
                slots.filter { $0.first == .text("data") } == [[.text("data")] + .integers(counts.count, entries.count)]
            )
            let shares = try session.rows("pages/by_share", of: "pages")
            #expect(shares.joined().reduce(0) { $0 + Int($1.number) } == counts.count)
            let sets = try session.rows("duplicates/by_vcpus", of: "entries")
            #expect(sets.joined().reduce(0) { $0 + Int($1.number) } == entries.count)
            let strides = try session.rows("order/strides", ["ticks": "1000", "limit": "100000"], of: "steps")
            let steps = recording.batches.flatMap(\.harvests).reduce(0) { $0 + max(0, $1.1.count - 1) }
            #expect(strides.joined().reduce(0) { $0 + Int($1.number) } == steps)
            let unique = recording.batches.map { Int64(Set($0.harvests.flatMap(\.1)).count) }
            let calmest = try session.rows(
                "convergence/best_start", ["ticks": "2", "limit": "1000"], of: "first_iteration", "unique_pages")
            #expect(
                Set(calmest)
                    == Set(zip(unique, unique.dropFirst()).enumerated().map { .integers($0 + 1, $1.0 + $1.1) }))
        }
    }
}

extension [SQLValue] {
    static func integers(_ values: (any BinaryInteger)?...) -> [SQLValue] {
        values.map { $0.map { .integer(Int64($0)) } ?? .null }
    }
}
