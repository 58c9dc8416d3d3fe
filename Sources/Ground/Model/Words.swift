/// Guest frame number: guest physical address divided by the page size.
package typealias GFN = UInt64

/// The largest GFN that a recording may hold: every guest physical address stays below 2⁶³,
/// so that it fits SQLite's signed integers.
package let largestGFN: GFN = (1 << 51) - 1

/// Where dirty entries come from. Raw values are what the file and the command line say; the first three
/// are the names that the kernel's own selftests use.
package enum Source: String, Sendable, CaseIterable, Codable {
    /// One ring a vCPU, `KVM_CAP_DIRTY_LOG_RING`.
    case dirtyRing = "dirty-ring"
    /// `KVM_GET_DIRTY_LOG` alone: reading clears and re-protects everything at once.
    case dirtyLog = "dirty-log"
    /// `KVM_GET_DIRTY_LOG` and `KVM_CLEAR_DIRTY_LOG` with manual protection.
    case clearLog = "clear-log"
    /// Pages that the VMM itself wrote (device DMA); KVM does not see these.
    case vmm
    /// Ring pushes of another VMM's guest, seen through the tracepoint `kvm:kvm_dirty_ring_push`.
    case tracefs
    /// Brought in from a file by `dirtyrec import`.
    case imported
}

/// How `dirtyrec attach` saw another VMM's guest. Raw values are what the label ``key`` says.
package enum WayIn: String, Sendable, CaseIterable {
    /// KVM's events of the dirty ring.
    case ring
    /// Probes on what marks pages in bitmaps, and on what takes them out.
    case bitmap
    /// Probes on what takes pages out of bitmaps alone: entries have no time of their own and no vCPU.
    case masks = "bitmap-masks"
    /// Write faults after the VMM's pages were protected, and soft-dirty bits: of a VM that logs nothing.
    case softDirty = "soft-dirty"

    /// The recording's label.
    package static let key = "way_in"
    /// The label with who switched logging on for the recording, where dirtyrec let somebody.
    package static let loggingKey = "logging_by"
    /// The label with what the events said of themselves.
    package static let checkKey = "self_check"
    /// The label with those who may write the guest's memory unseen.
    package static let unseenKey = "unseen_writers"
    /// The label with the share of the guest's memory that the host keeps in large pages.
    package static let largePagesKey = "large_pages"
}

extension RecordingInfo {
    /// The label of a recording whose vCPUs were more than the host's CPUs: how many these were.
    package static let sharedCPUsKey = "shared_cpus"
    /// The label of a recording that says what dirty pages held: the share of the pages that was looked at.
    package static let contentKey = "content"
    /// The label with how many looks at pages of that share failed, one a page and iteration; only where some did.
    package static let contentUnseenKey = "content_unseen"
    /// The label with how many looks came before the VMM had protected the page again; only where some did.
    package static let contentEarlyKey = "content_early"
}

/// Why a harvest took place.
package enum HarvestCause: String, Sendable, CaseIterable, Codable {
    /// The interval was over; vCPUs kept running.
    case periodic
    /// A vCPU left the guest because its ring was full.
    case ringFull = "ring_full"
    /// All vCPUs stood still.
    case paused
    /// The last harvest of the recording, all vCPUs stopped for good.
    case final
    /// Never-written pages of a first bitmap that began as all ones (`KVM_DIRTY_LOG_INITIALLY_SET`).
    case initial
}

/// How an iteration's harvest relates to the vCPUs.
package enum HarvestMode: String, Sendable, CaseIterable, Codable {
    /// Collect while vCPUs run.
    case live
    /// Stop every vCPU, collect, resume.
    case paused
    /// Collect while vCPUs run, stop them, collect what came in between, resume.
    case liveFinal = "live+final"
}

/// What may have made an entry disappear.
package enum LossKind: String, Sendable, CaseIterable, Codable {
    /// As many entries as the ring has slots were harvested: it wrapped.
    case overrun
    /// The kernel's ring index ran ahead of ours; resynchronised.
    case desynchronised
    /// `KVM_RESET_DIRTY_RINGS` reset fewer entries than had been harvested.
    case shortReset = "short_reset"
    /// A signal was pending during the reset.
    case resetInterrupted = "reset_interrupted"
    /// A segment could not be written to the file.
    case writeFailed = "write_failed"
    /// A vCPU shut down or met an internal error.
    case vcpuDeath = "vcpu_death"
    /// A vCPU did not answer a stop in time.
    case vcpuStuck = "vcpu_stuck"
    /// KVM itself wrote a page outside `KVM_RUN` and did not log it.
    case kvmUnlogged = "kvm_unlogged"
    /// The kernel dropped trace events.
    case traceOverrun = "trace_overrun"
    /// A recorder thread ended early.
    case aborted
}

/// Why a recording ended. A file without an end reason was cut off.
package enum EndReason: String, Sendable, CaseIterable, Codable {
    case duration
    case iterations
    case signal
    /// The guest finished, powered off or reset by itself.
    case guestExit = "guest_exit"
    /// The recorder or a vCPU failed; the loss table says how.
    case error
    /// The file was cut off and finished later by `dirtyrec recover`.
    case recovered
}
