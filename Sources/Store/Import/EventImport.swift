import Model

/// Ring events of a file, in the order of time.
protocol EventStream: AnyObject {
    /// The next event; nil after the last.
    func next() throws -> RingEvent?
    /// Events that the file says were lost before the event returned last, since asked last.
    func takeLost() -> [LostEvents]
    /// An error at the place of the event returned last.
    func error(_ problem: String) -> ImportError
}

/// Events that a tracer says it lost.
struct LostEvents: Equatable {
    /// How many; nil when it does not say.
    var count: Int64?
    /// On which host CPU; nil when it does not say.
    var cpu: Int?

    var sentence: String {
        "The trace lost \(count.map(String.init) ?? "an unknown number of") events"
            + (cpu.map { " on CPU \($0)." } ?? ".")
    }
}

/// Makes a recording of a trace file of ring events. The file is read twice: first for what must be known at the start.
final class EventImport: ImportSource {
    private(set) var info = RecordingInfo()
    /// No slot is known before its first page is.
    var slots: [MemorySlot] { [] }
    private(set) var endNs: Int64 = 0
    /// A trace ends when it ends.
    let endReason = EndReason.duration

    private let stream: any EventStream
    private let threads: Set<Int>
    private var assembler: Assembler
    private var isDone = false

    /// - Parameter threads: Only events of these threads count; empty: all.
    init(
        _ path: String, threads: Set<Int>, intervalNs: Int64, open: () throws -> any EventStream
    ) throws {
        self.threads = threads
        var rings: [Int: Int] = [:]
        var start: Int64?
        let first = try open()
        while let event = try first.next() {
            guard threads.isEmpty || threads.contains(event.pid) else { continue }
            guard (0..<ImportLimits.items).contains(event.ring) else {
                throw first.error("ring \(event.ring) cannot be.")
            }
            start = start ?? event.ns
            guard case .push = event.kind else { continue }
            let pusher = rings[event.ring] ?? event.pid
            guard pusher == event.pid else {
                throw first.error(
                    "ring \(event.ring) belongs to thread \(pusher) and to thread \(event.pid): there are several "
                        + "guests; choose one with --threads, all threads of its VMM.")
            }
            rings[event.ring] = pusher
        }
        guard let start, let last = rings.keys.max() else {
            throw ImportError(
                path,
                "there is no event kvm_dirty_ring_push\(threads.isEmpty ? "; docs/import.md has the formats" : " of these threads")."
            )
        }
        info.guestKind = "imported"
        info.guest = path.split(separator: "/").last.map(String.init) ?? path
        info.source = .tracefs
        info.vcpuCount = last + 1
        info.intervalNs = intervalNs
        info.startNs = max(0, start)
        endNs = info.startNs
        assembler = Assembler(vcpuCount: last + 1, intervalNs: intervalNs, startNs: info.startNs)
        stream = try open()
    }

    func next() throws -> IterationBatch? {
        while let event = try stream.next() {
            noteLost(at: event.ns)
            guard threads.isEmpty || threads.contains(event.pid) else { continue }
            // A ring that never pushed is re-protected all the same.
            guard event.ring < info.vcpuCount else { continue }
            do {
                let batch = try assembler.add(event)
                endNs = max(endNs, event.ns)
                if let batch { return batch }
            } catch let contradiction as Assembler.Contradiction { throw stream.error("\(contradiction.problem).") }
        }
        guard !isDone else { return nil }
        isDone = true
        // What was lost after the last event.
        noteLost(at: endNs)
        return assembler.finish(at: endNs)
    }

    private func noteLost(at ns: Int64) {
        for lost in stream.takeLost() {
            assembler.note(.traceOverrun, vcpu: nil, entries: nil, at: max(0, ns), lost.sentence)
        }
    }
}
