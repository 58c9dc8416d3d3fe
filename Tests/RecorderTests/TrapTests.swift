import Foundation
import Guests
import KVM
import Model
import Platform
import Synchronization
import Testing

@testable import Recorder

/// Each trap of KVM's dirty tracking, walked into on purpose.
@Suite(.serialized, .enabled(if: KVMHost.isUsable, KVMHost.reason))
struct `Traps` {
    @Test func `an overrun ring is noticed, brought back into step, and goes on`() throws {
        /// Ends the recording when it has seen enough, however long a busy machine takes for that.
        final class Judge: BatchSink {
            let recorder = Mutex<Recorder?>(nil)
            private let seen = Mutex((kinds: Set<LossKind>(), after: 0))
            func commit(_ batch: IterationBatch) {
                let isEnough = seen.withLock { seen in
                    let isOut = !seen.kinds.isDisjoint(with: [.overrun, .desynchronised])
                    if batch.entryCount > 0, isOut || !KVMHost.isPVM { seen.after += 1 }
                    seen.kinds.formUnion(batch.losses.map(\.kind))
                    return seen.after == 5
                }
                if isEnough { recorder.withLock { $0?.stop() } }
            }
        }
        let judge = Judge()
        var plan = RecordPlan()
        plan.ringEntries = KVMHost.leastRing
        plan.intervalNs = 30_000_000
        plan.iterations = 5000
        let guest = try CodeGuest(CodeGuest.writeLoop, pages: 4096, kernelMode: true)
        let recorder = try Recorder(plan: plan, guest: guest)
        judge.recorder.withLock { $0 = recorder }
        let outcome = try recorder.run { _, _ in judge }
        judge.recorder.withLock { $0 = nil }
        let kinds = Set(outcome.losses.map(\.kind))
        #expect(outcome.reason == .signal, "it must go on, after the overrun too")
        if KVMHost.isPVM {
            // Kernel code is emulated in batches that do not look at the ring: it wraps.
            #expect(kinds.contains(.overrun) || kinds.contains(.desynchronised))
        } else {
            // Mainline stops the guest in time.
            #expect(kinds == [])
            #expect(outcome.ringFull > 0)
        }
    }

    @Test func `a signal during the reset costs nothing when all are blocked`() throws {
        // Somebody sends the process a signal every 50 µs; the harvester never sees one.
        let recorded = try underSignals { try record("sequential:size=4MiB") { $0.iterations = 20 } }
        #expect(recorded.outcome.losses == [])
        #expect(recorded.missing == 0)
    }

    /// What `KVM_RESET_DIRTY_RINGS` answers, call by call, for 200 entries; `!` where something came in between.
    @Test(arguments: [
        (answers: "200", unprotected: 0, unanswered: 0),
        // Early, with nothing in its hands.
        ("0 0 0 200", 0, 0), ("0! 0! 200", 0, 0),
        // Early, with a batch of its 30 entries; with a batch of its 120.
        ("30 170", 30, 0), ("120! 80", 64, 0), ("120 0 70 10", 128, 0),
        // All were counted, and then the last batch dropped.
        ("200!", 64, 0), ("170! 30!", 94, 0),
        // It never answers for 5 entries: nobody knows what became of their pages.
        ("195", 69, 5), ("", 200, 200),
    ])
    func `an early reset leaves at most a batch of 64 pages unprotected`(
        answers: String, unprotected: Int, unanswered: Int
    ) throws {
        var rest = answers.split(separator: " ")[...]
        let tally = try ResetTally(of: 200) {
            let answer = rest.popFirst() ?? "0"
            return (Int(answer.filter(\.isNumber)) ?? 0, answer.hasSuffix("!"))
        }
        #expect((tally.unprotected, tally.unanswered) == (unprotected, unanswered))
    }

    /// How often this thread gave up its CPU by itself.
    private static var switches: Int {
        var usage = rusage()
        _ = unsafe getrusage(__rusage_who_t(1), &usage)  // RUSAGE_THREAD
        return usage.ru_nvcsw
    }

    @Test func `what makes a thread stand still is seen, and so is a SIGCONT that came before it could`() {
        let seen = Mutex<[Bool]>([])
        let worker = Worker("interrupted") {
            // A sleep may be over before the thread has left its CPU, on a slow machine.
            let standStill = {
                let before = Self.switches
                repeat { usleep(1000) } while Self.switches == before
            }
            for interrupt in [{}, standStill, { _ = pthread_kill(pthread_self(), SIGCONT) }, {}] {
                let interruptions = Interruptions()
                interrupt()
                let mayHaveCome = interruptions.mayHaveCome
                seen.withLock { $0.append(mayHaveCome) }
            }
        }
        worker.join()
        #expect(seen.withLock { $0 } == [false, true, true, false])
    }

