import Model

/// A recording that fills every section: two vCPUs, the VMM's log, losses, verdicts, stops, a hostile guest name.
enum RichRecording {
    static func make() -> MemoryRecording {
        var recording = MemoryRecording()
        recording.info.guest = "zipf\u{1b}]0;owned\u{7}\u{202e}"
        recording.info.labels = ["run\n": "\u{9b}31m"]
        recording.info.capabilities = ["KVM_CAP_DIRTY_LOG_RING": 1_048_576]
        recording.info.endReason = .duration
        recording.info.pml = false
        recording.info.intervalNs = 1_000_000_000
        recording.slots = [MemorySlot(slot: 0, baseGFN: 0, pages: 100, logged: true)]
        for number in 1...40 as ClosedRange<Int64> {
            let (start, end) = ((number - 1) * 1_000_000_000, number * 1_000_000_000)
            var iteration = Iteration(id: number, startNs: start, endNs: end)
            iteration.scanNs = 1000
            iteration.resetNs = 2000
            iteration.pauseNs = 3000
            var batch = IterationBatch(iteration: iteration)
            for vcpu in 0..<2 {
                let gfns = (0..<GFN(20)).map { $0 + (number > 20 ? 60 : 0) + GFN(vcpu) } + [50]
                batch.harvests.append(
                    (
                        Harvest(
                            iteration: number, source: .dirtyRing, vcpu: vcpu, cause: vcpu == 0 ? .ringFull : .periodic,
                            sinceNs: start, tsNs: end, entryCount: gfns.count, provisionalCount: 1 - vcpu, scanNs: 500,
                            stallNs: 700), gfns
                    ))
                batch.stops.append(StopLatency(iteration: number, vcpu: vcpu, latencyNs: 100 * number))
            }
            batch.statistics = [KVMStatistic(iteration: number, vcpu: nil, name: "exits\u{1b}[31m", value: 3)]
            batch.verdicts = [OracleVerdict(iteration: number, oracle: "shadow\u{1b}[31m")]
            batch.contents = (0..<3).map { page in
                let change = PageContent.Change(words: Int64(page), xbzrleBytes: Int64(page) * 12)
                return PageContent(
                    iteration: number, gfn: GFN(page) + (number > 20 ? 60 : 0),
                    digest: PageContent.Digest(isZero: page == 0, change: change, zstdBytes: 800, hash: UInt64(page)))
            }
            recording.batches.append(batch)
        }
        recording.batches[3].losses = [
            Loss(iteration: 4, tsNs: 4_000_000_000, kind: .overrun, vcpu: 0, entries: 7, detail: ""),
            Loss(iteration: 4, tsNs: 4_000_000_000, kind: .shortReset, detail: ""),
        ]
        recording.batches[5].foreignRates = [
            ForeignRate(
                tool: "qemu calc-dirty-rate\u{1b}[31m", vcpu: nil, sinceNs: 1_000_000_000, tsNs: 5_000_000_000,
                bytesPerSecond: 0, quantum: 1 << 20)
        ]
        recording.migrations = (0..<4 as Range<Int64>).map { place in
            var seen = MigrationObservation(tool: .qemu, line: place + 1)
            (seen.elapsedNs, seen.pass) = (place * 500_000_000, place + 1)
            (seen.state, seen.throttlePercent) = (place < 3 ? "active\u{1b}[31m" : "completed", 20 + place * 10)
            (seen.transferredBytes, seen.remainingBytes) = (place * 200_000, 400_000 - place * 100_000)
            return seen
        }
        return recording
    }
}
