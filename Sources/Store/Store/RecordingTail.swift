import GRDB
import Model
import Platform

/// Follows a recording while somebody else makes it: each look gives the iterations that were committed since the one before.
///
/// Between two looks the file is closed: whoever records may end it at any time without waiting for a reader.
package final class RecordingTail {
    /// What a look at the file found.
    package struct Look {
        package var info: RecordingInfo
        package var slots: [MemorySlot] = []
        /// Whether there is more, which the next look gives: one look takes no longer than a second.
        package var hasMore = false
        package var state: RecordingFile.State
        /// Losses that came since the look before.
        package var losses: [Loss] = []
        /// Markers that came since the look before.
        package var markers: [Marker] = []
    }

    private let path: String
    private var id: String?
    private var place = RecordingReader.Place()
    private var lastLoss: Int64?
    private var lastMarker: Int64?

    /// A look ends with the first iteration after this time.
    private static let longestNs: Int64 = 1_000_000_000

    package init(path: String) { self.path = path }

    /// Gives `take` the new iterations, without exact times, in order; a long one in parts.
    ///
    /// - Throws: ``RecordingError``, or what `take` throws.
    package func look(_ take: (IterationBatch) throws -> Void) throws -> Look {
        let file = try RecordingFile(path: path)
        guard id ?? file.info.id == file.info.id else {
            throw RecordingError(path, .refused(doing: "open", reason: "another recording has taken its place"))
        }
        id = file.info.id
        var look = Look(info: file.info, state: file.state)
        do {
            try file.connection.snapshot { db in
                look.slots = try Self.rows(db, path)
                try withoutActuallyEscaping(take) { take in
                    var collector = Collector(deadlineNs: monotonicNow() + Self.longestNs, take: take)
                    defer {
                        (place.iteration, place.harvest) = (
                            collector.iteration ?? place.iteration, collector.harvest ?? place.harvest
                        )
                    }
                    do {
                        try RecordingReader(db: db, path: path, info: file.info, place: place).replay(into: &collector)
                    } catch is Enough { look.hasMore = true }
                }
                var losses = try CheckedRows(db, path, Loss.table, after: lastLoss)
                while try losses.step() {
                    look.losses.append(try Loss(row: &losses))
                    lastLoss = losses.rowID
                }
                var markers = try CheckedRows(db, path, Marker.table, after: lastMarker)
                while try markers.step() {
                    look.markers.append(try Marker(row: &markers))
                    lastMarker = markers.rowID
                }
            }
        } catch let error as DatabaseError { throw RecordingError.reading(path, error) }
        return look
    }

    private static func rows(_ db: Database, _ path: String) throws -> [MemorySlot] {
        var rows = try CheckedRows(db, path, MemorySlot.table)
        var slots: [MemorySlot] = []
        while try rows.step() { slots.append(try MemorySlot(row: &rows)) }
        return slots
    }

    /// The time of one look is over.
    private struct Enough: Error {}

    private struct Collector: RecordingVisitor {
        let deadlineNs: Int64
        let take: (IterationBatch) throws -> Void
        var iteration: Iteration?
        var harvest: Harvest?
        private var batch = IterationBatch(iteration: Iteration(id: 0, startNs: 0, endNs: 0))
        private var latest: Harvest?
        private var entries = 0
        /// 8 MB.
        private static let mostEntries = 1 << 20

        init(deadlineNs: Int64, take: @escaping (IterationBatch) throws -> Void) {
            (self.deadlineNs, self.take) = (deadlineNs, take)
        }

        mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
            if entries > 0, entries + gfns.count > Self.mostEntries {
                batch.isPart = true
                try handOver()
            }
            batch.harvests.append((harvest, gfns))
            entries += gfns.count
            latest = harvest
        }

        mutating func visit(_ iteration: Iteration) throws {
            batch.iteration = iteration
            try handOver()
            (self.iteration, harvest) = (iteration, latest ?? harvest)
            if monotonicNow() > deadlineNs { throw Enough() }
        }

        private mutating func handOver() throws {
            try take(batch)
            batch = IterationBatch(iteration: batch.iteration)
            entries = 0
        }
    }
}
