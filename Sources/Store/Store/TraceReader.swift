import GRDB
import Model

/// Streams harvests and iterations out of a file that cannot be trusted, in bounded memory.
struct TraceReader {
    let db: Database
    let path: String
    let info: RecordingInfo

    static let harvestColumns = [
        "id", "iteration", "source", "vcpu", "cause", "since_ns", "ts_ns", "entry_count", "first_seq",
        "provisional_count", "scan_ns", "reset_ns", "stall_ns", "entries",
    ]
    static let iterationColumns = [
        "id", "start_ns", "end_ns", "kick_ns", "pause_ns", "scan_ns", "get_ns", "clear_ns", "reset_ns", "resume_ns",
        "guest_progress",
    ]

    func replay(into visitor: inout some TraceVisitor) throws {
        var iterations = try CheckedRows(db, path, "iteration", Self.iterationColumns)
        var harvests = try CheckedRows(db, path, "harvest", Self.harvestColumns)
        var current: Iteration?
        var previous: Harvest?
        var gfns: [GFN] = []
        var times: [Int64] = []

        /// Reads the next iteration; nil after the last.
        func nextIteration() throws -> Iteration? {
            guard try iterations.step() else { return nil }
            let next = try Self.iteration(&iterations)
            if let current, next.id <= current.id || next.startNs < current.startNs {
                throw iterations.corrupt("iteration \(next.id) follows iteration \(current.id)")
            }
            return next
        }

        current = try nextIteration()
        while try harvests.step() {
            let harvest = try self.harvest(&harvests, after: previous, gfns: &gfns, times: &times)
            while let complete = current, complete.id < harvest.iteration {
                try visitor.visit(complete)
                current = try nextIteration()
            }
            guard current?.id == harvest.iteration else {
                throw harvests.corrupt("iteration \(harvest.iteration) does not exist or is over already")
            }
            try visitor.visit(harvest, gfns: gfns, times: times)
            previous = harvest
        }
        while let complete = current {
            try visitor.visit(complete)
            current = try nextIteration()
        }
    }

    private func harvest(
        _ row: inout CheckedRows, after previous: Harvest?, gfns: inout [GFN], times: inout [Int64]
    ) throws -> Harvest {
        let id = try row.integer(in: 1...Int64.max)
        var harvest = Harvest(
            id: id, iteration: try row.integer(in: 1...Int64.max), source: try row.word(Source.self),
            vcpu: try row.optional { try $0.vcpu(of: info.vcpuCount) },
            cause: try row.word(HarvestCause.self), sinceNs: try row.time(), tsNs: try row.time(),
            entryCount: Int(try row.integer(in: 0...Int64(Segment.maxEntries))), firstSeq: try row.integer(),
            provisionalCount: 0)
        harvest.provisionalCount = Int(try row.integer(in: 0...Int64(harvest.entryCount)))
        harvest.scanNs = try row.amount()
        harvest.resetNs = try row.amount()
        harvest.stallNs = try row.amount()
        guard harvest.sinceNs <= harvest.tsNs else { throw row.corrupt("since_ns is later than ts_ns") }
        let expected = previous.map { $0.firstSeq + Int64($0.entryCount) } ?? 1
        guard harvest.firstSeq == expected else {
            throw row.corrupt("first_seq is \(harvest.firstSeq) instead of \(expected)")
        }
        do {
            try row.withBlob { segment in
                try Segment.decode(
                    segment, count: harvest.entryCount, sinceNs: harvest.sinceNs, into: &gfns, times: &times)
            }
        } catch let error as Segment.DecodingError { throw row.corrupt(error.description) }
        if info.pageSize > 4096, let largest = gfns.max(), largest > GFN(Int64.max / info.pageSize) {
            throw row.corrupt("GFN \(largest) lies beyond 2^63 bytes")
        }
        return harvest
    }

    private static func iteration(_ row: inout CheckedRows) throws -> Iteration {
        var iteration = Iteration(
            id: try row.integer(in: 1...Int64.max), startNs: try row.time(), endNs: try row.time())
        guard iteration.startNs <= iteration.endNs else { throw row.corrupt("start_ns is later than end_ns") }
        iteration.kickNs = try row.amount()
        iteration.pauseNs = try row.amount()
        iteration.scanNs = try row.amount()
        iteration.getNs = try row.amount()
        iteration.clearNs = try row.amount()
        iteration.resetNs = try row.amount()
        iteration.resumeNs = try row.amount()
        iteration.guestProgress = try row.optional { try $0.time() }
        return iteration
    }
}
