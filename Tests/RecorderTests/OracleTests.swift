import Analysis
import Foundation
import Guests
import Model
import Testing

@testable import Recorder

/// What the known answer makes of an operation that is in flight at a stop.
struct OracleTests {
    private var answer: KnownAnswer
    private let pages: [GFN]

    init() throws {
        let guest = try BuiltinGuest(workload: Workload(parsing: "sequential:size=64KiB"), vcpus: 1, memory: nil)
        answer = KnownAnswer(guest: guest)
        pages = (0..<4).map { guest.dataGFN + GFN($0) }
    }

    private mutating func verdict(after operations: UInt64, reported: [GFN]) -> OracleVerdict {
        var pages = ReportedPages()
        pages.dirty = Set(reported)
        return answer.judge(pages, iteration: 1, progress: [operations])
    }

    @Test mutating func `what was written must be reported`() {
        #expect(verdict(after: 2, reported: [pages[0]]).missing == 1)
    }

    @Test mutating func `a page reported before its operation was counted need not come again`() {
        let early = verdict(after: 1, reported: [pages[0], pages[1]])
        #expect((early.missing, early.provisional, early.unexplained) == (0, 1, 0))
        #expect(verdict(after: 2, reported: []).missing == 0)
    }

    @Test func `a page that nothing explains makes a recording incomplete, as a missing one does`() throws {
        func isComplete(missing: Int64, unexplained: Int64) throws -> [Bool] {
            var verdict = OracleVerdict(iteration: 1, oracle: "known-answer")
            (verdict.missing, verdict.unexplained) = (missing, unexplained)
            var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 1))
            batch.verdicts = [verdict]
            var info = RecordingInfo()
            info.endReason = .iterations
            let outcome = RecorderOutcome(reason: .iterations, endNs: 1, losses: [], verdicts: [verdict], ringFull: 0)
            let analysis = try Analyzer.analyze(MemoryRecording(info: info, slots: [], batches: [batch]))
            return [outcome.isComplete, analysis.fidelity.isComplete]
        }
        #expect(try isComplete(missing: 0, unexplained: 0) == [true, true])
        #expect(try isComplete(missing: 1, unexplained: 0) == [false, false])
        #expect(try isComplete(missing: 0, unexplained: 1) == [false, false])
    }

    @Test mutating func `also when the vCPU did not run in between`() {
        _ = verdict(after: 1, reported: [pages[0], pages[1]])
        #expect(verdict(after: 1, reported: []).missing == 0)
        #expect(verdict(after: 2, reported: []).missing == 0)
        // It was excused once, not for ever.
        #expect(verdict(after: 3, reported: []).missing == 1)
    }
}
