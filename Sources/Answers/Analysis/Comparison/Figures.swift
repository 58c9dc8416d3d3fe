import Model

/// One number of an analysis under a stable name, so that two recordings can be compared.
package struct Figure: Sendable, Equatable {
    package enum Unit: String, Sendable {
        case count
        case pages
        case bytes
        case nanoseconds = "ns"
        case perSecond = "per_s"
        case bytesPerSecond = "bytes_per_s"
        case times
        /// A share, 0...1.
        case share
    }

    /// Such as `wws.p95`.
    package var name: String
    /// Nil where the recording cannot say.
    package var value: Double?
    package var unit: Unit
}

extension RecordingAnalysis {
    /// Every figure that `dirtyrec diff` compares, in the order of a report.
    ///
    /// `wws.*` is the writable working set of the window on iterations whose length is nearest to 1 s; `wws[N].*` those of N
    /// iterations. Brackets appear with their high end.
    package var figures: [Figure] {
        countFigures + workingSetFigures + pageFigures + ringFigures + orderFigures + convergenceFigures + costFigures
            + statisticFigures
    }

    private var countFigures: [Figure] {
        [
            Figure(name: "entries", value: Double(counts.entries), unit: .count),
            Figure(name: "distinct_gfns", value: Double(counts.distinctGFNs), unit: .pages),
            Figure(name: "iterations", value: Double(counts.iterations), unit: .count),
            Figure(name: "duration", value: Double(counts.durationNs), unit: .nanoseconds),
            Figure(name: "rate.entries", value: rate.entriesPerSecond, unit: .perSecond),
            Figure(name: "rate.pages", value: rate.pagesPerSecond, unit: .perSecond),
            Figure(name: "rate.bytes", value: rate.bytesPerSecond, unit: .bytesPerSecond),
            Figure(name: "duplicates.distinct", value: Double(duplicates.distinct), unit: .count),
            Figure(name: "duplicates.cross_ring", value: Double(duplicates.crossRing), unit: .count),
            Figure(name: "duplicates.redirtied", value: Double(duplicates.redirtied), unit: .count),
            Figure(name: "duplicates.same_ring", value: Double(duplicates.sameRing), unit: .count),
            Figure(name: "duplicates.provisional", value: Double(duplicates.provisional), unit: .count),
            Figure(name: "duplicates.vmm", value: Double(duplicates.vmm), unit: .count),
        ]
    }

    private var workingSetFigures: [Figure] {
        func figures(_ name: String, _ pages: WorkingSetWindow.Pages) -> [Figure] {
            [
                ("min", pages.min), ("p50", pages.p50), ("p90", pages.p90), ("p95", pages.p95), ("max", pages.max),
            ].map { Figure(name: "\(name).\($0.0)", value: Double($0.1), unit: .pages) }
        }
        let windows = workingSet.filter { $0.iterations != nil }
        return (secondWindow.map { figures("wws", $0.high) } ?? [])
            + windows.flatMap { figures("wws[\($0.iterations ?? 0)]", $0.high) }
    }

    private var pageFigures: [Figure] {
        [
            Figure(name: "redirty.never", value: redirty.neverShare, unit: .share),
            Figure(name: "phases", value: Double(phases.phases.count), unit: .count),
            Figure(name: "sharing.pages", value: Double(sharing.pages), unit: .pages),
        ]
            + granularity.dropFirst().map {
                Figure(name: "amplification[\(Units.exactSize($0.bytes))]", value: $0.amplification, unit: .times)
            }
    }

    /// Full rings and what they cost; none without rings.
    private var ringFigures: [Figure] {
        let rings = rings.filter { $0.vcpu != nil }
        guard !rings.isEmpty else { return [] }
        let stalledNs = rings.reduce(0.0) { $0 + Double($1.stall.sum) }
        let time = Double(counts.durationNs) * Double(rings.count)
        return [
            Figure(name: "rings.full_exits", value: rings.reduce(0.0) { $0 + Double($1.fullExits) }, unit: .count),
            Figure(name: "rings.stall", value: stalledNs, unit: .nanoseconds),
            Figure(name: "rings.stall_share", value: time > 0 ? stalledNs / time : nil, unit: .share),
            Figure(name: "rings.stall_longest", value: rings.map { Double($0.stall.max) }.max(), unit: .nanoseconds),
            Figure(name: "rings.fill.p50", value: rings.map { Double($0.fill.p50) }.max(), unit: .count),
            Figure(name: "rings.fill.max", value: rings.map { Double($0.fill.max) }.max(), unit: .count),
        ]
    }

    private var orderFigures: [Figure] {
        let rings = order.rings.filter { $0.steps > 0 }
        func mean(_ runs: KeyPath<RingOrder, Int64>) -> Double? {
            let count = rings.reduce(0.0) { $0 + Double($1[keyPath: runs]) }
            return count == 0 ? nil : rings.reduce(0.0) { $0 + Double($1.steps) + Double($1.harvests) } / count
        }
        return RingOrder.Conclusion.allCases.map { verdict in
            Figure(
                name: "order.rings[\(verdict.rawValue)]", value: Double(rings.count { $0.verdict == verdict }),
                unit: .count)
        } + [
            Figure(name: "order.ascending_run", value: mean(\.ascendingRuns), unit: .count),
            Figure(name: "order.descending_run", value: mean(\.descendingRuns), unit: .count),
            Figure(name: "order.cross_ring", value: order.crossRingConfidence, unit: .share),
        ]
    }

    /// What KVM counted, the VM and all vCPUs together.
    private var statisticFigures: [Figure] {
        statistics.map { Figure(name: "kvm.\($0.name)", value: Double($0.vm) + Double($0.vcpus), unit: .count) }
    }

    private var convergenceFigures: [Figure] {
        convergence.grid.flatMap { cell -> [Figure] in
            let name =
                "convergence[\(cell.policy.rawValue),\(Units.exactBandwidth(cell.bandwidth)),"
                + "\(Units.exactDuration(cell.downtimeNs))]"
            let converges = cell.outcome.verdict == .converges
            return [
                Figure(name: name + ".converges", value: converges ? 1 : 0, unit: .count),
                Figure(name: name + ".total", value: cell.outcome.totalNs?.high.map { Double($0) }, unit: .nanoseconds),
                Figure(
                    name: name + ".downtime", value: cell.outcome.downtimeNs?.high.map { Double($0) },
                    unit: .nanoseconds),
                Figure(name: name + ".bytes", value: cell.outcome.bytes?.high.map { Double($0) }, unit: .bytes),
            ]
        }
    }

    private var costFigures: [Figure] {
        costs.steps.filter { $0.summary.max > 0 }.flatMap { step in
            [
                Figure(name: "cost.\(step.name).p50", value: Double(step.summary.p50), unit: .nanoseconds),
                Figure(name: "cost.\(step.name).p99", value: Double(step.summary.p99), unit: .nanoseconds),
            ]
        } + [
            Figure(name: "fidelity.lost", value: Double(fidelity.lost), unit: .count),
            Figure(name: "fidelity.losses", value: Double(fidelity.losses.reduce(0) { $0 + $1.count }), unit: .count),
            Figure(name: "fidelity.paused", value: fidelity.pausedShare, unit: .share),
        ]
    }
}
