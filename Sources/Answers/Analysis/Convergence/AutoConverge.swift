/// QEMU's `auto-converge`: a guest that dirties memory nearly as fast as it is sent gets less and less of its CPUs (question C5b;
/// `migration_trigger_throttle` in QEMU's `migration/ram.c`).
package struct AutoConverge: Sendable, Equatable {
    /// Percent of a vCPU's time that the first step takes away: `cpu-throttle-initial`.
    package var initial = 20
    /// What each further step adds: `cpu-throttle-increment`.
    package var increment = 10
    /// What is never exceeded: `max-cpu-throttle`.
    package var most = 99
    /// Bytes dirtied, in percent of those sent, from which on a period counts: `throttle-trigger-threshold`.
    package var trigger = 50

    /// QEMU's defaults.
    package init() {}

    /// Percents that QEMU takes.
    package static let percents = 1...99

    /// What it knows of one migration.
    struct State: Sendable {
        /// Percent of its time that each vCPU does not run.
        private(set) var percent = 0
        /// Nanoseconds since the migration began at which the period began.
        private var start = 0.0
        private var dirtiedPages: Int64 = 0
        private var bytesBefore = 0.0
        /// Periods that counted since the last step; QEMU does not forget them when one in between does not.
        private var high = 0

        /// QEMU looks once a second at most, when it has read the log.
        private static let periodNs = 1_000_000_000.0
        private static let steps = 2

        /// The log was read.
        ///
        /// - Parameters:
        ///   - dirtied: Pages that were clean before it was.
        ///   - bytes: Sent so far.
        ///   - clock: Nanoseconds since the migration began.
        mutating func look(_ options: AutoConverge, dirtied: Int64, pageSize: Double, bytes: Double, at clock: Double) {
            dirtiedPages += dirtied
            guard clock > start + Self.periodNs else { return }
            if Double(dirtiedPages) * pageSize > (bytes - bytesBefore) * Double(options.trigger) / 100 { high += 1 }
            if high >= Self.steps {
                high = 0
                percent = percent == 0 ? options.initial : min(percent + options.increment, options.most)
            }
            (start, dirtiedPages, bytesBefore) = (clock, 0, bytes)
        }

        /// How much longer the guest takes for what it does.
        var slowdown: Double { 100 / Double(100 - percent) }
    }
}
