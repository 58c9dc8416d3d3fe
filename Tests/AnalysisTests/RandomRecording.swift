import Model
import TestSupport

enum Recordings {
    /// Up to 12 iterations of up to 3 vCPUs, the VMM's log and a bitmap, with repeats, provisional entries and gaps.
    static func random(_ seed: UInt64) -> MemoryRecording {
        var random = Seeded(seed)
        let iterations = Int64.random(in: 0...12, using: &random)
        let pages = UInt64.random(in: 1...20, using: &random)
        var recording = MemoryRecording()
        recording.info.memoryBytes = Int64(pages) * 4096
        recording.info.endReason = .duration
        var time = Int64.random(in: 0...1000, using: &random)
        for iteration in stride(from: Int64(1), through: iterations, by: 1) {
            let start = time
            time += Int64.random(in: 50...150, using: &random)
            var batch = IterationBatch(iteration: Iteration(id: iteration, startNs: start, endNs: time))
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let kind = Int.random(in: 0...5, using: &random)
                let gfns = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    // Far GFNs too, so that numbering is tested.
                    let page = UInt64.random(in: 0..<pages, using: &random)
                    return page % 5 == 4 ? page << 33 : page
                }
                batch.harvests.append(
                    (
                        Harvest(
                            iteration: iteration, source: kind == 5 ? .vmm : kind == 4 ? .dirtyLog : .dirtyRing,
                            vcpu: kind > 3 ? nil : kind % 3, cause: kind == 3 ? .ringFull : .periodic, sinceNs: start,
                            tsNs: time, entryCount: gfns.count,
                            provisionalCount: gfns.isEmpty ? 0 : Int.random(in: 0...1, using: &random)), gfns
                    ))
            }
            recording.batches.append(batch)
        }
        return recording
    }

    /// One vCPU, iterations of 1 s unless told; each element is what one iteration dirties.
    static func plain(_ iterations: [[GFN]], iterationNs: Int64 = 1_000_000_000, memoryPages: Int64 = 0)
        -> MemoryRecording
    {
        var recording = MemoryRecording()
        recording.info.memoryBytes = memoryPages * 4096
        recording.info.endReason = .duration
        for (place, gfns) in iterations.enumerated() {
            let id = Int64(place + 1)
            var batch = IterationBatch(
                iteration: Iteration(id: id, startNs: (id - 1) * iterationNs, endNs: id * iterationNs))
            batch.harvests = [
                (
                    Harvest(
                        iteration: id, source: .dirtyRing, vcpu: 0, cause: .periodic, sinceNs: (id - 1) * iterationNs,
                        tsNs: id * iterationNs, entryCount: gfns.count), gfns
                )
            ]
            recording.batches.append(batch)
        }
        return recording
    }
}

/// What the analysis must say, computed the slow way: sets of pages per iteration, and nothing shared with the sources.
struct Reference {
    /// Pages of each iteration.
    let sets: [Set<GFN>]
    /// Ends of iterations; element 0 is the start.
    let boundaries: [Int64]

    init(_ recording: MemoryRecording) {
        sets = recording.batches.map { Set($0.harvests.flatMap(\.gfns)) }
        boundaries =
            (recording.batches.first.map { [$0.iteration.startNs] } ?? [0]) + recording.batches.map(\.iteration.endNs)
    }

    var all: Set<GFN> { sets.reduce([]) { $0.union($1) } }
    func window(_ first: Int, _ last: Int) -> Set<GFN> { sets[first..<last].reduce([]) { $0.union($1) } }

    static func percentile(_ percent: Int, _ values: [Int64]) -> Int64 {
        // The smallest value v such that at least percent % of values are ≤ v.
        values.sorted().first { value in values.filter { $0 <= value }.count * 100 >= percent * values.count } ?? 0
    }
}
