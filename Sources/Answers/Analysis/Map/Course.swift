import Model

/// What one stretch of a recording cost, and who dirtied how much. Stretches are those of the timeline.
package struct CourseColumn: Sendable, Equatable {
    /// First iteration (1…).
    package var firstIteration: Int64
    package var iterations: Int64 = 0
    /// When it begins, nanoseconds on CLOCK_MONOTONIC.
    package var startNs: Int64
    /// When it ends, nanoseconds on CLOCK_MONOTONIC.
    package var endNs: Int64
    /// Entries by layer: in the order of ``DirtyMap/layers``.
    package var entries: [Int64]
    package var harvests: Int64 = 0
    /// Reading rings, in nanoseconds.
    package var scanNs: Int64 = 0
    /// `KVM_GET_DIRTY_LOG`, in nanoseconds.
    package var getNs: Int64 = 0
    /// `KVM_CLEAR_DIRTY_LOG`, in nanoseconds.
    package var clearNs: Int64 = 0
    /// `KVM_RESET_DIRTY_RINGS`, in nanoseconds.
    package var resetNs: Int64 = 0
    /// From stop requests until vCPUs ran again, in nanoseconds.
    package var pauseNs: Int64 = 0
    /// Exits because a ring was full.
    package var ringFull: Int64 = 0
    /// How long vCPUs stood still because of them, in nanoseconds.
    package var stallNs: Int64 = 0

    mutating func add(_ harvest: Harvest, layer: Int) {
        entries[layer] += Int64(harvest.entryCount)
        harvests += 1
        if harvest.cause == .ringFull { ringFull += 1 }
        stallNs &+= harvest.stallNs
    }

    mutating func add(_ iteration: Iteration) {
        iterations += 1
        scanNs &+= iteration.scanNs
        getNs &+= iteration.getNs
        clearNs &+= iteration.clearNs
        resetNs &+= iteration.resetNs
        pauseNs &+= iteration.pauseNs
        endNs = max(endNs, iteration.endNs)
    }
}

/// What one step of harvesting cost in a stretch of time.
package struct StepCost: Sendable, Equatable {
    /// `scan`, `GET`, `CLEAR`, `reset` or `pause`.
    package var step: String
    /// In all its iterations, nanoseconds.
    package var ns: Int64
    package var column: CourseColumn
    package var msPerIteration: Double { Double(ns) / 1e6 / Double(max(1, column.iterations)) }
}

/// What one layer of a map reported in a stretch of time.
package struct LayerStretch: Sendable, Equatable {
    package var firstIteration: Int64
    /// Nanoseconds on CLOCK_MONOTONIC.
    package var startNs: Int64
    /// Nanoseconds on CLOCK_MONOTONIC.
    package var endNs: Int64
    package var who: String
    package var entries: Int64
    /// The same a second; nil without time.
    package var entriesPerSecond: Double? {
        endNs > startNs ? Double(entries) * 1e9 / Double(endNs - startNs) : nil
    }
}

extension DirtyMap {
    /// Cost of harvesting over time, step by step; steps that the source does not have are left out.
    package var stepCosts: [StepCost] {
        let steps: [(String, KeyPath<CourseColumn, Int64>)] = [
            ("scan", \.scanNs), ("GET", \.getNs), ("CLEAR", \.clearNs), ("reset", \.resetNs), ("pause", \.pauseNs),
        ]
        return steps.filter { step in course.contains { $0[keyPath: step.1] > 0 } }.flatMap { name, step in
            course.map { StepCost(step: name, ns: $0[keyPath: step], column: $0) }
        }
    }

    /// Who dirties over time, at most 256 stretches, so that many vCPUs stay small; layers without entries are left out.
    package var layerCourse: [LayerStretch] {
        var width = 1
        let total = course.reduce(0) { $0 + $1.iterations }
        while Int((total + iterationsPerColumn * Int64(width) - 1) / (iterationsPerColumn * Int64(width))) > 256 {
            width *= 2
        }
        var stretches: [LayerStretch] = []
        for first in stride(from: 0, to: course.count, by: width) {
            let part = course[first..<min(first + width, course.count)]
            guard let begin = part.first, let end = part.last else { continue }
            for (place, layer) in layers.enumerated() {
                let entries = part.reduce(0) { $0 + $1.entries[place] }
                if entries == 0 { continue }
                stretches.append(
                    LayerStretch(
                        firstIteration: begin.firstIteration, startNs: begin.startNs, endNs: end.endNs, who: layer.name,
                        entries: entries))
            }
        }
        return stretches
    }
}
