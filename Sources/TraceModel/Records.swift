// The rows of a recording, as values. Times are nanoseconds on CLOCK_MONOTONIC of the recording host.

/// Provenance: everything that a reader must know to trust the entries.
public struct RecordingInfo: Sendable, Equatable {
    /// 32 hexadecimal digits, unique across a fleet.
    public var id = ""
    /// Name and version of what wrote the file, such as `dirtyrec 0.1.0`.
    public var tool = ""
    /// The command line that started the recording.
    public var commandLine = ""
    /// What ran: `builtin`, `image`, `linux`, `attached`, `imported` or `synthetic`.
    public var guestKind = "builtin"
    /// The guest in its own words: workload specification, kernel path, process name.
    public var guest = ""
    /// Seed of a built-in workload, if it has one.
    public var seed: UInt64?
    /// The recording host's name.
    public var host = ""
    /// Kernel release as `uname -r` says it.
    public var kernel = ""
    /// KVM implementation module, such as `kvm_amd`, `kvm_intel` or `kvm_pvm`; empty when unknown.
    public var kvmModule = ""
    /// CPU model name.
    public var cpu = ""
    /// Whether page-modification logging was on; nil when unknown.
    public var pml: Bool?
    /// Whether the host is itself a virtual machine; nil when unknown.
    public var nested: Bool?
    /// Bytes in a page.
    public var pageSize: Int64 = 4096
    /// Number of vCPUs.
    public var vcpuCount = 1
    /// Guest memory in bytes, logged and unlogged.
    public var memoryBytes: Int64 = 0
    /// The main source of entries.
    public var source = Source.dirtyRing
    /// How harvests relate to the vCPUs.
    public var mode = HarvestMode.live
    /// Entries in one ring; nil for bitmap sources.
    public var ringEntries: Int?
    /// Entries of a ring at which KVM leaves the guest; nil for bitmap sources.
    public var ringSoftLimit: Int?
    /// Pages in one `KVM_CLEAR_DIRTY_LOG`; nil for other sources.
    public var clearChunkPages: Int?
    /// Whether the first bitmap began as all ones (`KVM_DIRTY_LOG_INITIALLY_SET`).
    public var initiallySet = false
    /// Asked time between harvests, in nanoseconds; 0 where harvests follow something else.
    public var intervalNs: Int64 = 0
    /// CLOCK_MONOTONIC when vCPUs first ran.
    public var startNs: Int64 = 0
    /// CLOCK_REALTIME minus CLOCK_MONOTONIC at the start.
    public var wallOffsetNs: Int64 = 0
    /// CLOCK_MONOTONIC when the recording ended; nil when it was cut off.
    public var endNs: Int64?
    /// Why it ended; nil when it was cut off.
    public var endReason: EndReason?
    /// KVM capabilities by name as `KVM_CHECK_EXTENSION` answered.
    public var capabilities: [String: Int] = [:]
    /// Free `key=value` labels of the user.
    public var labels: [String: String] = [:]

    /// An empty description, to be filled in.
    public init() {}

    /// 32 random hexadecimal digits for ``id``.
    public static func newID() -> String {
        (0..<4).map { _ in
            let word = String(UInt32.random(in: 0 ... .max), radix: 16)
            return String(repeating: "0", count: 8 - word.count) + word
        }.joined()
    }
}

/// A guest memory slot in one of its generations.
public struct MemorySlot: Sendable, Equatable {
    /// KVM slot id, without the address-space bits.
    public var slot: Int
    /// KVM address-space id (1 is SMM on x86).
    public var addressSpace: Int
    /// Counts deletions and moves of this slot id, from 1.
    public var generation: Int
    /// First GFN.
    public var baseGFN: GFN
    /// Number of pages.
    public var pages: UInt64
    /// Whether dirty logging was on.
    public var logged: Bool
    /// Whether the slot was read-only (write tracking).
    public var readonly: Bool
    /// What it holds, such as `data` or `low`.
    public var name: String
    /// When it was created.
    public var createdNs: Int64
    /// When it was deleted, if it was.
    public var deletedNs: Int64?

