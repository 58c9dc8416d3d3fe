import Guests
import KVM
import Model
import Platform
import Recorder

/// What a change of memory slots costs vCPUs that touch their memory all the time. The mailing list doubted that pausing them is the long
/// pole: KVM drops its page tables when a slot goes, and every page faults again.
struct SlotBench {
    /// One change, and how it is made.
    private struct Change: Sendable {
        let name: String
        /// Whether vCPUs must stand still for it.
        var pauses = false
        let body: @Sendable (GuestBench) throws -> Void
    }

    let vcpus: Int
    /// MiB of all vCPUs together.
    let memory: Int
    let rounds: Int

    /// Prints a row for each change: the medians of all rounds.
    func run() throws {
        let bench = try GuestBench("sequential:size=\(memory / vcpus)MiB", vcpus: vcpus)
        let lap = UInt64(memory / vcpus) << 8
        bench.crew.resume()
        for cycle in Self.cycles {
            var rows = cycle.map { _ in
                (pause: [Int64](), call: [Int64](), before: [Int64](), after: [Int64](), faults: [Int64]())
            }
            for _ in 0..<rounds {
                for (index, change) in cycle.enumerated() {
                    rows[index].before.append(bench.run(lap))
                    let counted = try bench.counts()
                    if change.pauses {
                        let (pause, call) = try bench.paused { try change.body(bench) }
                        rows[index].pause.append(pause)
                        rows[index].call.append(call)
                    } else {
                        rows[index].call.append(try timed { try change.body(bench) })
                    }
                    rows[index].after.append(bench.run(lap))
                    rows[index].faults.append(try (bench.counts() - counted).faults)
                }
            }
            for (change, row) in zip(cycle, rows) {
                let (before, after) = (median(row.before), median(row.after))
                say(
                    "| \(memory) MiB | \(change.name) | \(row.pause.isEmpty ? "-" : Units.duration(median(row.pause))) | "
                        + "\(Units.duration(median(row.call))) | \(median(row.faults)) | \(Units.duration(before)) | "
                        + "\(Units.duration(after)) | \(Units.duration(max(0, after - before))) |")
            }
        }
        try gap(bench)
    }

    /// The data slot goes and comes back while vCPUs run: what is the guest's side of the window in which it is not there?
    private func gap(_ bench: GuestBench) throws {
        var (windows, exits, calls) = ([Int64](), [Int64](), [Int64]())
        for _ in 0..<rounds {
            _ = bench.run(1000)
            bench.gaps.withLock { $0 = [] }
            calls.append(
                try timed {
                    try bench.remove(bench.data)
                    try bench.set(bench.data)
                })
            _ = bench.run(1000)
            let seen = bench.gaps.withLock { $0 }
            exits.append(Int64(seen.count))
            windows.append((seen.last ?? 0) - (seen.first ?? 0))
        }
        say(
            "The slot of all \(memory) MiB removed and added again while the vCPUs ran: the two calls took \(Units.duration(median(calls))); the guest left for memory that was not there "
                + "\(median(exits)) times, and saw it gone for \(Units.duration(median(windows))) (at most \(Units.duration(windows.max() ?? 0))); what it wrote meanwhile is lost."
        )
    }

    /// In turn; each undoes what the one before did.
    private static let cycles: [[Change]] = [
        [Change(name: "nothing") { _ in }, Change(name: "nothing, all vCPUs stopped", pauses: true) { _ in }],
        [
            Change(name: "an untouched slot of 2 MiB comes") { try $0.setSpare(bytes: 2 << 20) },
            Change(name: "and goes") { try $0.setSpare(bytes: 0) },
        ],
        [
            Change(name: "an untouched slot of 1 GiB comes") { try $0.setSpare(bytes: 1 << 30) },
            Change(name: "and goes") { try $0.setSpare(bytes: 0) },
        ],
        [
            Change(name: "all memory stops being logged") { bench in
                var data = bench.data
                data.logged = false
                try bench.set(data)
            },
            Change(name: "and is logged again") { try $0.set($0.data) },
        ],
        [
            Change(name: "all memory goes and comes back, full", pauses: true) {
                try $0.remove($0.data)
                try $0.set($0.data)
            }
        ],
        [
            // Past what the guest touches, so that it does not leave for it: a read-only slot cannot be switched, only made anew.
            Change(name: "an untouched read-only slot of 2 MiB comes") {
                try $0.setSpare(bytes: 2 << 20, readonly: true)
            },
            Change(name: "and becomes writable: two calls") {
                try $0.setSpare(bytes: 0)
                try $0.setSpare(bytes: 2 << 20)
            },
            Change(name: "and goes") { try $0.setSpare(bytes: 0) },
        ],
    ]
}

extension GuestBench {
    func remove(_ region: MemoryRegion) throws {
        var gone = region
        gone.size = 0
        try set(gone)
    }

    /// A slot that the guest does not touch, behind everything else; 0 bytes remove it.
    fileprivate func setSpare(bytes: UInt64, readonly: Bool = false) throws {
        let spare = try GuestMemory(size: 1 << 30)
        try machine.vm.setMemory(
            MemoryRegion(slot: 100, guestAddress: 1 << 38, size: bytes, logged: !readonly, readonly: readonly),
            memory: spare)
    }
}
