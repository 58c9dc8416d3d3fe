import Model

/// What harvesting cost, in nanoseconds. Zero where the source has no such step.
package struct Costs: Sendable, Equatable {
    /// Reading rings, per iteration.
    package var scan = Summary()
    /// `KVM_RESET_DIRTY_RINGS`, per iteration.
    package var reset = Summary()
    /// `KVM_GET_DIRTY_LOG`, per iteration.
    package var get = Summary()
    /// `KVM_CLEAR_DIRTY_LOG`, per iteration.
    package var clear = Summary()
    /// From the stop request until all vCPUs had left the guest, per iteration.
    package var kick = Summary()
    /// From the stop request until vCPUs ran again, per iteration.
    package var pause = Summary()
    /// Waking the vCPUs, per iteration.
    package var resume = Summary()
    /// One pass over one source.
    package var harvest = Summary()
    /// Every answer of a vCPU to a stop request.
    package var stop = Summary()

    /// Each step with its name, in the order of an iteration.
    package var steps: [(name: String, summary: Summary)] {
        [
            ("kick", kick), ("scan", scan), ("get", get), ("clear", clear), ("reset", reset), ("resume", resume),
            ("pause", pause), ("harvest", harvest), ("stop", stop),
        ]
    }
}

/// Gathers costs.
struct CostTally: Sendable {
    private var scan = Sample()
    private var reset = Sample()
    private var get = Sample()
    private var clear = Sample()
    private var kick = Sample()
    private var pause = Sample()
    private var resume = Sample()
    private var harvest = Sample()

    /// Time during which all vCPUs were held for harvests; full rings are counted apart.
    var pausedNs: Int64 { pause.sum }
    /// The shortest time that vCPUs took to leave the guest; 0 when some iteration did not ask them to.
    var leastKickNs: Int64 { kick.min }

    mutating func add(_ harvest: Harvest) { self.harvest.add(harvest.scanNs) }

    mutating func add(_ iteration: Iteration) {
        scan.add(iteration.scanNs)
        reset.add(iteration.resetNs)
        get.add(iteration.getNs)
        clear.add(iteration.clearNs)
        kick.add(iteration.kickNs)
        pause.add(iteration.pauseNs)
        resume.add(iteration.resumeNs)
    }

    func finish(stops: [StopLatency]) -> Costs {
        var stop = Sample()
        for latency in stops { stop.add(latency.latencyNs) }
        return Costs(
            scan: scan.summary, reset: reset.summary, get: get.summary, clear: clear.summary, kick: kick.summary,
            pause: pause.summary, resume: resume.summary, harvest: harvest.summary, stop: stop.summary)
    }
}