    /// GFNs from here on are no guest addresses, but stand for a slot whose address and size nobody told.
    public static let firstUnknownGFN: GFN = 1 << 50
    /// Whether its guest address and its size are known.
    public var isKnown: Bool { baseGFN < Self.firstUnknownGFN }

    /// Describes a slot.
    public init(
        slot: Int, addressSpace: Int = 0, generation: Int = 1, baseGFN: GFN, pages: UInt64, logged: Bool,
        readonly: Bool = false, name: String = "", createdNs: Int64 = 0, deletedNs: Int64? = nil
    ) {
        self.slot = slot
        self.addressSpace = addressSpace
        self.generation = generation
        self.baseGFN = baseGFN
        self.pages = pages
        self.logged = logged
        self.readonly = readonly
        self.name = name
        self.createdNs = createdNs
        self.deletedNs = deletedNs
    }
}

/// One pass over one source at one time; its entries travel beside it.
///
/// An entry of this harvest was pushed in the half-open interval `(sinceNs, tsNs]`.
/// A pass with more than ``Segment/maxEntries`` entries is several harvests with the same times.
public struct Harvest: Sendable, Equatable {
    /// Counted from 1 over the whole recording, in the order of harvesting.
    public var id: Int64
    /// The iteration that it belongs to, counted from 1.
    public var iteration: Int64
    /// Where the entries come from.
    public var source: Source
    /// The vCPU whose ring it was; nil for bitmaps and the VMM's own log.
    public var vcpu: Int?
    /// Why it took place.
    public var cause: HarvestCause
    /// When the previous pass over this source began.
    public var sinceNs: Int64
    /// When this pass ended.
    public var tsNs: Int64
    /// Number of entries.
    public var entryCount: Int
    /// Sequence number of its first entry; entries are counted from 1 over the recording.
    public var firstSeq: Int64
    /// How many entries at its end are provisional: logged, while their write may not have happened yet (0 or 1).
    public var provisionalCount: Int
    /// Time of this pass: scan of a ring, or GET of a bitmap.
    public var scanNs: Int64
    /// Time of the re-protection that followed, when it was made for this harvest alone (ring-full); else 0.
    public var resetNs: Int64
    /// How long the vCPU had stood still because its ring was full; 0 when it was not.
    public var stallNs: Int64

    /// Describes a harvest. `id` and `firstSeq` are assigned by the writer of the file.
    public init(
        id: Int64 = 0, iteration: Int64, source: Source, vcpu: Int?, cause: HarvestCause, sinceNs: Int64, tsNs: Int64,
        entryCount: Int, firstSeq: Int64 = 0, provisionalCount: Int = 0, scanNs: Int64 = 0, resetNs: Int64 = 0,
        stallNs: Int64 = 0
    ) {
        self.id = id
        self.iteration = iteration
        self.source = source
        self.vcpu = vcpu
        self.cause = cause
        self.sinceNs = sinceNs
        self.tsNs = tsNs
        self.entryCount = entryCount
        self.firstSeq = firstSeq
        self.provisionalCount = provisionalCount
        self.scanNs = scanNs
        self.resetNs = resetNs
        self.stallNs = stallNs
    }
}

/// One round: every source harvested, then re-protected once. Costs that a source does not have are 0.
public struct Iteration: Sendable, Equatable {
    /// Counted from 1.
    public var id: Int64
    /// When the previous iteration ended; for the first, when vCPUs first ran.
    public var startNs: Int64
    /// When its last harvest was taken.
    public var endNs: Int64
    /// From the stop request until the last vCPU had left the guest; 0 in live mode.
    public var kickNs: Int64 = 0
    /// From the stop request until vCPUs were let go again, without what oracles took; 0 in live mode.
    public var pauseNs: Int64 = 0
    /// Reading rings, all harvests together.
    public var scanNs: Int64 = 0
    /// `KVM_GET_DIRTY_LOG`, all slots together.
    public var getNs: Int64 = 0
    /// `KVM_CLEAR_DIRTY_LOG`, all chunks together.
    public var clearNs: Int64 = 0
    /// `KVM_RESET_DIRTY_RINGS`, all calls together.
    public var resetNs: Int64 = 0
    /// Waking the vCPUs; 0 in live mode.
    public var resumeNs: Int64 = 0
    /// Operations that all vCPUs of a built-in workload have completed since the start; nil for other guests.
    public var guestProgress: Int64?

