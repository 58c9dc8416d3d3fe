import GRDB
import Model

/// Streams harvests and iterations out of a file that cannot be trusted, in bounded memory.
struct RecordingReader {
    let db: Database
    let path: String
    let info: RecordingInfo

    func replay(into visitor: inout some RecordingVisitor) throws {
        var iterations = try CheckedRows(db, path, Iteration.table)
        var harvests = try CheckedRows(db, path, Harvest.table, vcpuCount: info.vcpuCount)
        var current: Iteration?
        var previous: Harvest?
        var gfns: [GFN] = []
        var times: [Int64] = []

        /// Reads the next iteration; nil after the last.
        func nextIteration() throws -> Iteration? {
            guard try iterations.step() else { return nil }
            let next = try Iteration(row: &iterations)
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
        let harvest = try Harvest(row: &row)
        let expected = previous.map { $0.firstSeq + Int64($0.entryCount) } ?? 1
        guard harvest.firstSeq == expected else {
            throw row.corrupt("first_seq is \(harvest.firstSeq) instead of \(expected)")
        }
        do {
            try row.withBlob("entries") { segment in
                try Segment.decode(
                    segment, count: harvest.entryCount, sinceNs: harvest.sinceNs, into: &gfns, times: &times)
            }
        } catch let error as Segment.DecodingError { throw row.corrupt(error.description) }
        if info.pageSize > 4096, let largest = gfns.max(), largest > GFN(Int64.max / info.pageSize) {
            throw row.corrupt("GFN \(largest) lies beyond 2^63 bytes")
        }
        return harvest
    }
}
