import Dispatch
import GRDB
import Model
import Platform

/// Streams harvests and iterations out of a file that cannot be trusted, in bounded memory.
///
/// Rows are read some way ahead of the visitor, and another thread decodes their segments meanwhile; SQLite and the visitor stay
/// on the caller's thread.
struct RecordingReader {
    /// What was read before.
    struct Place: Sendable {
        var iteration: Iteration?
        var harvest: Harvest?
    }

    let db: Database
    let path: String
    let info: RecordingInfo
    /// After which it goes on.
    var place = Place()

    func replay(into visitor: inout some RecordingVisitor) throws {
        var rows = try RowsAhead(db, path, after: place, vcpuCount: info.vcpuCount)
        var ahead = rows.next().map { Decoding($0, path: path, pageSize: info.pageSize) }
        while let decoding = ahead {
            ahead = rows.next().map { Decoding($0, path: path, pageSize: info.pageSize) }
            let decoded = decoding.wait()
            var next = 0
            for event in decoding.rows.events.prefix(decoded.events) {
                switch event {
                case .iteration(let iteration): try visitor.visit(iteration)
                case .harvest(let harvest, _, _):
                    try visitor.visit(harvest, gfns: decoded.entries[next].gfns, times: decoded.entries[next].times)
                    next += 1
                }
            }
            if let failure = decoded.failure ?? decoding.rows.failure { throw failure }
        }
    }
}

/// Rows of a file that follow each other, and why no more can be read, if so.
private struct ReadRows: Sendable {
    enum Event: Sendable {
        case harvest(Harvest, row: Int64, segment: [UInt8])
        case iteration(Iteration)
    }
    var events: [Event] = []
    var bytes = 0
    var failure: (any Error)?

    var isFull: Bool { bytes >= 1 << 20 || events.count >= 1 << 12 }
}

/// Reads harvests and iterations side by side.
private struct RowsAhead {
    private let path: String
    private var iterations: CheckedRows
    private var harvests: CheckedRows
    /// Of the harvests that have one; nil in a file without any.
    private var spans: CheckedRows?
    private var span: HarvestSpan?
    private var current: Iteration?
    private var latest: Iteration?
    private var previous: Harvest?
    /// A harvest that was read and waits for the iterations before its own.
    private var waiting: (harvest: Harvest, row: Int64, segment: [UInt8])?
    private var hasBegun = false
    private var isOver = false

    init(_ db: Database, _ path: String, after place: RecordingReader.Place, vcpuCount: Int) throws {
        self.path = path
        (latest, previous) = (place.iteration, place.harvest)
        iterations = try CheckedRows(db, path, Iteration.table, after: latest?.id)
        harvests = try CheckedRows(db, path, Harvest.table, after: previous?.id, vcpuCount: vcpuCount)
        if try Schema.isThere(HarvestSpan.table, db) {
            spans = try CheckedRows(db, path, HarvestSpan.table, after: previous?.id)
            try nextSpan()
        }
    }

    /// The next rows; nil after the last.
    mutating func next() -> ReadRows? {
        if isOver { return nil }
        var rows = ReadRows()
        do {
            if !hasBegun { current = try nextIteration() }
            hasBegun = true
            while !rows.isFull, !isOver { try readOne(into: &rows) }
        } catch {
            rows.failure = error
            isOver = true
        }
        return rows
    }

    private mutating func readOne(into rows: inout ReadRows) throws {
        if waiting == nil, try harvests.step() { waiting = try harvest() }
        if let complete = current, complete.id < waiting?.harvest.iteration ?? .max {
            rows.events.append(.iteration(complete))
            current = try nextIteration()
            return
        }
        guard let (harvest, row, segment) = waiting else {
            if let span { throw corrupt(span) }
            return isOver = true
        }
        guard current?.id == harvest.iteration else {
            throw harvests.corrupt("iteration \(harvest.iteration) does not exist or is over already")
        }
        rows.events.append(.harvest(harvest, row: row, segment: segment))
        rows.bytes += segment.count
        previous = harvest
        waiting = nil
    }

    private mutating func nextSpan() throws {
        guard var rows = spans else { return }
        span = try rows.step() ? HarvestSpan(row: &rows) : nil
        spans = rows
    }

    private func corrupt(_ span: HarvestSpan) -> any Error {
        RecordingError(
            path, .corrupt(table: HarvestSpan.table, row: span.harvest, "there is no harvest \(span.harvest)"))
    }

    /// Reads the next iteration; nil after the last.
    private mutating func nextIteration() throws -> Iteration? {
        guard try iterations.step() else { return nil }
        let next = try Iteration(row: &iterations)
        if let latest, next.id <= latest.id || next.startNs < latest.startNs {
            throw iterations.corrupt("iteration \(next.id) follows iteration \(latest.id)")
        }
        latest = next
        return next
    }

    private mutating func harvest() throws -> (Harvest, row: Int64, segment: [UInt8]) {
        var harvest = try Harvest(row: &harvests)
        let expected = previous.map { $0.firstSeq + Int64($0.entryCount) } ?? 1
        guard harvest.firstSeq == expected else {
            throw harvests.corrupt("first_seq is \(harvest.firstSeq) instead of \(expected)")
        }
        var segment: [UInt8] = []
        try harvests.blob("entries", &segment)
        if let span, span.harvest <= harvest.id {
            guard span.harvest == harvest.id else { throw corrupt(span) }
            harvest.entryPages = span.pages
            try nextSpan()
        }
        return (harvest, harvests.rowNumber, segment)
    }
}

/// The segments of some rows while they are decoded, and afterwards.
private final class Decoding: Sendable {
    struct Result: Sendable {
        var entries: [(gfns: [GFN], times: [Int64])] = []
        /// Events up to which all is well.
        var events = 0
        var failure: RecordingError?
    }

    let rows: ReadRows
    private let result: Monitor<Result?>

    /// Fewer bytes are decoded sooner than another thread has begun.
    private static let leastBytes = 1 << 14

    init(_ rows: ReadRows, path: String, pageSize: Int64) {
        self.rows = rows
        if rows.bytes < Self.leastBytes || Parallel.workers == 1 {
            result = Monitor(Self.decode(rows, path, pageSize))
            return
        }
        result = Monitor(nil)
        DispatchQueue.global().async { [result] in
            let decoded = Self.decode(rows, path, pageSize)
            result.change { $0 = decoded }
        }
    }

    func wait() -> Result { result.wait(for: { $0 != nil }, then: { $0 ?? Result() }) ?? Result() }

    private static func decode(_ rows: ReadRows, _ path: String, _ pageSize: Int64) -> Result {
        var result = Result()
        for (place, event) in rows.events.enumerated() {
            guard case .harvest(let harvest, let row, let segment) = event else { continue }
            var (gfns, times) = ([GFN](), [Int64]())
            do throws(Segment.DecodingError) {
                try Segment.decode(
                    segment.span, count: harvest.entryCount, sinceNs: harvest.sinceNs, into: &gfns, times: &times)
            } catch {
                result.failure = RecordingError(path, .corrupt(table: Harvest.table, row: row, error.description))
                return result
            }
            if pageSize > 4096, let largest = gfns.max(), largest > GFN(Int64.max / pageSize) {
                result.failure = RecordingError(
                    path, .corrupt(table: Harvest.table, row: row, "GFN \(largest) lies beyond 2^63 bytes"))
                return result
            }
            result.entries.append((gfns, times))
            // An iteration that ends before a damaged harvest is not seen to end.
            result.events = place + 1
        }
        result.events = rows.events.count
        return result
    }
}