    @Test func `INITIALLY_SET with a ring is refused`() throws {
        #expect(throws: RecordError.self) { try record("idle") { $0.initiallySet = true } }
    }

    @Test(arguments: [HarvestMode.live, .paused, .liveFinal])
    func `pages that were never written are told apart in a first bitmap of all ones`(mode: HarvestMode) throws {
        let recorded = try record("sequential:size=32MiB,rate=2k/s") {
            $0.source = .clearLog
            $0.initiallySet = true
            $0.mode = mode
        }
        let initial = recorded.batches.flatMap(\.harvests).filter { $0.harvest.cause == .initial }
        #expect(recorded.missing == 0 && recorded.unexplained == 0)
        #expect(!initial.flatMap(\.gfns).isEmpty)
        #expect(initial.allSatisfy { $0.harvest.iteration == 1 })
        let written = Set(recorded.batches[0].harvests.filter { $0.harvest.cause != .initial }.flatMap(\.gfns))
        #expect(written.isDisjoint(with: initial.flatMap(\.gfns)))
    }

    @Test func `a slot that comes later begins as all ones, too, and only what was written becomes an entry`() throws {
        let recorded = try record("random:size=4MiB,rate=20k/s") {
            $0.source = .clearLog
            $0.initiallySet = true
            $0.mode = .paused
            $0.iterations = 12
            $0.slotEvents = try ["15ms:add=8MiB", "35ms:readd", "75ms:move=2GiB"].map(SlotEvent.init(parsing:))
        }
        #expect(recorded.outcome.losses == [])
        #expect((recorded.missing, recorded.unexplained) == (0, 0))
        let added = try #require(recorded.batches.flatMap(\.slots).first { $0.name == "added" })
        let pages = added.baseGFN..<added.baseGFN + added.pages
        let harvests = recorded.batches.flatMap(\.harvests)
        let (initial, written) = (
            harvests.filter { $0.harvest.cause == .initial }, harvests.filter { $0.harvest.cause != .initial }
        )
        #expect(initial.flatMap(\.gfns).filter(pages.contains).count == Int(added.pages))
        #expect(!written.flatMap(\.gfns).contains(where: pages.contains))
        // The slot of the data came three times, and so did its never-written pages.
        #expect(initial.flatMap(\.gfns).count { !pages.contains($0) } > 1024)
    }

    @Test(arguments: [
        ["50ms:remove"], ["10ms:add=2MiB", "5ms:remove"],
        ["1ms:move=2GiB", "2ms:add=2MiB", "3ms:remove", "4ms:remove"],
    ])
    func `a slot event that will not be possible is refused before the guest runs`(events: [String]) throws {
        let guest = try BuiltinGuest(workload: Workload(parsing: "idle"), vcpus: 1, memory: nil)
        var plan = RecordPlan()
        plan.slotEvents = try events.map(SlotEvent.init(parsing:))
        #expect(throws: RecordError.self) { try Recorder(plan: plan, guest: guest) }
    }

    @Test(arguments: [Source.dirtyRing, .dirtyLog, .clearLog])
    func `slots that come, go and move misattribute nothing`(source: Source) throws {
        let recorded = try record("random:size=4MiB,rate=100k/s", vcpus: 2) {
            $0.source = source
            $0.mode = .paused
            $0.iterations = 12
            $0.slotEvents = try ["15ms:add=2MiB", "35ms:readd", "55ms:move=2GiB", "75ms:remove", "95ms:readd"]
                .map(SlotEvent.init(parsing:))
        }
        #expect(recorded.outcome.losses == [])
        #expect(recorded.missing == 0 && recorded.unexplained == 0)
        let rows = recorded.batches.flatMap(\.slots)
        #expect(rows.count == 8)
        let data = rows.filter { $0.slot == Int(BuiltinGuest.dataSlot) }
        #expect(data.filter { $0.deletedNs == nil }.map(\.generation) == [2, 3, 4])
        let moved = BuiltinGuest.dataAddress / 4096 + (2 << 18)
        #expect(data.last?.baseGFN == moved)
        let movedNs = try #require(data.first { $0.baseGFN == moved }?.createdNs)
        for (harvest, gfns) in recorded.batches.flatMap(\.harvests) where !gfns.isEmpty {
            // Bases are 2 GiB apart: a page of the wrong generation would show.
            #expect(gfns.allSatisfy { ($0 >= moved) == (harvest.tsNs > movedNs) })
        }
    }

