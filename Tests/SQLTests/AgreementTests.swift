import Analysis
import Foundation
import Model
import Testing

@testable import Store

/// Named queries say what the native analysis says, on random recordings.
@Suite struct AgreementTests {
    private let folder = Folder()
    private static let all = ["ticks": "1000"]

    private func check(seed: UInt64, _ body: (QuerySession, TraceAnalysis, MemoryTrace) throws -> Void) throws {
        let trace = Recordings.random(seed: seed)
        let path = folder.path + "/\(seed).db"
        try Recordings.write(path, trace, ending: seed % 2 == 0 ? .rows : .noRows)
        let session = try QuerySession(path: path)
        var options = AnalysisOptions()
        options.topPages = 10_000
        try body(session, Analyzer.analyze(RecordingFile(path: path), options: options), trace)
    }

    @Test(arguments: 1...UInt64(50))
    func `duplicates and working sets agree`(seed: UInt64) throws {
        try check(seed: seed) { session, analysis, _ in
            let total = analysis.duplicates
            #expect(
                try session.rows("duplicates/total")[0].dropLast()
                    == [SQLValue].integers(
                        total.entries, total.distinct, total.crossRing, total.redirtied + total.sameRing,
                        total.provisional, total.vmm)[...])
            #expect(
                try session.rows("duplicates/redirtied")
                    == analysis.timeline.filter { $0.duplicates.redirtied + $0.duplicates.sameRing > 0 }
                    .map { .integers($0.firstTick, $0.duplicates.redirtied, $0.duplicates.sameRing) })
            #expect(
                try session.rows("duplicates/by_iteration").map { Array($0.dropLast()) }
                    == analysis.timeline.map {
                        let counts = $0.duplicates
                        return [SQLValue].integers(
                            $0.firstTick, counts.entries, counts.distinct, counts.crossRing,
                            counts.redirtied + counts.sameRing, counts.provisional, counts.vmm)
                    })
            var soFar: Int64 = 0
            #expect(
                try session.rows("working_set/growth").map { Array($0[2...4]) }
                    == analysis.timeline.map {
                        soFar += $0.newPages
                        return [SQLValue].integers($0.duplicates.distinct, $0.newPages, soFar)
                    })
            #expect(
                try session.rows("duplicates/shared", ["ticks": "1000", "limit": "10000"]).map {
                    [$0[0], $0[2], $0[3], $0[4]]
                }
                    == analysis.sharing.topPages.map { .integers($0.gfn, $0.sharedTicks, $0.ticks, $0.entries) })
            #expect(
                try session.rows("duplicates/sharing_matrix", Self.all)
                    == analysis.sharing.pairs.map { .integers($0.first, $0.second, $0.pages) })
            #expect(
                try session.rows("working_set/redirty", Self.all).map { Array($0.prefix(2)) }
                    == analysis.redirty.buckets.map { .integers($0.ticks, $0.count) })
            #expect(
                try session.rows("working_set/granularity").map { [$0[0], $0[1]] }
                    == analysis.granularity.map { .integers($0.bytes, $0.units) })
            for window in analysis.workingSet.prefix(2) {
                let ticks = window.ticks ?? 0
                let pages = try (ticks...Int(analysis.counts.iterations)).map {
                    Int64(
                        try session.rows("working_set/window", ["ticks": "\(ticks)", "through": "\($0)"])[0][4].number)
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
                try session.rows("order/runs", Self.all).map { Array($0[0...4]) + Array($0[7...8]) }
                    == rings.map {
                        .integers(
                            $0.vcpu, $0.harvests, $0.steps + $0.harvests, $0.ascents, $0.descents,
                            $0.longestDescendingRun)
                            + [.text($0.shape.rawValue)]
                    })
            #expect(
                try session.rows("pages/hottest", ["limit": "10000"]).map { [$0[0], $0[2], $0[4], $0[6], $0[7]] }
                    == analysis.hottestPages.map { .integers($0.gfn, $0.ticks, $0.entries, $0.firstTick, $0.lastTick) })
            for list in analysis.hotLists {
                let row = try session.rows("convergence/hot_pages", ["percent": "\(Int(list.tickShare * 100))"])[0]
                #expect([row[0], row[2], row[3]] == .integers(list.pages, list.records, list.bytesSaved))
            }
            let steps = analysis.costs.steps.filter { $0.summary.count > 0 }
            #expect(
                try session.rows("cost/steps").map { [$0[0], $0[1], $0[2], $0[4], $0[5], $0[6]] }
                    == steps.map { step in
                        [.text(step.name)]
                            + .integers(
                                step.summary.count, step.summary.sum, step.summary.p50, step.summary.p95,
                                step.summary.max)
                    })
            let vcpus = analysis.rings.filter { $0.vcpu != nil }.sorted { ($0.vcpu ?? 0) < ($1.vcpu ?? 0) }
            #expect(
                try session.rows("cost/ring_full").map { [$0[0], $0[1], $0[3], $0[4]] }
                    == vcpus.map { .integers($0.vcpu, $0.fullExits, $0.stall.sum, $0.stall.max) })
            #expect(
                try Set(session.rows("convergence/vcpus").map { [$0[0], $0[1]] })
                    == Set(vcpus.map { .integers($0.vcpu, $0.duplicates.entries) }))
        }
    }

    @Test(arguments: 1...UInt64(50))
    func `convergence agrees`(seed: UInt64) throws {
        try check(seed: seed) { session, analysis, _ in
            for cell in analysis.convergence.grid {
                let settings = ["bandwidth": "\(cell.bandwidth)B/s", "downtime": "\(cell.downtimeNs)ns"]
                let model = try session.rows("convergence/average_model", settings)[0]
                #expect(model[2].number == SQLValue.real(cell.lambda.lambda).number)
                #expect(model[3] == .integer(cell.lambda.converges ? 1 : 0))
                #expect(model[4] == (cell.lambda.rounds.map { .integer(Int64($0)) } ?? .null))
                if let total = cell.lambda.totalNs { #expect(abs(model[5].number * 1e9 - Double(total)) < 2) }
                let link = try session.rows("convergence/link", settings)[0]
                #expect(link[2].number == SQLValue.real(analysis.rate.bytesPerSecond ?? 0).number)
            }
        }
    }

    @Test(arguments: 1...UInt64(20))
    func `what the analysis does not tell agrees with a plain count`(seed: UInt64) throws {
        try check(seed: seed) { session, _, trace in
            let entries = trace.batches.flatMap { $0.harvests.flatMap(\.1) }
            let counts = Dictionary(grouping: entries) { $0 }.mapValues { Int64($0.count) }
            for gfn in Set(entries).sorted().prefix(5) {
                #expect(Int64(try session.rows("pages/history", ["gfn": "\(gfn)"]).count) == counts[gfn])
            }
            let regions = Dictionary(grouping: counts.keys) { $0 / 16 * 16 }
            let rows = try session.rows("pages/regions", ["bytes": "64KiB", "limit": "10000"])
            #expect(
                Set(rows.map { [$0[0], $0[2], $0[3]] })
                    == Set(
                        regions.map { .integers($0.key, $0.value.count, $0.value.reduce(0) { $0 + (counts[$1] ?? 0) }) }
                    ))
            let data = try session.rows("pages/slots").filter { $0[2] == .text("data") }
            #expect(data.map { [$0[6], $0[8]] } == [.integers(counts.count, entries.count)])
            let shares = try session.rows("pages/by_share")
            #expect(shares.reduce(0) { $0 + Int($1[1].number) } == counts.count)
            let sets = try session.rows("duplicates/by_vcpus")
            #expect(sets.reduce(0) { $0 + Int($1[3].number) } == entries.count)
            let strides = try session.rows("order/strides", ["ticks": "1000", "limit": "100000"])
            let steps = trace.batches.flatMap(\.harvests).reduce(0) { $0 + max(0, $1.1.count - 1) }
            #expect(strides.reduce(0) { $0 + Int($1[2].number) } == steps)
            let unique = trace.batches.map { Int64(Set($0.harvests.flatMap(\.1)).count) }
            let calmest = try session.rows("convergence/best_start", ["ticks": "2", "limit": "1000"])
            #expect(
                Set(calmest.map { [$0[0], $0[3]] })
                    == Set(zip(unique, unique.dropFirst()).enumerated().map { .integers($0 + 1, $1.0 + $1.1) }))
        }
    }
}

extension [SQLValue] {
    static func integers(_ values: (any BinaryInteger)?...) -> [SQLValue] {
        values.map { $0.map { .integer(Int64($0)) } ?? .null }
    }
}
