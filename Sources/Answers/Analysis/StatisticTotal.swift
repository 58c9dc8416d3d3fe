import Model

/// What one of KVM's statistics rose by over the recording.
package struct StatisticTotal: Sendable, Equatable {
    /// The kernel's name, such as `pf_fixed`.
    package var name: String
    package var vm: Int64 = 0
    /// Increase of all vCPUs' counters together.
    package var vcpus: Int64 = 0

    /// By name, those that did not rise left out.
    static func all(_ statistics: [KVMStatistic]) -> [StatisticTotal] {
        var totals: [String: StatisticTotal] = [:]
        for statistic in statistics {
            // Hostile values must not overflow.
            if statistic.vcpu == nil {
                totals[statistic.name, default: .init(name: statistic.name)].vm &+= statistic.value
            } else {
                totals[statistic.name, default: .init(name: statistic.name)].vcpus &+= statistic.value
            }
        }
        return totals.values.sorted { $0.name < $1.name }
    }
}