    @Test func `a vCPU that does not answer a stop is named, and the recording ends`() throws {
        let guest = try CodeGuest([0xe6, 0x10, 0xeb, 0xfc], pages: 16) { _ in  // l: out 0x10, al; jmp l
            Thread.sleep(forTimeInterval: 0.6)
            return .resume
        }
        let recorded = try record(guest) {
            $0.mode = .paused
            $0.stopTimeoutNs = 100_000_000
            // It ends at the stuck vCPU, however late that one gets to its exit.
            $0.iterations = 1000
        }
        #expect(recorded.outcome.reason == .error)
        let stuck = recorded.outcome.losses.filter { $0.kind == .vcpuStuck }
        #expect(stuck.first?.vcpu == 0)
        #expect(stuck.first?.detail.contains("vCPU 0 did not leave the guest within 100 ms") == true)
        // It may write while an oracle looks: that iteration has no verdict.
        #expect(!recorded.outcome.verdicts.contains { $0.iteration == stuck.first?.iteration })
    }

    @Test func `paced vCPUs that share CPUs sleep until it is their turn, and a stop wakes them`() throws {
        let count = Parallel.cpus + 1
        let guest = try BuiltinGuest(
            workload: Workload(parsing: "sequential:size=1MiB,rate=1/s"), vcpus: count, memory: nil)
        let machine = try Machine(plan: RecordPlan(), guest: guest)
        let asleep = Monitor(Set<Int>())
        let crew = VCPUCrew(vcpus: machine.vcpus) { vcpu, exit in
            guard case .sleep(let ns) = guest.handle(exit, of: vcpu) else { return .died("\(exit)") }
            asleep.change { _ = $0.insert(vcpu.index) }
            return .sleep(ns)
        }
        crew.start()
        defer { crew.quit(timeout: 10_000_000_000) }
        for _ in 0..<3 {
            asleep.change { $0 = [] }
            crew.resume()
            // Each waits for a second, as far as it is not woken.
            _ = asleep.wait(until: monotonicNow() + 60_000_000_000, for: { $0.count == count }, then: { _ in })
            let stopped = crew.stop(timeout: 10_000_000_000)
            #expect(stopped.stuck == [] && crew.deaths.isEmpty)
            let latencies = stopped.latencies.map(\.ns).sorted()
            #expect(latencies.count == count && latencies[count / 2] < 400_000_000)
        }
    }

