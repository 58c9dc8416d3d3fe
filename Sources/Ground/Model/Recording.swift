/// Receives a recording in order: the harvests of an iteration, then the iteration, then the next one.
package protocol RecordingVisitor {
    /// One harvest. `gfns.count == harvest.entryCount`, at most ``Segment/maxEntries``.
    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws
    /// The same with the exact time of each entry; `times` is empty where the source knows none. Who does not need times
    /// leaves this out.
    mutating func visit(_ harvest: Harvest, gfns: [GFN], times: [Int64]) throws
    /// The iteration is complete.
    mutating func visit(_ iteration: Iteration) throws
}

extension RecordingVisitor {
    /// Leaves the times out.
    package mutating func visit(_ harvest: Harvest, gfns: [GFN], times: [Int64]) throws {
        try visit(harvest, gfns: gfns)
    }
}

/// A recording that can be read any number of times, from a file or from memory.
package protocol Recording {
    var info: RecordingInfo { get }
    /// Whether somebody is recording it right now.
    var isInProgress: Bool { get }
    /// Every memory slot in every generation.
    var slots: [MemorySlot] { get throws }
    /// Every loss, in order.
    var losses: [Loss] { get throws }
    /// Every marker, in order.
    var markers: [Marker] { get throws }
    /// Every answer to a stop request.
    var stops: [StopLatency] { get throws }
    /// Every verdict of an oracle, in order.
    var verdicts: [OracleVerdict] { get throws }
    /// Every dirty rate that another tool measured, in order.
    var foreignRates: [ForeignRate] { get throws }
    /// What KVM counted, by iteration, in order.
    var statistics: [KVMStatistic] { get throws }
    /// Streams all harvests and iterations in order, in bounded memory.
    func replay(into visitor: inout some RecordingVisitor) throws
    /// What other tools said of the guest's migrations, in the order of their log.
    var migrations: [MigrationObservation] { get throws }
    /// Streams what sampled pages held, in the order of iterations, in bounded memory.
    func replayContents(_ body: (PageContent) throws -> Void) throws
}

extension Recording {
    /// Only a file can be.
    package var isInProgress: Bool { false }
    /// None, where nobody else measured.
    package var foreignRates: [ForeignRate] { get throws { [] } }
    /// Nothing, where nobody looked.
    package func replayContents(_ body: (PageContent) throws -> Void) throws {}
    package var statistics: [KVMStatistic] { get throws { [] } }
    /// None, where nobody imported them.
    package var migrations: [MigrationObservation] { get throws { [] } }
}

/// A recording held in memory: for tests, imports and generators.
package struct MemoryRecording: Recording {
    package var info: RecordingInfo
    package var slots: [MemorySlot]
    /// Batches in order; harvest ids and sequence numbers are assigned while they are replayed.
    package var batches: [IterationBatch]
    package var migrations: [MigrationObservation] = []

    package init(info: RecordingInfo = RecordingInfo(), slots: [MemorySlot] = [], batches: [IterationBatch] = []) {
        self.info = info
        self.slots = slots
        self.batches = batches
    }

    package var losses: [Loss] { batches.flatMap(\.losses) }
    package var markers: [Marker] { batches.flatMap(\.markers) }
    package var stops: [StopLatency] { batches.flatMap(\.stops) }
    package var verdicts: [OracleVerdict] { batches.flatMap(\.verdicts) }
    package var foreignRates: [ForeignRate] { batches.flatMap(\.foreignRates) }

    package var statistics: [KVMStatistic] { batches.flatMap(\.statistics) }

    package func replayContents(_ body: (PageContent) throws -> Void) rethrows {
        try batches.forEach { try $0.contents.forEach(body) }
    }

    /// Streams all harvests and iterations in order.
    package func replay(into visitor: inout some RecordingVisitor) throws {
        var id: Int64 = 0
        var seq: Int64 = 1
        for batch in batches {
            for (place, (harvest, gfns)) in batch.harvests.enumerated() {
                var harvest = harvest
                id += 1
                harvest.id = id
                harvest.firstSeq = seq
                harvest.entryCount = gfns.count
                seq += Int64(gfns.count)
                try visitor.visit(harvest, gfns: gfns, times: batch.exactTimes[place] ?? [])
            }
            try visitor.visit(batch.iteration)
        }
    }
}
