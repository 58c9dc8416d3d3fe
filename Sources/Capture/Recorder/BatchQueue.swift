import Model
import Platform

/// Takes finished iterations for good; a recording's file, or a list in a test.
package protocol BatchSink: AnyObject, Sendable {
    /// Stores one iteration as a whole; its parts, if it comes in parts, become visible together.
    func commit(_ batch: IterationBatch) throws
}

/// The one bounded queue between harvester and writer. When it is full the harvester waits, rings fill up and KVM itself
/// stops the guest: back-pressure instead of loss.
final class BatchQueue: Sendable {
    private struct State {
        var batches: [IterationBatch] = []
        var entries = 0
        var closed = false
        var failure: (any Error)?
    }

    private let state = Monitor(State())
    private let capacity: Int

    /// A queue for at most `capacity` entries, or one iteration that is larger.
    init(capacity: Int) { self.capacity = capacity }

    /// Entries that wait to be written.
    var depth: Int { state.read { $0.entries } }

    /// Adds a batch, waiting for room.
    ///
    /// - Throws: why the writer gave up; the batch is not stored then.
    func push(_ batch: IterationBatch) throws {
        let capacity = capacity
        let failure = state.wait(
            for: { $0.failure != nil || $0.entries < capacity },
            then: { state -> (any Error)? in
                if let failure = state.failure { return failure }
                state.batches.append(batch)
                state.entries += batch.entryCount
                return nil
            })
        if case .some(.some(let failure)) = failure { throw failure }
    }

    /// The next batch; nil when the queue is closed and empty.
    func pop() -> IterationBatch? {
        state.wait(
            for: { !$0.batches.isEmpty || $0.closed },
            then: { state -> IterationBatch? in
                guard !state.batches.isEmpty else { return nil }
                let batch = state.batches.removeFirst()
                state.entries -= batch.entryCount
                return batch
            }) ?? nil
    }

    /// No more batches will come.
    func close() { state.change { $0.closed = true } }

    /// Why the writer gave up, if it did.
    var failure: (any Error)? { state.read { $0.failure } }

    func fail(_ error: any Error) { state.change { $0.failure = error } }
}
