import Model

/// A recording as a Chrome trace (JSON), which Perfetto draws: what each vCPU did, harvests, and dirty rates.
///
/// The process "guest" has a row for each vCPU with its stalls at full rings and its markers; "recorder" has a row for
/// iterations and one for each source of entries; counters show the dirty rate of every iteration, counted both ways.
package struct ChromeTrace: RecordingVisitor {
    private enum Process {
        static let guest: Int64 = 1
        static let recorder: Int64 = 2
    }
    /// Threads of the recorder: 1 are the iterations, 2 a source without vCPUs, 3 the VMM's log, then the rings.
    private static let firstRing: Int64 = 10

    private let write: (String) -> Void
    private let startNs: Int64
    private var isFirst = true
    private var named: Set<Int64> = []
    private var index = PageIndex()
    private var classifier = DuplicateClassifier()
    private var iteration: Int64 = 0

    /// Writes the whole trace piece by piece.
    ///
    /// - Throws: whatever reading the recording throws.
    package static func render(_ recording: some Recording, write: @escaping (String) -> Void) throws {
        var rendering = ChromeTrace(startNs: recording.info.startNs, write: write)
        rendering.begin(recording.info)
        try recording.replay(into: &rendering)
        for marker in try recording.markers { rendering.add(marker) }
        for loss in try recording.losses { rendering.add(loss) }
        write("\n]}\n")
    }

    private init(startNs: Int64, write: @escaping (String) -> Void) {
        (self.startNs, self.write) = (startNs, write)
        write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")
    }

    private mutating func begin(_ info: RecordingInfo) {
        name("process_name", Process.guest, nil, "guest \(info.guest)")
        name("process_name", Process.recorder, nil, "recorder")
        name("thread_name", Process.recorder, 1, "iterations")
        for vcpu in 0..<Int64(info.vcpuCount) { name("thread_name", Process.guest, vcpu + 1, "vCPU \(vcpu)") }
    }

    package mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        if harvest.iteration != iteration {
            iteration = harvest.iteration
            classifier.beginIteration()
        }
        let ring = harvest.ring
        for gfn in gfns { _ = classifier.classify(page: index.insert(gfn), ring: ring, provisional: false, epoch: 0) }
        let thread = harvest.vcpu.map { Self.firstRing + Int64($0) } ?? (ring == Harvest.vmmLog ? 3 : 2)
        if named.insert(thread).inserted {
            let of = harvest.vcpu.map { " of vCPU \($0)" } ?? ""
            name("thread_name", Process.recorder, thread, harvest.source.rawValue + of)
        }
        slice(
            "harvest \(harvest.cause.rawValue)", Process.recorder, thread, from: harvest.tsNs - harvest.scanNs,
            lasting: harvest.scanNs,
            [
                "iteration": JSON(harvest.iteration), "entries": JSON(gfns.count), "first_seq": JSON(harvest.firstSeq),
            ])
        if harvest.cause == .ringFull, let vcpu = harvest.vcpu {
            // The vCPU goes on after its ring was emptied and its pages were protected again.
            slice(
                "ring full", Process.guest, Int64(vcpu) + 1,
                from: harvest.tsNs + harvest.resetNs - harvest.stallNs, lasting: harvest.stallNs,
                ["entries": JSON(gfns.count)])
        }
    }

    package mutating func visit(_ iteration: Iteration) throws {
        if iteration.id != self.iteration { classifier.beginIteration() }
        self.iteration = iteration.id
        let length = iteration.endNs - iteration.startNs
        slice(
            "iteration \(iteration.id)", Process.recorder, 1, from: iteration.startNs, lasting: length,
            ["pause_ns": JSON(iteration.pauseNs), "reset_ns": JSON(iteration.resetNs)])
        let seconds = Double(max(length, 1)) / 1e9
        let counts = classifier.counts
        for (counter, count) in [("entries/s", counts.entries), ("unique pages/s", counts.distinct)] {
            event([
                "name": JSON(counter), "ph": "C", "pid": JSON(Process.recorder), "ts": time(iteration.startNs),
                "args": ["value": JSON((Double(count) / seconds).rounded())],
            ])
        }
    }

    private mutating func add(_ marker: Marker) {
        instant(marker.text, at: marker.tsNs, thread: marker.vcpu.map { Int64($0) + 1 })
    }

    private mutating func add(_ loss: Loss) {
        instant("loss: \(loss.kind.rawValue): \(loss.detail)", at: loss.tsNs, thread: loss.vcpu.map { Int64($0) + 1 })
    }

    private mutating func instant(_ text: String, at ns: Int64, thread: Int64?) {
        event([
            "name": JSON(text), "ph": "i", "s": thread == nil ? "g" : "t", "pid": JSON(Process.guest),
            "tid": JSON(thread ?? 1), "ts": time(ns),
        ])
    }

    private mutating func slice(
        _ name: String, _ process: Int64, _ thread: Int64, from ns: Int64, lasting length: Int64,
        _ arguments: JSON
    ) {
        event([
            "name": JSON(name), "ph": "X", "pid": JSON(process), "tid": JSON(thread), "ts": time(ns),
            "dur": JSON(Double(length) / 1000), "args": arguments,
        ])
    }

    private mutating func name(_ kind: String, _ process: Int64, _ thread: Int64?, _ text: String) {
        event([
            "name": JSON(kind), "ph": "M", "pid": JSON(process), "tid": JSON(thread ?? 0), "args": ["name": JSON(text)],
        ])
    }

    /// Microseconds since the recording began.
    private func time(_ ns: Int64) -> JSON { .number(Double(ns - startNs) / 1000) }

    private mutating func event(_ event: JSON) {
        write((isFirst ? "\n" : ",\n") + event.text())
        isFirst = false
    }
}
