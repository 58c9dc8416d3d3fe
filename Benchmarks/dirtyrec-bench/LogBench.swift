import Foundation
import Guests
import KVM
import Model
import Platform
import Recorder

/// What GET, CLEAR and RESET cost, by the size of the slot, how much of it is dirty, in how many slots, and in which chunks; and what they make the
/// guest pay afterwards. One vCPU, which stands still for the operation: what is measured is KVM's work, not a race.
struct LogBench {
    private struct Setup {
        /// MiB of logged memory.
        var memory: Int
        /// Pages that the guest writes, one after the other from the start on, before each operation.
        var dirty: Int
        var source = Source.dirtyLog
        /// Equal slots that the memory is cut into.
        var slots = 1
        /// Pages in one CLEAR.
        var chunk = 262_144
    }

    private struct Result {
        var get: [Int64] = []
        var clear: [Int64] = []
        var calls: Int64 = 0
        var flushes: [Int64] = []
        var faults: [Int64] = []
        var lap: [Int64] = []
    }

    let rounds: Int
    /// Sizes of slots, in MiB.
    let sizes: [Int]
    /// Whether times are counts of instructions (Bochs: 50 million are a second).
    let instructions: Bool

    private func cost(_ values: [Int64]) -> String {
        guard !values.isEmpty else { return "-" }
        return instructions ? Units.count(median(values) / 20) : Units.duration(median(values))
    }

    func run() throws {
        let unit = instructions ? "instructions" : "time"
        say(
            "One vCPU, medians of \(rounds) operations; flushes of all TLBs that KVM asked for, and faults, by its counters. Costs: \(unit).\n"
        )
        say(
            "| slot | slots | pages written | operation | GET or scan | CLEAR or RESET | calls | flushes asked for | faults of the next lap | next lap |"
        )
        say("|---|---|---|---|---|---|---|---|---|---|")
        let pages = 4096
        for source in [Source.dirtyLog, .clearLog, .dirtyRing] {
            for size in sizes { try row(Setup(memory: size, dirty: pages, source: source)) }
        }
        for share in [1, 4, 16, 64] {
            for source in [Source.dirtyLog, .clearLog, .dirtyRing] {
                try row(Setup(memory: 64, dirty: 16384 / share, source: source))
            }
        }
        for slots in [1, 16, 128] {
            for source in [Source.dirtyLog, .clearLog, .dirtyRing] {
                try row(Setup(memory: 64, dirty: pages, source: source, slots: slots))
            }
        }
        for chunk in [64, 512, 4096, 262_144] {
            try row(Setup(memory: 64, dirty: 16384, source: .clearLog, chunk: chunk), named: "CLEAR of \(chunk) pages")
        }
        say("")
        try switching()
        say("")
        try atOnce()
    }

    private func row(_ setup: Setup, named name: String? = nil) throws {
        let result = try measure(setup)
        let operation =
            name ?? ["dirty-log": "GET", "clear-log": "GET, CLEAR", "dirty-ring": "scan, RESET"][setup.source.rawValue]
            ?? ""
        say(
            "| \(Units.size(Int64(setup.memory) << 20)) | \(setup.slots) | \(setup.dirty) | \(operation) | \(cost(result.get)) | \(cost(result.clear)) | \(result.calls) | "
                + "\(median(result.flushes)) | \(median(result.faults)) | \(cost(result.lap)) |")
    }

    private func measure(_ setup: Setup) throws -> Result {
        let bench = try GuestBench(
            "sequential:size=\(setup.dirty * 4)KiB,step=\(setup.dirty)", vcpus: 1, memory: Int64(setup.memory) << 20
        ) {
            $0.source = setup.source
            if setup.source == .dirtyRing { $0.ringEntries = 65536 }
        }
        let regions = try bench.cut(into: setup.slots)
        var bitmaps = regions.map { [UInt64](repeating: 0, count: Int($0.size) >> 18) }
        var result = Result()
        for round in 0...rounds {
            // The first lap maps the pages.
            let counted = try bench.counts()
            let lap = bench.lap()
            let faults = try (bench.counts() - counted).faults
            let before = try bench.counts()
            var (get, clear, calls) = (Int64(0), Int64(0), 0)
            switch setup.source {
            case .dirtyRing:
                get = timed { _ = bench.machine.vcpus[0].harvest { _ in } }
                clear = try timed { _ = try bench.machine.vm.resetDirtyRings() }
                calls = 1
            default:
                for (index, region) in regions.enumerated() {
                    get += try timed { try bench.machine.vm.getDirtyLog(slot: region.slot, into: &bitmaps[index]) }
                    calls += 1
                    guard setup.source == .clearLog else { continue }
                    var first = 0
                    let pages = Int(region.size) / pageBytes
                    while first < pages {
                        let count = min(setup.chunk, pages - first)
                        clear += try timed {
                            try bench.machine.vm.clearDirtyLog(
                                slot: region.slot, bitmap: &bitmaps[index], firstPage: UInt64(first),
                                pages: UInt32(count))
                        }
                        calls += 1
                        first += count
                    }
                }
            }
            let flushes = try (bench.counts() - before).flushRequests
            guard round > 0 else { continue }
            result.get.append(get)
            if setup.source != .dirtyLog { result.clear.append(clear) }
            result.calls = Int64(calls)
            result.flushes.append(flushes)
            result.faults.append(faults)
            result.lap.append(lap)
        }
        return result
    }