    /// Describes an iteration without costs.
    public init(id: Int64, startNs: Int64, endNs: Int64) {
        self.id = id
        self.startNs = startNs
        self.endNs = endNs
    }
}

/// Something that may have made an entry disappear.
public struct Loss: Sendable, Equatable {
    /// The iteration in progress; 0 before the first.
    public var iteration: Int64
    /// When it was noticed.
    public var tsNs: Int64
    /// What happened.
    public var kind: LossKind
    /// The vCPU concerned, if one is.
    public var vcpu: Int?
    /// How many entries are known to be concerned; nil when that cannot be known.
    public var entries: Int64?
    /// One sentence for a human.
    public var detail: String

    /// Describes a loss.
    public init(iteration: Int64, tsNs: Int64, kind: LossKind, vcpu: Int? = nil, entries: Int64? = nil, detail: String)
    {
        self.iteration = iteration
        self.tsNs = tsNs
        self.kind = kind
        self.vcpu = vcpu
        self.entries = entries
        self.detail = detail
    }
}

/// How long one vCPU took to leave the guest when a stop was asked for.
public struct StopLatency: Sendable, Equatable {
    /// The iteration whose pause it was.
    public var iteration: Int64
    /// The vCPU.
    public var vcpu: Int
    /// From the request to the vCPU's answer.
    public var latencyNs: Int64

    /// Describes one answer to a stop.
    public init(iteration: Int64, vcpu: Int, latencyNs: Int64) {
        self.iteration = iteration
        self.vcpu = vcpu
        self.latencyNs = latencyNs
    }
}

/// The increase of one KVM statistic during one iteration.
public struct KVMStatistic: Sendable, Equatable {
    /// The iteration.
    public var iteration: Int64
    /// The vCPU, or nil for a statistic of the VM.
    public var vcpu: Int?
    /// The kernel's name, such as `pf_fixed`.
    public var name: String
    /// Increase since the previous iteration.
    public var value: Int64

    /// Describes an increase.
    public init(iteration: Int64, vcpu: Int?, name: String, value: Int64) {
        self.iteration = iteration
        self.vcpu = vcpu
        self.name = name
        self.value = value
    }
}

/// One guest write to a watched page.
public struct WatchEvent: Sendable, Equatable {
    /// The iteration in progress.
    public var iteration: Int64
    /// When KVM handed the write over.
    public var tsNs: Int64
    /// Who wrote.
    public var vcpu: Int
    /// Guest physical address of the first byte.
    public var gpa: UInt64
    /// What stood there before; as long as `newValue`, 1 to 8 bytes.
    public var oldValue: [UInt8]
    /// What was written.
    public var newValue: [UInt8]
    /// Guest instruction pointer; 0 when it could not be read.
    public var rip: UInt64

    /// Describes a write.
    public init(
        iteration: Int64, tsNs: Int64, vcpu: Int, gpa: UInt64, oldValue: [UInt8], newValue: [UInt8], rip: UInt64
    ) {
        self.iteration = iteration
        self.tsNs = tsNs
        self.vcpu = vcpu
        self.gpa = gpa
        self.oldValue = oldValue
        self.newValue = newValue
        self.rip = rip
    }
}

/// A named moment, set by the guest or the user.
public struct Marker: Sendable, Equatable {
    /// When it arrived.
    public var tsNs: Int64
    /// The iteration in progress.
    public var iteration: Int64
    /// The vCPU that set it, if a guest did.
    public var vcpu: Int?
    /// Free text, hostile until proven otherwise.
    public var text: String

