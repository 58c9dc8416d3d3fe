import Foundation
import KVM
import Platform

/// All vCPUs with their threads: starts, stops, resumes and ends them, and serves those whose ring is full.
///
/// A member's phases:
/// ```
///            ┌────────── stop asked, KVM_RUN interrupted ──────────► parked ──┐
/// running ◄──┼─────────────── no stop is pending any more ─────────────────────┤
///            ├── ring full ──► waiting ── served ──────────────────────────────┤
///            ├── step done ──► stepDone ── iteration harvested ────────────────┘
///            └── done, died or quit ──► finished
/// ```
/// `parked`, `waiting`, `stepDone` and `finished` are outside the guest and stay there: a stop is complete when no member is `running`.
package final class VCPUCrew: Sendable {
    /// What a thread does after an exit.
    package enum AfterExit {
        case resume
        /// Waits for ``releaseSteps()`` or ``resume()``.
        case waitForIteration
        /// Stays outside the guest for so many nanoseconds, or until a stop.
        case sleep(Int64)
        /// The vCPU has nothing more to do.
        case done
        /// The guest as a whole has ended.
        case guestEnded
        /// The vCPU cannot go on; one sentence says why.
        case died(String)
    }

    /// Why ``waitForWork(until:)`` returned.
    enum Work: Equatable {
        /// The deadline came, or every vCPU waits for the iteration.
        case due
        /// Rings are full: vCPU and since when it stands still, in the order of the indices.
        case ringFull([Waiting])
        /// All members are done, or the guest has ended.
        case finished
        /// A member died.
        case died(vcpu: Int, why: String)
        /// ``interrupt()`` was called.
        case interrupted
    }

    /// A vCPU that stands still because its ring is full.
    struct Waiting: Equatable {
        var vcpu: Int
        var since: Int64
    }

    /// What a stop found.
    package struct StopResult {
        /// From the request to each vCPU's answer; those already outside the guest answered in 0.
        package var latencies: [(vcpu: Int, ns: Int64)] = []
        /// vCPUs that did not answer in time.
        package var stuck: [Int] = []
    }

    /// How vCPUs are made to leave the guest. Recordings use the default; the others are there to be measured.
    package enum StopMethod: String, CaseIterable {
        /// `immediate_exit`, then a signal: never late, whatever the thread is doing.
        case exitAndSignal = "immediate_exit + signal"
        /// A signal alone, sent again every millisecond: it is lost on a thread that is about to enter the guest.
        case signal = "signal alone"
        /// Nothing but the flag that threads look at between exits.
        case poll = "flag polled at exits"
    }

    private enum Phase: Equatable {
        case running
        case waiting(since: Int64)
        case stepDone
        case parked
        case finished
    }

    private struct Member {
        var phase = Phase.parked
        var thread: ThreadID?
        var answeredNs: Int64 = 0
        var death: String?
    }

    private struct State {
        var members: [Member]
        var stopRequested = true
        var quit = false
        var guestEnded = false
        var interrupted = false
        var threads = 0
    }

    private let vcpus: [VCPU]
    private let handle: @Sendable (VCPU, VCPUExit) -> AfterExit
    private let state: Monitor<State>

    /// A crew whose vCPUs stand still until the first ``resume()``. `handle` is called on the vCPU's own thread for
    /// every exit but an interruption and a full ring.
    package init(vcpus: [VCPU], handle: @escaping @Sendable (VCPU, VCPUExit) -> AfterExit) {
        self.vcpus = vcpus
        self.handle = handle
        state = Monitor(State(members: vcpus.map { _ in Member() }))
        Kick.install()
    }

    /// Starts one thread for every vCPU and waits until all are there.
    package func start() {
        for vcpu in vcpus {
            let thread = Thread { self.runThread(vcpu) }
            thread.name = "vcpu\(vcpu.index)"
            thread.stackSize = 256 << 10
            thread.start()
        }
        let count = vcpus.count
        _ = state.wait(for: { $0.threads == count }, then: { _ in })
    }

    // MARK: vCPU threads

    private func runThread(_ vcpu: VCPU) {
        Kick.acceptOnly()
        state.change {
            $0.members[vcpu.index].thread = .current
            $0.threads += 1
        }
        let death = runUntilFinished(vcpu)
        state.change {
            $0.members[vcpu.index].phase = .finished
            $0.members[vcpu.index].answeredNs = monotonicNow()
            $0.members[vcpu.index].death = death
            $0.members[vcpu.index].thread = nil
            $0.threads -= 1
        }
    }

    /// - Returns: why the vCPU died, or nil when it is done or was told to quit.
    private func runUntilFinished(_ vcpu: VCPU) -> String? {
        // KVM ends an instruction that writes to a read-only slot at the next entry only, and one that writes 16 bytes, or across two
        // pages, leaves the guest several times. Slots must not change between its parts.
        var isUnfinished = false
        while mayEnter(vcpu, isUnfinished: isUnfinished) {
            do {
                let exit = try vcpu.enter()
                if case .mmioWrite = exit { isUnfinished = true } else { isUnfinished = false }
                switch exit {
                case .interrupted: continue
                case .dirtyRingFull: guard waitForRing(vcpu) else { return nil }
                default:
                    switch handle(vcpu, exit) {
                    case .resume: continue
                    case .sleep(let ns): Kick.sleep(ns) { state.read { $0.stopRequested || $0.quit } }
                    case .waitForIteration:
                        let now = monotonicNow()
                        state.change {
                            $0.members[vcpu.index].phase = .stepDone
                            $0.members[vcpu.index].answeredNs = now
                        }
                        guard enterWhenAllowed(vcpu) else { return nil }
                    case .done: return nil
                    case .guestEnded:
                        state.change { $0.guestEnded = true }
                        return nil
                    case .died(let why): return why
                    }
                }
            } catch {
                return "\(error) (\(vcpu.registerDump()))"
            }
        }
        return nil
    }

    /// Parks while a stop is pending, or enters once more for an unfinished instruction: with its exit requested, KVM ends what it has
    /// begun and returns, without an instruction more. One look decides both: a stop may come at any time.
    ///
    /// - Returns: false when the thread must end.
    private func mayEnter(_ vcpu: VCPU, isUnfinished: Bool) -> Bool {
        // A member that is not `running` may not enter, even when no stop is pending: the next stop would not wait for it.
        let (isRunning, isStopping) = state.read {
            (!$0.quit && $0.members[vcpu.index].phase == .running, $0.stopRequested)
        }
        if isRunning && !isStopping { return true }
        if isRunning && isUnfinished {
            vcpu.requestExit(true)
            return true
        }
        state.change {
            guard !$0.quit, $0.members[vcpu.index].phase == .running else { return }
            $0.members[vcpu.index].phase = .parked
            $0.members[vcpu.index].answeredNs = monotonicNow()
        }
        return enterWhenAllowed(vcpu)
    }

    /// Only the thread itself becomes `running`, in the same breath in which it sees that no stop is pending: a thread that
    /// has not woken up yet from one stop counts as stopped for the next one.
    private func enterWhenAllowed(_ vcpu: VCPU) -> Bool {
        state.wait(
            for: { $0.quit || (!$0.stopRequested && $0.members[vcpu.index].phase == .parked) },
            then: {
                if !$0.quit { $0.members[vcpu.index].phase = .running }
                return !$0.quit
            }) ?? false
    }

    private func waitForRing(_ vcpu: VCPU) -> Bool {
        let now = monotonicNow()
        state.change {
            $0.members[vcpu.index].phase = .waiting(since: now)
            $0.members[vcpu.index].answeredNs = now
        }
        return enterWhenAllowed(vcpu)
    }

    // MARK: The harvester's side

    /// Waits for the next thing to do, at most until `deadline`.
    ///
    /// What ends the recording and what is due come before full rings: where many vCPUs share few CPUs, rings may fill as
    /// fast as they are served, and there is always one. Iterations and the end serve them, too.
    func waitForWork(until deadline: Int64?) -> Work {
        func work(_ state: State) -> Work? {
            if let dead = state.members.firstIndex(where: { $0.death != nil }) {
                return .died(vcpu: dead, why: state.members[dead].death ?? "")
            }
            if state.interrupted { return .interrupted }
            let waiting = Self.waiting(in: state)
            if !waiting.isEmpty {
                if let deadline, monotonicNow() >= deadline { return .due }
                return .ringFull(waiting)
            }
            if state.guestEnded || state.members.allSatisfy({ $0.phase == .finished }) { return .finished }
            if state.members.allSatisfy({ $0.phase == .finished || $0.phase == .stepDone }) { return .due }
            return nil
        }
        return state.wait(until: deadline, for: { work($0) != nil }, then: { work($0) ?? .due }) ?? .due
    }

    private static func waiting(in state: State) -> [Waiting] {
        state.members.enumerated().compactMap { index, member in
            guard case .waiting(let since) = member.phase else { return nil }
            return Waiting(vcpu: index, since: since)
        }
    }

    /// vCPUs that stand still because their ring is full.
    var waiting: [Waiting] { state.read { Self.waiting(in: $0) } }

    /// Members that died, and why.
    var deaths: [(vcpu: Int, why: String)] {
        state.read { state in
            state.members.enumerated().compactMap { index, member in member.death.map { (index, $0) } }
        }
    }

    /// Lets vCPUs go on whose rings have been harvested and reset.
    func serve(_ waiting: [Waiting]) {
        state.change { state in
            for member in waiting { state.members[member.vcpu].phase = .parked }
        }
    }

    /// Lets vCPUs go on that waited for the iteration.
    func releaseSteps() { state.change { Self.releaseSteps(in: &$0) } }

    private static func releaseSteps(in state: inout State) {
        for index in state.members.indices where state.members[index].phase == .stepDone {
            state.members[index].phase = .parked
        }
    }

    /// Makes ``waitForWork(until:)`` return ``Work/interrupted`` from now on.
    func interrupt() { state.change { $0.interrupted = true } }

    /// How long a stop waits for threads that get no CPU, in nanoseconds: other programs may have them all.
    private static let patience: Int64 = 60_000_000_000

    /// Asks every vCPU to leave the guest and waits until all have. One that has not after `timeout` nanoseconds is stuck,
    /// unless all that its thread lacks is a CPU.
    package func stop(timeout: Int64, method: StopMethod = .exitAndSignal) -> StopResult {
        let asked = monotonicNow()
        let running = state.change { state -> [Int] in
            state.stopRequested = true
            return state.members.indices.filter { state.members[$0].phase == .running }
        }
        // The byte first: the signal alone would be lost on a thread that is just about to enter.
        if method == .exitAndSignal { for index in running { vcpus[index].requestExit(true) } }
        func waitForAll(until deadline: Int64) -> Bool {
            state.wait(until: deadline, for: { $0.members.allSatisfy { $0.phase != .running } }, then: { _ in true })
                ?? false
        }
        switch method {
        case .exitAndSignal:
            kick(running)
            guard !waitForAll(until: asked + timeout / 10) else { break }
            let before = cpuTimes(of: running)
            var deadline = asked + timeout
            // A look may meet a thread that sleeps for a moment, on a lock whose owner lacks a CPU.
            var looks = 3
            while !waitForAll(until: deadline), deadline < asked + Self.patience, looks > 0 {
                looks = isStarving(running, since: before, less: max(timeout / 4, 10_000_000)) ? 3 : looks - 1
                deadline = monotonicNow() + (looks == 3 ? timeout : timeout / 10)
            }
        case .signal:
            repeat {
                kick(running)
            } while !waitForAll(until: monotonicNow() + 1_000_000) && monotonicNow() < asked + timeout
        case .poll: _ = waitForAll(until: asked + timeout)
        }
        return state.read { state in
            var result = StopResult()
            for index in running where state.members[index].phase == .running { result.stuck.append(index) }
            for (index, member) in state.members.enumerated() where !result.stuck.contains(index) {
                if running.contains(index) {
                    // It may have left the guest, and read the clock, before it was asked.
                    result.latencies.append((index, max(0, member.answeredNs - asked)))
                } else if member.phase != .finished {
                    result.latencies.append((index, 0))
                }
            }
            return result
        }
    }

    private func cpuTimes(of members: [Int]) -> [Int64] {
        state.read { state in members.map { state.members[$0].thread?.cpuNs ?? 0 } }
    }

    /// Whether those of `members` that have not answered could run, but have had less than `allowance` nanoseconds of CPU time.
    private func isStarving(_ members: [Int], since before: [Int64], less allowance: Int64) -> Bool {
        state.read { state in
            zip(members, before).allSatisfy { member, before in
                guard state.members[member].phase == .running, let thread = state.members[member].thread else {
                    return true
                }
                return thread.isRunnable && thread.cpuNs - before < allowance
            }
        }
    }

    /// Signals these members' threads, as far as they still run. Under the lock under which a thread withdraws its id: until
    /// then it has not ended.
    private func kick(_ members: some Sequence<Int>) {
        state.read { state in
            for index in members {
                if let thread = state.members[index].thread { Kick.send(to: thread) }
            }
        }
    }

    /// Lets every stopped vCPU enter the guest again.
    ///
    /// - Parameters:
    ///   - rings: whether those whose ring was full have been served; else they go on waiting.
    ///   - steps: whether the iteration is over for vCPUs that wait for that.
    package func resume(rings: Bool = true, steps: Bool = true) {
        for vcpu in vcpus { vcpu.requestExit(false) }
        state.change { state in
            state.stopRequested = false
            if rings { for member in Self.waiting(in: state) { state.members[member.vcpu].phase = .parked } }
            if steps { Self.releaseSteps(in: &state) }
        }
    }

    /// Ends every thread and waits for it, at most `timeout` nanoseconds.
    package func quit(timeout: Int64) {
        state.change { $0.quit = true }
        for vcpu in vcpus { vcpu.requestExit(true) }
        kick(vcpus.indices)
        _ = state.wait(until: monotonicNow() + timeout, for: { $0.threads == 0 }, then: { _ in })
    }
}
