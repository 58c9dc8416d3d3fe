import Model

/// Why events cannot be true.
package struct EventContradiction: Error, Equatable {
    /// One clause.
    package let problem: String
}

/// Makes iterations out of a VM's events, which come in the order of time.
package protocol EventAssembler {
    /// vCPUs known so far.
    var vcpuCount: Int { get }
    /// Whether pages lie in windows of their own because a slot's guest address is not known.
    var hasUnknownSlots: Bool { get }
    /// Entries since the start.
    var entries: Int64 { get }
    /// Exits because a ring was full.
    var fullExits: Int64 { get }

    /// Takes the next event.
    ///
    /// - Returns: the iteration that ended before it, if one did, or a part of one.
    /// - Throws: ``EventContradiction``.
    mutating func add(_ event: RingEvent) throws -> IterationBatch?
    /// Time has got to `ns` without another event: ends an iteration whose last harvest is over.
    mutating func advance(to ns: Int64) -> IterationBatch?
    /// Ends the recording: what the VMM has not harvested yet is the final harvest.
    mutating func finish(at ns: Int64) -> IterationBatch
    /// Adds a row about a loss.
    mutating func note(_ kind: LossKind, vcpu: Int?, entries: Int64?, at ns: Int64, _ detail: String)
    /// Adds a named moment.
    mutating func mark(_ text: String, at ns: Int64)
    /// Adds a rate that another tool measured.
    mutating func compare(_ rate: ForeignRate)
    /// The kernel has dropped events: what was concluded from those before does not hold any more.
    mutating func forget(at ns: Int64)
}
