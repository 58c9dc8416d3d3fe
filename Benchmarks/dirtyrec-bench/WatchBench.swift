import Guests
import KVM
import Model
import Platform
import Recorder

/// What watching pages costs: a guest's progress against the number of watched pages, which decides how many of its writes leave the guest.
struct WatchBench {
    let seconds: Double
    let rounds: Int

    /// Keeps nothing.
    private final class Sink: BatchSink {
        let writes = Monitor(0)
        let last = Monitor(Int64(0))
        func commit(_ batch: IterationBatch) {
            writes.change { $0 += batch.watchEvents.count }
            last.change { $0 = batch.iteration.guestProgress ?? $0 }
        }
    }

    func run() throws {
        say(
            "One vCPU that writes to one page after the other of 4,096, as fast as it can; medians of \(rounds) runs of \(Units.duration(Int64(seconds * 1e9))).\n"
        )
        say("| watched pages | writes a second | of them watched | progress | a watched write costs |")
        say("|---|---|---|---|---|")
        var free = 0.0
        for pages in [0, 1, 4, 16, 64, 256, 1024, 4096] {
            var all: [Int64] = []
            var watched: [Int64] = []
            for _ in 0..<rounds {
                let (operations, writes) = try measure(pages: pages)
                all.append(operations)
                watched.append(writes)
            }
            let (rate, seen) = (Double(median(all)) / seconds, Double(median(watched)) / seconds)
            if pages == 0 { free = rate }
            // The time that is left of a second when the unwatched writes have had theirs.
            let each = seen > 0 ? (1 - (rate - seen) / free) / seen * 1e9 : 0
            say(
                "| \(pages) | \(Units.count(Int64(rate))) | \(Units.count(Int64(seen))) | \(Units.percent(rate / free)) | "
                    + "\(seen > 0 ? Units.duration(Int64(each)) : "-") |")
        }
    }

    private func measure(pages: Int) throws -> (operations: Int64, writes: Int64) {
        let guest = try BuiltinGuest(workload: Workload(parsing: "sequential:size=16MiB"), vcpus: 1, memory: nil)
        var plan = RecordPlan()
        plan.source = .dirtyLog
        plan.durationNs = Int64(seconds * 1e9)
        plan.intervalNs = 3_600_000_000_000
        // Spread over the guest's memory.
        plan.watch = (0..<pages).map {
            let address = BuiltinGuest.dataAddress + UInt64($0 * (4096 / pages)) * 4096
            return WatchRange(address..<address + 4096)
        }
        if pages == 4096 { plan.watch = [WatchRange(BuiltinGuest.dataAddress..<BuiltinGuest.dataAddress + 16 << 20)] }
        let sink = Sink()
        _ = try Recorder(plan: plan, guest: guest).run { _, _ in sink }
        return (sink.last.read { $0 }, Int64(sink.writes.read { $0 }))
    }
}