    /// Logging is switched on when the guest's memory is mapped already: by large pages where the host gives them.
    private func switching() throws {
        say(
            "| 64 MiB, all written | mapped by | logging switched on | large pages left | faults of the next lap | next lap | lap after that |"
        )
        say("|---|---|---|---|---|---|---|")
        for hugepages in [false, true] {
            let bench = try GuestBench("sequential:size=64MiB,step=16384", vcpus: 1) { $0.logsWrites = false }
            if hugepages { try bench.guest.data.useHugePages() }
            _ = bench.lap()
            let large = try bench.counts().large
            let on = try timed { try bench.set(bench.data) }
            let left = try bench.counts().large
            let counted = try bench.counts()
            let lap = bench.lap()
            let faults = try (bench.counts() - counted).faults
            let next = bench.lap()
            say(
                "| \(hugepages ? "huge pages asked for" : "small pages") | \(large) large pages | \(cost([on])) | \(left) | \(faults) | \(cost([lap])) | \(cost([next])) |"
            )
        }
    }

    /// Two threads that ask for the same bitmap at once.
    private func atOnce() throws {
        let bench = try GuestBench("sequential:size=64MiB,step=16384", vcpus: 1)
        var alone: [Int64] = []
        var both: [Int64] = []
        for _ in 0..<rounds {
            _ = bench.lap()
            var bitmap = [UInt64](repeating: 0, count: 256)
            alone.append(try timed { try bench.machine.vm.getDirtyLog(slot: bench.data.slot, into: &bitmap) })
            _ = bench.lap()
            let (vm, slot) = (bench.machine.vm, bench.data.slot)
            let found = Monitor([Int]())
            both.append(
                timed {
                    let workers = (0..<2).map { index in
                        Worker("get\(index)") {
                            var bitmap = [UInt64](repeating: 0, count: 256)
                            let isDone = (try? vm.getDirtyLog(slot: slot, into: &bitmap)) != nil
                            found.change { $0.append(isDone ? bitmap.reduce(0) { $0 + $1.nonzeroBitCount } : -1) }
                        }
                    }
                    for worker in workers { worker.join() }
                })
            let pages = found.read { $0 }
            guard pages.reduce(0, +) == 16384 else { throw Failure(code: 1) }
        }
        say(
            "One GET of 16,384 dirty pages: \(cost(alone)); two threads that GET them at once, threads included: \(cost(both)). Together they found each page once."
        )
    }
}

extension GuestBench {
    /// Lets the vCPU do one step of its workload, and stops it.
    ///
    /// - Returns: nanoseconds until the step was done.
    fileprivate func lap() -> Int64 {
        let goal = guest.progress(of: 0) + (guest.workload.step ?? 0)
        let start = monotonicNow()
        crew.resume()
        while guest.progress(of: 0) < goal, monotonicNow() - start < 60_000_000_000 { usleep(50) }
        let taken = monotonicNow() - start
        _ = crew.stop(timeout: 10_000_000_000)
        return taken
    }

    /// Cuts the data slot into equal ones.
    fileprivate func cut(into slots: Int) throws -> [MemoryRegion] {
        guard slots > 1 else { return [data] }
        try remove(data)
        let size = UInt64(guest.data.size / slots)
        return try (0..<slots).map { index in
            let region = MemoryRegion(
                slot: BuiltinGuest.dataSlot + UInt32(index),
                guestAddress: BuiltinGuest.dataAddress + UInt64(index) * size,
                size: size, logged: true)
            try set(region, offset: index * Int(size))
            return region
        }
    }
}
