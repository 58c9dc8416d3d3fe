// The rows of a recording, as values. Times are nanoseconds on CLOCK_MONOTONIC of the recording host.

/// Provenance: everything that a reader must know to trust the entries.
package struct RecordingInfo: Sendable, Equatable {
    /// 32 hexadecimal digits, unique across a fleet.
    package var id = ""
    /// Name and version of what wrote the file, such as `dirtyrec 0.1.0`.
    package var tool = ""
    /// The command line that started the recording.
    package var commandLine = ""
    /// What ran: `builtin`, `image`, `linux`, `attached`, `imported` or `synthetic`.
    package var guestKind = "builtin"
    /// The guest in its own words: workload specification, kernel path, process name.
    package var guest = ""
    /// Seed of a built-in workload, if it has one.
    package var seed: UInt64?
    /// The recording host's name.
    package var host = ""
    /// Kernel release as `uname -r` says it.
    package var kernel = ""
    /// KVM implementation module, such as `kvm_amd`, `kvm_intel` or `kvm_pvm`; empty when unknown.
    package var kvmModule = ""
    /// CPU model name.
    package var cpu = ""
    /// Whether page-modification logging was on; nil when unknown.
    package var pml: Bool?
    /// Whether the host is itself a virtual machine; nil when unknown.
    package var nested: Bool?
    /// Bytes in a page.
    package var pageSize: Int64 = 4096
    package var vcpuCount = 1
    /// Guest memory in bytes, logged and unlogged.
    package var memoryBytes: Int64 = 0
    /// The main source of entries.
    package var source = Source.dirtyRing
    /// How harvests relate to the vCPUs.
    package var mode = HarvestMode.live
    /// Entries in one ring; nil for bitmap sources.
    package var ringEntries: Int?
    /// Entries of a ring at which KVM leaves the guest; nil for bitmap sources.
    package var ringSoftLimit: Int?
    /// Pages in one `KVM_CLEAR_DIRTY_LOG`; nil for other sources.
    package var clearChunkPages: Int?
    /// Whether the first bitmap began as all ones (`KVM_DIRTY_LOG_INITIALLY_SET`).
    package var initiallySet = false
    /// Asked time between harvests, in nanoseconds; 0 where harvests follow something else.
    package var intervalNs: Int64 = 0
    /// CLOCK_MONOTONIC when vCPUs first ran.
    package var startNs: Int64 = 0
    /// CLOCK_REALTIME minus CLOCK_MONOTONIC at the start.
    package var wallOffsetNs: Int64 = 0
    /// CLOCK_MONOTONIC when the recording ended; nil when it was cut off.
    package var endNs: Int64?
    /// Why it ended; nil when it was cut off.
    package var endReason: EndReason?
    /// KVM capabilities by name as `KVM_CHECK_EXTENSION` answered.
    package var capabilities: [String: Int] = [:]
    /// Free `key=value` labels of the user.
    package var labels: [String: String] = [:]

    package init() {}

    /// 32 random hexadecimal digits for ``id``.
    package static func newID() -> String {
        (0..<4).map { _ in
            let word = String(UInt32.random(in: 0 ... .max), radix: 16)
            return String(repeating: "0", count: 8 - word.count) + word
        }.joined()
    }
}