    /// Describes a marker.
    public init(tsNs: Int64, iteration: Int64, vcpu: Int? = nil, text: String) {
        self.tsNs = tsNs
        self.iteration = iteration
        self.vcpu = vcpu
        self.text = text
    }
}

/// What an oracle that knows the right answer said of one iteration. All counts are pages.
public struct OracleVerdict: Sendable, Equatable {
    /// The iteration.
    public var iteration: Int64
    /// `known-answer` (built-in workloads) or `shadow` (memory compared with a copy).
    public var oracle: String
    /// Pages that had to be dirty.
    public var expected: Int64 = 0
    /// Pages that had to be dirty and were not reported. Anything but 0 is a bug or a loss.
    public var missing: Int64 = 0
    /// Reported pages that nothing explains.
    public var unexplained: Int64 = 0
    /// Reported because of a provisional entry or an operation in flight.
    public var provisional: Int64 = 0
    /// Reported because a first read made them present.
    public var firstRead: Int64 = 0
    /// Reported because the first bitmap begins as all ones.
    public var initiallySet: Int64 = 0
    /// Reported because they hold the guest's page tables.
    public var pageTable: Int64 = 0
    /// Reported while their content did not change.
    public var silent: Int64 = 0

    /// A verdict with nothing counted yet.
    public init(iteration: Int64, oracle: String) {
        self.iteration = iteration
        self.oracle = oracle
    }
}

/// A dirty rate that somebody else measured while we recorded, kept beside ours to be compared.
public struct ForeignRate: Sendable, Equatable {
    /// Who measured, such as `qemu calc-dirty-rate`.
    public var tool: String
    /// The vCPU; nil for the whole guest.
    public var vcpu: Int?
    /// When the measurement began.
    public var sinceNs: Int64
    /// When it ended.
    public var tsNs: Int64
    /// Bytes dirtied a second, as precise as the tool says it.
    public var bytesPerSecond: Int64
    /// The smallest difference that the tool can express.
    public var quantum: Int64

    /// Describes a measurement.
    public init(tool: String, vcpu: Int? = nil, sinceNs: Int64, tsNs: Int64, bytesPerSecond: Int64, quantum: Int64) {
        self.tool = tool
        self.vcpu = vcpu
        self.sinceNs = sinceNs
        self.tsNs = tsNs
        self.bytesPerSecond = bytesPerSecond
        self.quantum = quantum
    }
}

/// Everything that one iteration adds to a recording; committed as one transaction.
public struct IterationBatch: Sendable {
    /// The round itself.
    public var iteration: Iteration
    /// Whether these are only the first harvests of an iteration that a later batch goes on with. An iteration of any
    /// length takes bounded memory this way.
    public var isPart = false
    /// Its harvests in order, each with its GFNs in ring (or ascending) order.
    public var harvests: [(harvest: Harvest, gfns: [GFN])] = []
    /// Exact times of a harvest's entries, by the harvest's place in `harvests`; empty for sources without them.
    public var exactTimes: [Int: [Int64]] = [:]
    /// What may have been lost.
    public var losses: [Loss] = []
    /// Answers to the stop request.
    public var stops: [StopLatency] = []
    /// KVM statistics.
    public var statistics: [KVMStatistic] = []
    /// Writes to watched pages.
    public var watchEvents: [WatchEvent] = []
    /// Named moments.
    public var markers: [Marker] = []
    /// What the oracle said.
    public var verdicts: [OracleVerdict] = []
    /// Dirty rates that another tool measured.
    public var foreignRates: [ForeignRate] = []
    /// Slots created, or closed (with `deletedNs`), during the iteration.
    public var slots: [MemorySlot] = []

    /// A batch without entries.
    public init(iteration: Iteration) { self.iteration = iteration }

    /// Number of entries in all harvests.
    public var entryCount: Int { harvests.reduce(0) { $0 + $1.gfns.count } }
}