    @Test func `a vCPU that waits for a page answers a stop from Linux 6.2 on, and is stuck before`() throws {
        let stalled = BuiltinGuest.dataAddress + 64 * 4096
        let recorded = try record("sequential:size=1MiB,rate=20k/s", vcpus: 2) {
            $0.mode = .paused
            $0.verify = false
            $0.iterations = 10
            $0.stopTimeoutNs = 500_000_000
            $0.stallPage = stalled + 8
        }
        let progress = recorded.batches.map { $0.iteration.guestProgress ?? 0 }
        if try #require(KernelRelease(Host().kernel)) < KernelRelease(6, 2) {
            #expect(recorded.outcome.reason == .error)
            #expect(recorded.outcome.losses.map(\.kind) == [.vcpuStuck] && recorded.outcome.losses[0].vcpu == 0)
        } else {
            #expect(recorded.outcome.reason == .iterations)
            #expect(recorded.outcome.losses == [])
            // vCPU 1 goes on, vCPU 0 has written 64 pages and waits.
            #expect((progress.last ?? 0) > (progress.first ?? 0))
            #expect(
                recorded.entries.filter { $0 >= stalled / 4096 && $0 < BuiltinGuest.dataAddress / 4096 + 256 }.count
                    <= 1)
        }
    }

    @Test(arguments: [Source.dirtyRing, .dirtyLog, .clearLog])
    func `what KVM writes outside KVM_RUN is logged for a loaded vCPU, and Xen's shared page never`(source: Source)
        throws
    {
        let hasXen = try KVMSystem().hasXenSharedInfo
        let (clock, shared) = (BuiltinGuest.dataAddress + 0x100000, BuiltinGuest.dataAddress + 0x180000)
        let guest = try BuiltinGuest(
            workload: Workload(parsing: "sequential:size=1MiB,rate=10k/s"), vcpus: 1, memory: 2 << 20)
        let recorded = try record(guest) {
            $0.source = source
            $0.mode = .paused
            $0.iterations = 10
            $0.kvmWrites = try [15, 35, 55, 75].map { try KVMWrite(parsing: "\($0)ms:wall-clock=\(clock)") }
            if hasXen {
                $0.kvmWrites += try [16, 36, 56].map { try KVMWrite(parsing: "\($0)ms:shared-info=\(shared)") }
            }
        }
        #expect((recorded.missing, recorded.unexplained) == (0, 0))
        // A write belongs to the iteration that it came in; several of one iteration are one page.
        func iterations(_ words: String) -> Set<Int64> {
            Set(recorded.batches.flatMap(\.markers).filter { $0.text.contains(words) }.map(\.iteration))
        }
        let logged = recorded.batches.filter { $0.harvests.contains { $0.gfns.contains(clock / 4096) } }
        #expect(!logged.isEmpty && Set(logged.map(\.iteration.id)) == iterations("KVM_SET_MSRS"))
        let losses = recorded.outcome.losses
        #expect(losses.allSatisfy { $0.kind == .kvmUnlogged && $0.entries == 1 && $0.detail.contains("shared_info") })
        #expect(Set(losses.map(\.iteration)) == iterations("shared_info") && losses.isEmpty == !hasXen)
        #expect(!recorded.entries.contains(shared / 4096))
    }

    @Test func `a vCPU that only lacks a CPU is not stuck`() throws {
        final class Flag: Sendable { let isSet = Atomic(false) }
        let isOver = Flag()
        let hogs = (0..<2 * ProcessInfo.processInfo.activeProcessorCount).map { _ in
            Worker("hog") { while !isOver.isSet.load(ordering: .relaxed) {} }
        }
        defer {
            isOver.isSet.store(true, ordering: .relaxed)
            for hog in hogs { hog.join() }
        }
        // On its own thread, which runs from now on when nobody else wants to.
        let guest = try CodeGuest([0xe6, 0x10, 0xeb, 0xfc], pages: 16) { _ in  // l: out 0x10, al; jmp l
            var none = sched_param()
            _ = unsafe sched_setscheduler(0, 5, &none)  // SCHED_IDLE
            return .resume
        }
        let recorded = try record(guest) {
            $0.mode = .paused
            $0.stopTimeoutNs = 10_000_000
            $0.intervalNs = 1_000_000
            $0.iterations = 5
        }
        #expect(recorded.outcome.reason == .iterations)
        #expect(recorded.outcome.losses == [])
    }

    @Test func `a triple fault ends the recording with the vCPU's registers`() throws {
        let recorded = try record(CodeGuest([0x0f, 0x0b], pages: 16)) { $0.iterations = 100 }  // ud2
        #expect(recorded.outcome.reason == .error)
        let death = try #require(recorded.outcome.losses.first { $0.kind == .vcpuDeath })
        #expect(death.vcpu == 0)
        // On a triple fault SVM leaves the state of an INIT behind, the software KVM that of the fault.
        #expect(death.detail.contains("shutdown"))
        #expect(death.detail.contains(KVMHost.isPVM ? "rip=0x8000 " : "rip=0xfff0 "))
    }

    @Test func `what could not be stored ends the recording and is told`() throws {
        final class FullDisk: BatchSink {
            struct NoSpace: Error {}
            let stored = Mutex(0)
            func commit(_ batch: IterationBatch) throws {
                try stored.withLock { if $0 == 2 { throw NoSpace() } else { $0 += 1 } }
            }
        }
        let sink = FullDisk()
        let guest = try BuiltinGuest(workload: Workload(parsing: "sequential:size=1MiB"), vcpus: 1, memory: nil)
        var plan = RecordPlan()
        plan.intervalNs = 10_000_000
        plan.iterations = 1000
        let outcome = try Recorder(plan: plan, guest: guest).run { _, _ in sink }
        #expect(outcome.storeFailure is FullDisk.NoSpace)
        #expect(outcome.reason == .error)
        #expect(sink.stored.withLock { $0 } == 2)
    }

    @Test func `a full ring is served at once and its stand-still is measured`() throws {
        let recorded = try record("sequential:size=16MiB,ops=20000") {
            $0.ringEntries = KVMHost.leastRing
            $0.intervalNs = 60_000_000_000
            $0.iterations = nil
        }
        #expect(recorded.outcome.reason == .guestExit)
        #expect(recorded.missing == 0)
        let harvests = recorded.batches.flatMap(\.harvests)
        let full = harvests.map(\.harvest).filter { $0.cause == .ringFull }
        #expect(full.count > 30)
        #expect(full.allSatisfy { $0.stallNs > 0 })
        // A write is provisional where it is retried and logged again: always, but with PML only at the first touch of a page.
        let pairs = zip(harvests, harvests.dropFirst()).filter { $0.0.harvest.cause == .ringFull }
        #expect(pairs.count { ($0.harvest.provisionalCount == 1) != ($0.gfns.last == $1.gfns.first) } == 0)
        if Host().pml == false { #expect(full.allSatisfy { $0.provisionalCount == 1 }) }
        // Not at the next iteration, which is a minute away.
        #expect(full.allSatisfy { $0.stallNs < 30_000_000_000 })
    }

    @Test(arguments: [1, 2])
    func `an iteration larger than the queue comes in parts`(vcpus: Int) throws {
        let operations = KVMHost.isShort ? 5000 : 20000
        let recorded = try record("sequential:size=16MiB,ops=\(operations)", vcpus: vcpus) {
            $0.ringEntries = KVMHost.leastRing
            $0.queueEntries = 4096
            $0.iterations = nil
            $0.intervalNs = 3_600_000_000_000
        }
        #expect(recorded.outcome.reason == .guestExit)
        #expect(recorded.outcome.losses == [])
        #expect((recorded.missing, recorded.unexplained) == (0, 0))
        #expect(recorded.entries.count >= vcpus * operations)
        #expect(Set(recorded.batches.map(\.iteration.id)) == [1])
        #expect(recorded.batches.count >= vcpus * operations / 4096)
        #expect(recorded.batches.map(\.isPart) == recorded.batches.indices.map { $0 < recorded.batches.count - 1 })
        // A quarter of the queue, exceeded by what one pass finds.
        #expect(recorded.batches.allSatisfy { $0.entryCount < 1024 + 2 * KVMHost.leastRing })
    }

    @Test func `device writes larger than any ring lose nothing`() throws {
        // One operation writes more pages than the largest ring has entries.
        let recorded = try record("dma:size=320MiB,burst=70000,ops=2") {
            $0.iterations = nil
            $0.verify = false
        }
        #expect(recorded.entries.count == 140_000)
        #expect(Set(recorded.entries).count == 81_920)
        #expect(recorded.batches.flatMap(\.harvests).allSatisfy { $0.gfns.isEmpty || $0.harvest.source == .vmm })
    }

    @Test func `a first read of a page is reported, and told apart`() throws {
        let recorded = try record("random:size=4MiB,step=2000,ops=2000,writes=0.5") {
            $0.mode = .paused
            $0.iterations = nil
        }
        #expect(recorded.missing == 0 && recorded.unexplained == 0)
        #expect(recorded.outcome.verdicts.reduce(0) { $0 + $1.firstRead } > 100)
    }

    @Test(.enabled(if: !KVMHost.isShort, "the rig has not that many CPUs to emulate"))
    func `a guest of 200 vCPUs ends with all its threads, and its last iteration is there`() throws {
        // With more than about 160 threads, glibc gives back the stacks of those that have ended.
        for _ in 0..<3 {
            let recorded = try record("sequential:size=64KiB,rate=20/s", vcpus: 200) {
                $0.ringEntries = KVMHost.leastRing
                $0.iterations = 2
                $0.intervalNs = 50_000_000
            }
            #expect(recorded.outcome.reason == .iterations && recorded.outcome.losses == [])
            #expect(recorded.batches.map(\.iteration.id) == [1, 2, 3])
            let last = try #require(recorded.batches.last).harvests
            #expect(last.count { $0.harvest.cause == .final } == 200)
        }
    }

    @Test(.enabled(if: !KVMHost.isShort, "the rig has not that many CPUs to emulate"), .timeLimit(.minutes(10)))
    func `rings that fill as fast as they are served do not keep iterations from their turn`() throws {
        // Whether a ring fills in so short a time is up to the scheduler: a few attempts.
        var ringFull: Int64 = 0
        for _ in 0..<20 where ringFull == 0 {
            let recorded = try record("sequential:size=4MiB", vcpus: 64) {
                $0.ringEntries = KVMHost.leastRing
                $0.iterations = 3
                $0.intervalNs = 20_000_000
            }
            #expect(recorded.outcome.reason == .iterations && recorded.outcome.losses == [])
            #expect(recorded.batches.map(\.iteration.id) == [1, 2, 3, 4])
            ringFull = recorded.outcome.ringFull
        }
        #expect(ringFull > 0)
    }

    private func underSignals<Result>(_ body: () throws -> Result) rethrows -> Result {
        let isOver = Monitor(false)
        let target = ThreadID.current
        Kick.install()
        let sender = Worker("signals") {
            while isOver.wait(until: monotonicNow() + 50_000, for: { $0 }, then: { $0 }) == nil {
                Kick.send(to: target)
            }
        }
        defer {
            isOver.change { $0 = true }
            sender.join()
        }
        return try body()
    }
}