/// A guest memory slot in one of its generations.
package struct MemorySlot: Sendable, Equatable {
    /// KVM slot id, without the address-space bits.
    package var slot: Int
    /// KVM address-space id (1 is SMM on x86).
    package var addressSpace: Int
    /// Counts deletions and moves of this slot id, from 1.
    package var generation: Int
    package var baseGFN: GFN
    package var pages: UInt64
    /// Whether dirty logging was on.
    package var logged: Bool
    /// Whether the slot was read-only (write tracking).
    package var readonly: Bool
    /// What it holds, such as `data` or `low`.
    package var name: String
    package var createdNs: Int64
    package var deletedNs: Int64?

    /// GFNs from here on are no guest addresses, but stand for a slot whose address and size nobody told.
    package static let firstUnknownGFN: GFN = 1 << 50
    /// Whether its guest address and its size are known.
    package var isKnown: Bool { baseGFN < Self.firstUnknownGFN }

    package init(
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
package struct Harvest: Sendable, Equatable {
    /// Counted from 1 over the whole recording, in the order of harvesting.
    package var id: Int64
    /// The iteration that it belongs to, counted from 1.
    package var iteration: Int64
    /// Where the entries come from.
    package var source: Source
    /// The vCPU whose ring it was; nil for bitmaps and the VMM's own log.
    package var vcpu: Int?
    /// Why it took place.
    package var cause: HarvestCause
    /// When the previous pass over this source began.
    package var sinceNs: Int64
    /// When this pass ended.
    package var tsNs: Int64
    package var entryCount: Int
    /// Sequence number of its first entry; entries are counted from 1 over the recording.
    package var firstSeq: Int64
    /// How many entries at its end are provisional: logged, while their write may not have happened yet (0 or 1).
    package var provisionalCount: Int
    /// Time of this pass: scan of a ring, or GET of a bitmap.
    package var scanNs: Int64
    /// Time of the re-protection that followed, when it was made for this harvest alone (ring-full); else 0.
    package var resetNs: Int64
    /// How long the vCPU had stood still because its ring was full; 0 when it was not.
    package var stallNs: Int64
    /// Pages for which each entry stands: those of the aligned group around its GFN, a power of two. More than 1 only where the host
    /// keeps the guest's memory in large pages and tells no more than that something in one was written.
    package var entryPages: Int64 = 1

    /// The largest ``entryPages``: 1 GiB.
    package static let mostEntryPages: Int64 = 1 << 18

    /// Describes a harvest. `id` and `firstSeq` are assigned by the writer of the file.
    package init(
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
package struct Iteration: Sendable, Equatable {
    /// Counted from 1.
    package var id: Int64
    /// When the previous iteration ended; for the first, when vCPUs first ran.
    package var startNs: Int64
    /// When its last harvest was taken.
    package var endNs: Int64
    /// From the stop request until the last vCPU had left the guest; 0 in live mode.
    package var kickNs: Int64 = 0
    /// From the stop request until vCPUs were let go again, without what oracles took; 0 in live mode.
    package var pauseNs: Int64 = 0
    /// Reading rings, all harvests together.
    package var scanNs: Int64 = 0
    /// `KVM_GET_DIRTY_LOG`, all slots together.
    package var getNs: Int64 = 0
    /// `KVM_CLEAR_DIRTY_LOG`, all chunks together.
    package var clearNs: Int64 = 0
    /// `KVM_RESET_DIRTY_RINGS`, all calls together.
    package var resetNs: Int64 = 0
    /// Waking the vCPUs; 0 in live mode.
    package var resumeNs: Int64 = 0
    /// Operations that all vCPUs of a built-in workload have completed since the start; nil for other guests.
    package var guestProgress: Int64?

    package init(id: Int64, startNs: Int64, endNs: Int64) {
        self.id = id
        self.startNs = startNs
        self.endNs = endNs
    }
}

/// Something that may have made an entry disappear.
package struct Loss: Sendable, Equatable {
    /// The iteration in progress; 0 before the first.
    package var iteration: Int64
    /// When it was noticed.
    package var tsNs: Int64
    package var kind: LossKind
    package var vcpu: Int?
    /// How many entries are known to be concerned; nil when that cannot be known.
    package var entries: Int64?
    /// One sentence for a human.
    package var detail: String

    package init(iteration: Int64, tsNs: Int64, kind: LossKind, vcpu: Int? = nil, entries: Int64? = nil, detail: String)
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
package struct StopLatency: Sendable, Equatable {
    /// The iteration whose pause it was.
    package var iteration: Int64
    package var vcpu: Int
    /// From the request to the vCPU's answer.
    package var latencyNs: Int64

    package init(iteration: Int64, vcpu: Int, latencyNs: Int64) {
        self.iteration = iteration
        self.vcpu = vcpu
        self.latencyNs = latencyNs
    }
}

/// The increase of one KVM statistic during one iteration.
package struct KVMStatistic: Sendable, Equatable {
    package var iteration: Int64
    package var vcpu: Int?
    /// The kernel's name, such as `pf_fixed`.
    package var name: String
    /// Increase since the previous iteration.
    package var value: Int64

    package init(iteration: Int64, vcpu: Int?, name: String, value: Int64) {
        self.iteration = iteration
        self.vcpu = vcpu
        self.name = name
        self.value = value
    }
}

/// One guest write to a watched page.
package struct WatchEvent: Sendable, Equatable {
    package var iteration: Int64
    /// When KVM handed the write over.
    package var tsNs: Int64
    package var vcpu: Int
    /// Guest physical address of the first byte.
    package var gpa: UInt64
    /// What stood there before; as long as `newValue`, 1 to 8 bytes.
    package var oldValue: [UInt8]
    package var newValue: [UInt8]
    /// Address of the instruction that wrote, where the guest's code is known (built-in workloads); else that of the next one,
    /// which is all that KVM leaves. 0 when it could not be read.
    package var rip: UInt64

    package init(
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
package struct Marker: Sendable, Equatable {
    /// When it arrived.
    package var tsNs: Int64
    /// The iteration in progress.
    package var iteration: Int64
    package var vcpu: Int?
    /// Free text, hostile until proven otherwise.
    package var text: String

    package init(tsNs: Int64, iteration: Int64, vcpu: Int? = nil, text: String) {
        self.tsNs = tsNs
        self.iteration = iteration
        self.vcpu = vcpu
        self.text = text
    }
}

/// What an oracle that knows the right answer said of one iteration. All counts are pages.
package struct OracleVerdict: Sendable, Equatable {
    package var iteration: Int64
    /// `known-answer` (built-in workloads) or `shadow` (memory compared with a copy).
    package var oracle: String
    /// Pages that had to be dirty.
    package var expected: Int64 = 0
    /// Pages that had to be dirty and were not reported. Anything but 0 is a bug or a loss.
    package var missing: Int64 = 0
    /// Reported pages that nothing explains.
    package var unexplained: Int64 = 0
    /// Reported because of a provisional entry or an operation in flight.
    package var provisional: Int64 = 0
    /// Reported because a first read made them present.
    package var firstRead: Int64 = 0
    /// Reported because the first bitmap begins as all ones.
    package var initiallySet: Int64 = 0
    /// Reported because they hold the guest's page tables.
    package var pageTable: Int64 = 0
    /// Reported while their content did not change.
    package var silent: Int64 = 0

    package init(iteration: Int64, oracle: String) {
        self.iteration = iteration
        self.oracle = oracle
    }
}

/// What a dirty page held when it was harvested.
package struct PageContent: Sendable, Equatable {
    /// The iteration in which it was dirty.
    package var iteration: Int64
    package var gfn: GFN
    /// What it held.
    package var digest: Digest

    package struct Digest: Sendable, Equatable {
        /// Nothing but zeros.
        package var isZero: Bool
        /// How it differs from what it held when it was looked at before; nil when that is not known.
        package var change: Change?
        /// Bytes of the page compressed alone by Zstandard at level 1; at most a page's.
        package var zstdBytes: Int64
        /// Equal for equal pages of one recording.
        package var hash: UInt64

        package init(isZero: Bool, change: Change?, zstdBytes: Int64, hash: UInt64) {
            (self.isZero, self.change, self.zstdBytes, self.hash) = (isZero, change, zstdBytes, hash)
        }
    }

    package struct Change: Sendable, Equatable {
        /// 8-byte words that differ.
        package var words: Int64
        /// Bytes in QEMU's XBZRLE encoding, without headers; a page's where that does not fit.
        package var xbzrleBytes: Int64

        package init(words: Int64, xbzrleBytes: Int64) { (self.words, self.xbzrleBytes) = (words, xbzrleBytes) }
    }

    package init(iteration: Int64, gfn: GFN, digest: Digest) {
        (self.iteration, self.gfn, self.digest) = (iteration, gfn, digest)
    }
}

/// A dirty rate that somebody else measured while we recorded, kept beside ours to be compared.
package struct ForeignRate: Sendable, Equatable {
    /// Who measured, such as `qemu calc-dirty-rate`; ``counts`` goes by it.
    package var tool: String
    /// The vCPU; nil for the whole guest.
    package var vcpu: Int?
    package var sinceNs: Int64
    package var tsNs: Int64
    /// Bytes dirtied a second, as precise as the tool says it.
    package var bytesPerSecond: Int64
    /// The smallest difference that the tool can express.
    package var quantum: Int64

    package init(tool: String, vcpu: Int? = nil, sinceNs: Int64, tsNs: Int64, bytesPerSecond: Int64, quantum: Int64) {
        self.tool = tool
        self.vcpu = vcpu
        self.sinceNs = sinceNs
        self.tsNs = tsNs
        self.bytesPerSecond = bytesPerSecond
        self.quantum = quantum
    }
}

extension ForeignRate {
    /// What a figure counts.
    package enum Counts: String, Sendable {
        /// Entries of dirty rings: a page counts as often as it was reported.
        case entries
        /// Different pages within the window.
        case pages
        /// Different pages within the window, estimated from a sample of them.
        case sampledPages = "sampled pages"
    }

    private static let qemuTool = "qemu calc-dirty-rate"

    /// The tool's name for a measurement of QEMU's; no mode, and before QEMU 6.2 only that, is page sampling.
    package static func qemu(mode: String?) -> String {
        switch mode {
        case "dirty-ring", nil: qemuTool
        case "dirty-bitmap": qemuTool + " dirty-bitmap"
        default: qemuTool + " page-sampling"
        }
    }

    /// What the figure counts.
    package var counts: Counts {
        switch tool {
        case Self.qemu(mode: "dirty-bitmap"): .pages
        case Self.qemu(mode: "page-sampling"): .sampledPages
        default: .entries
        }
    }
}

/// Everything that one iteration adds to a recording; committed as one transaction.
package struct IterationBatch: Sendable {
    package var iteration: Iteration
    /// Whether these are only the first harvests of an iteration that a later batch goes on with. An iteration of any
    /// length takes bounded memory this way.
    package var isPart = false
    /// Its harvests in order, each with its GFNs in ring (or ascending) order.
    package var harvests: [(harvest: Harvest, gfns: [GFN])] = []
    /// Exact times of a harvest's entries, by the harvest's place in `harvests`; empty for sources without them.
    package var exactTimes: [Int: [Int64]] = [:]
    /// What may have been lost.
    package var losses: [Loss] = []
    /// Answers to the stop request.
    package var stops: [StopLatency] = []
    package var statistics: [KVMStatistic] = []
    package var watchEvents: [WatchEvent] = []
    package var markers: [Marker] = []
    package var verdicts: [OracleVerdict] = []
    /// Dirty rates that another tool measured.
    package var foreignRates: [ForeignRate] = []
    /// What sampled pages held; empty unless it was asked for.
    package var contents: [PageContent] = []
    /// Slots created, or closed (with `deletedNs`), during the iteration.
    package var slots: [MemorySlot] = []
    /// How many vCPUs there are from this iteration on, where some were plugged in; nil: as many as before.
    package var vcpus: Int?

    package init(iteration: Iteration) { self.iteration = iteration }

    /// Hands the iteration over, and begins the one that follows.
    package mutating func handOver() -> IterationBatch {
        let ended = self
        let endNs = ended.iteration.endNs
        self = IterationBatch(iteration: Iteration(id: ended.iteration.id + 1, startNs: endNs, endNs: endNs))
        return ended
    }

    package var entryCount: Int { harvests.reduce(0) { $0 + $1.gfns.count } }
}
