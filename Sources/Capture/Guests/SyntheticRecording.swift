import Model
import Platform

/// What a built-in workload would dirty, worked out from its model without a virtual machine: for tests of scale.
///
/// vCPUs take turns, one operation each, and are stopped for every harvest. A write is an entry when its page was not
/// written since the page was last harvested; vCPUs that write a page in the same turn race for it, and each reports it.
/// A full ring is harvested and re-protected at once. Nothing here was measured: costs and stand-still are 0.
package struct SyntheticRecording {
    /// Operations a second of each vCPU where the workload names no rate.
    package static let defaultRate: Int64 = 1_000_000
    /// Most guest memory in bytes: the model keeps eight bytes a page.
    package static let mostMemory: Int64 = 256 << 30
    /// Most operations of all vCPUs together: a day of a fast processor.
    private static let mostOperations = 0x1p40
    /// Most of them in an iteration, each perhaps an entry of 8 bytes.
    private static let mostInIteration = 0x1p27
    /// CLOCK_MONOTONIC at which every synthetic recording begins, in nanoseconds.
    private static let startNs: Int64 = 1_000_000_000
    /// Entries of a ring, and those at which KVM leaves the guest.
    private static let ringEntries = 65536
    private static let ringSoftLimit = RingLimits.softLimit(ringEntries: ringEntries, pml: false)

    /// What to write into the file; `tool`, `commandLine` and `labels` are the caller's to fill in.
    package private(set) var info: RecordingInfo
    /// The guest's slots, as the recorder would make them.
    package let slots: [MemorySlot]
    /// When the recording ends, in nanoseconds.
    package let endNs: Int64

    private let workload: Workload
    private let firstPage: GFN
    private var models: [WorkloadModel]
    private var rings: [Ring]
    /// For each page the turn in which it was logged; 0 when it is write-protected.
    private var loggedIn: [UInt64]
    private var turn: UInt64 = 0
    private var iterations: Int64 = 0

    private struct Ring {
        var gfns: [GFN] = []
        var sinceNs = SyntheticRecording.startNs
    }

    /// Lays out the guest.
    ///
    /// - Parameters:
    ///   - labels: Labels of the recording; with everything else they decide its id.
    ///   - durationNs: Time that the guest runs, in nanoseconds, above 0.
    ///   - intervalNs: Time from one harvest to the next, in nanoseconds, above 0.
    /// - Throws: ``GuestError``, `KVMError` when the host has no room.
    package init(workload: Workload, vcpus: Int, labels: [String: String], durationNs: Int64, intervalNs: Int64) throws
    {
        guard workload.kind != .dma else {
            throw GuestError("Workload 'dma' is written by the VMM, which has no model; choose another workload.")
        }
        guard workload.step == nil else {
            throw GuestError("Workload parameter step= follows harvests, which follow the clock here; leave it out.")
        }
        let guest = try BuiltinGuest(workload: workload, vcpus: vcpus, memory: nil)
        guard guest.data.size <= Self.mostMemory else {
            throw GuestError("A synthetic guest has at most \(Units.size(Self.mostMemory)); give a smaller size=.")
        }
        let rate = Double(workload.rate ?? Self.defaultRate)
        guard rate * Double(durationNs) / 1e9 * Double(vcpus) <= Self.mostOperations else {
            throw GuestError(
                "That is more than 2^40 operations of the guest; give a lower rate= or a shorter duration.")
        }
        guard rate * Double(min(intervalNs, durationNs)) / 1e9 * Double(vcpus) <= Self.mostInIteration else {
            throw GuestError("An iteration has at most 2^27 operations here; give a shorter interval or a lower rate=.")
        }
        self.workload = workload
        firstPage = guest.dataGFN
        models = (0..<vcpus).map(guest.model)
        rings = Array(repeating: Ring(), count: vcpus)
        loggedIn = Array(repeating: 0, count: guest.data.size / pageBytes)
        endNs = Self.startNs + durationNs
        slots = guest.regions.map {
            MemorySlot(
                slot: Int($0.slot), baseGFN: $0.baseGFN, pages: UInt64($0.memory.size / pageBytes), logged: $0.isLogged,
                name: $0.name, createdNs: Self.startNs)
        }
        info = RecordingInfo()
        info.guestKind = "synthetic"
        info.guest = workload.specification
        info.seed = workload.seed
        (info.host, info.kernel, info.cpu) = ("synthetic", "synthetic", "synthetic")
        info.vcpuCount = vcpus
        info.memoryBytes = Int64(guest.low.size + guest.data.size)
        info.mode = .paused
        (info.ringEntries, info.ringSoftLimit) = (Self.ringEntries, Self.ringSoftLimit)
        info.intervalNs = intervalNs
        info.startNs = Self.startNs
        info.labels = labels
        info.id = Self.identity(
            "\(workload.specification) \(vcpus) \(durationNs) \(intervalNs) \(labels.sorted(by: <))")
    }

    /// The next iteration; nil when the time is over or the guest has done all its operations.
    package mutating func next() -> IterationBatch? {
        let startNs = Self.startNs + iterations * info.intervalNs
        guard startNs < endNs, turn < workload.operations ?? .max else { return nil }
        iterations += 1
        var batch = IterationBatch(
            iteration: Iteration(id: iterations, startNs: startNs, endNs: min(startNs + info.intervalNs, endNs)))
        let protectedSince = turn
        let end = min(turns(by: batch.iteration.endNs), workload.operations ?? .max)
        while turn < end {
            turn += 1
            for vcpu in models.indices { step(vcpu, protectedSince: protectedSince, into: &batch) }
        }
        for vcpu in rings.indices { harvest(vcpu, .paused, at: batch.iteration.endNs, into: &batch) }
        batch.iteration.guestProgress = Int64(turn) * Int64(models.count)
        return batch
    }

    private mutating func step(_ vcpu: Int, protectedSince: UInt64, into batch: inout IterationBatch) {
        var written: GFN?
        models[vcpu].step { gfn, writes in written = writes ? gfn : nil }
        guard let written else { return }
        let page = Int(written - firstPage)
        guard loggedIn[page] <= protectedSince || loggedIn[page] == turn else { return }
        loggedIn[page] = turn
        rings[vcpu].gfns.append(written)
        if rings[vcpu].gfns.count == Self.ringSoftLimit {
            for gfn in rings[vcpu].gfns { loggedIn[Int(gfn - firstPage)] = 0 }
            harvest(vcpu, .ringFull, at: time(of: turn), into: &batch)
        }
    }

    private mutating func harvest(_ vcpu: Int, _ cause: HarvestCause, at ns: Int64, into batch: inout IterationBatch) {
        let ring = rings[vcpu]
        batch.harvests.append(
            (
                Harvest(
                    iteration: iterations, source: .dirtyRing, vcpu: vcpu, cause: cause, sinceNs: ring.sinceNs,
                    tsNs: ns, entryCount: ring.gfns.count), ring.gfns
            ))
        rings[vcpu] = Ring(sinceNs: ns)
    }

    private var rate: Double { Double(workload.rate ?? Self.defaultRate) }

    /// Operations that each vCPU has begun by then.
    private func turns(by ns: Int64) -> UInt64 { UInt64(Double(ns - Self.startNs) * rate / 1e9) }

    /// The end of a turn; rounding must not carry it beyond the end of its iteration.
    private func time(of turn: UInt64) -> Int64 {
        min(Self.startNs + Int64(Double(turn) / rate * 1e9), Self.startNs + iterations * info.intervalNs, endNs)
    }

    /// 32 hexadecimal digits that only the same description gives: FNV-1a, spread by the workloads' generator.
    private static func identity(_ description: String) -> String {
        let hash = description.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return (0..<2).map { stream in
            var random = GuestRandom(seed: hash, stream: stream)
            let digits = String(random.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
