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

    @Test mutating func `also when the vCPU did not run in between`() {
        _ = verdict(after: 1, reported: [pages[0], pages[1]])
        #expect(verdict(after: 1, reported: []).missing == 0)
        #expect(verdict(after: 2, reported: []).missing == 0)
        // It was excused once, not for ever.
        #expect(verdict(after: 3, reported: []).missing == 1)
    }
}
