import Model

/// The least intervention that makes a cell converge (question C5).
package struct Throttle: Sendable, Equatable {
    /// Least share of its time, in percent, to keep the guest from running (QEMU's auto-converge), by replay with the
    /// guest's time stretched. Nil when even 99 % does not converge within the recording. Assumes that dirtying scales
    /// with running time.
    package var percent: Int?
    /// The first step of QEMU's ladder, 20 % and then + 10 up to 99, that is at least as much.
    package var qemuStep: Int?
    /// Least dirty limit per vCPU in bytes per second that holds the average footprint of a downtime within what the
    /// bandwidth carries. Nil when entries name no vCPU, or without time.
    package var dirtyLimit: Int64?
    /// vCPUs that the limit would slow down, the fastest dirtier first.
    package var limitedVCPUs: [Int] = []

    init(_ replayer: Replayer, _ scenario: Scenario, start: Int64) {
        for percent in 1...99 {
            var throttled = scenario
            throttled.throttlePercent = Int64(percent)
            if replayer.run(throttled, start: start).verdict == .converges {
                self.percent = percent
                qemuStep = [20, 30, 40, 50, 60, 70, 80, 90, 99].first { $0 >= percent }
                break
            }
        }
    }

    /// Fills a limit from the top: each vCPU keeps the lesser of its own rate and the limit, and together they may
    /// dirty `affordable` bytes per second. Rates are first reports in bytes per second.
    mutating func setDirtyLimit(rates: [(vcpu: Int, rate: Double)], affordable: Double) {
        guard !rates.isEmpty, rates.reduce(0, { $0 + $1.rate }) > affordable else { return }
        let ascending = rates.sorted { ($0.rate, $0.vcpu) < ($1.rate, $1.vcpu) }
        var left = affordable
        for (place, entry) in ascending.enumerated() {
            let share = left / Double(ascending.count - place)
            if entry.rate > share {
                dirtyLimit = Int64(share)
                limitedVCPUs = ascending[place...].reversed().map(\.vcpu)
                return
            }
            left -= entry.rate
        }
    }
}
