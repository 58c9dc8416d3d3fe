-- Version 1 of a dirtyrec recording. Times are nanoseconds on CLOCK_MONOTONIC of the recording host, unless a column
-- says otherwise. The comment above each object is its documentation; a test fails when a column lacks its line.

-- Provenance: what was recorded, where, how. Exactly one row.
--
-- Columns
--   id                 32 hexadecimal digits, unique across a fleet.
--   tool               Name and version of what wrote the file.
--   command_line       The command line that started the recording.
--   guest_kind         builtin, image, linux, attached, imported or synthetic.
--   guest              The guest in its own words: workload, kernel path, process.
--   seed               Seed of a built-in workload, its 64 bits as a signed integer; NULL when it has none.
--   host               Name of the recording host.
--   kernel             Kernel release of the recording host.
--   kvm_module         KVM module of the recording host; empty when unknown.
--   cpu                CPU model of the recording host.
--   pml                1 when page-modification logging was on, 0 when off, NULL when unknown.
--   nested             1 when the host was itself a virtual machine, 0 when not, NULL when unknown.
--   page_size          Bytes in a page.
--   vcpu_count         Number of vCPUs.
--   memory_bytes       Guest memory in bytes.
--   source             Main source: dirty-ring, dirty-log, clear-log, vmm, tracefs or imported.
--   mode               live, paused or live+final.
--   ring_entries       Entries in one ring; NULL for other sources.
--   ring_soft_limit    Entries at which KVM leaves the guest; NULL for other sources.
--   clear_chunk_pages  Pages in one KVM_CLEAR_DIRTY_LOG; NULL for other sources.
--   initially_set      1 when the first bitmap began as all ones, else 0.
--   interval_ns        Asked time between harvests in nanoseconds; 0 when harvests follow something else.
--   start_ns           When vCPUs first ran.
--   wall_offset_ns     CLOCK_REALTIME minus CLOCK_MONOTONIC at the start, in nanoseconds.
--   end_ns             When the recording ended; NULL when it was cut off or is still running.
--   end_reason         duration, iterations, signal, guest_exit, error or recovered; NULL when it was cut off.
--   exact_times        1 when segments hold a time for every entry, else 0.
--   rows_through       dirty_entry holds every entry up to this sequence number; 0 for none.
--   summarized         1 when the summary tables are complete, else 0.
CREATE TABLE recording(
    id TEXT NOT NULL PRIMARY KEY,
    tool TEXT NOT NULL,
    command_line TEXT NOT NULL,
    guest_kind TEXT NOT NULL,
    guest TEXT NOT NULL,
    seed INTEGER,
    host TEXT NOT NULL,
    kernel TEXT NOT NULL,
    kvm_module TEXT NOT NULL,
    cpu TEXT NOT NULL,
    pml INTEGER,
    nested INTEGER,
    page_size INTEGER NOT NULL,
    vcpu_count INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    source TEXT NOT NULL,
    mode TEXT NOT NULL,
    ring_entries INTEGER,
    ring_soft_limit INTEGER,
    clear_chunk_pages INTEGER,
    initially_set INTEGER NOT NULL,
    interval_ns INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    wall_offset_ns INTEGER NOT NULL,
    end_ns INTEGER,
    end_reason TEXT,
    exact_times INTEGER NOT NULL DEFAULT 0,
    rows_through INTEGER NOT NULL DEFAULT 0,
    summarized INTEGER NOT NULL DEFAULT 0
) STRICT;

-- KVM capabilities as KVM_CHECK_EXTENSION answered on the recording host.
--
-- Columns
--   name   Name of the capability.
--   value  The answer; 0 when the capability is missing.
CREATE TABLE capability(
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Free labels that the user gave to the recording.
--
-- Columns
--   key    Name of the label.
--   value  Its value.
CREATE TABLE label(
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The guest's vCPUs with their totals, which are written when the recording ends.
--
-- Columns
--   vcpu          Number of the vCPU, counted from 0.
--   harvests      Passes over its ring.
--   entries       Entries harvested from its ring.
--   unique_pages  Distinct pages among them.
--   ring_full     How often it left the guest because its ring was full.
--   stall_ns      How long it stood still because of that, in nanoseconds.
CREATE TABLE vcpu(
    vcpu INTEGER PRIMARY KEY,
    harvests INTEGER NOT NULL DEFAULT 0,
    entries INTEGER NOT NULL DEFAULT 0,
    unique_pages INTEGER NOT NULL DEFAULT 0,
    ring_full INTEGER NOT NULL DEFAULT 0,
    stall_ns INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Guest memory slots in all their generations.
--
-- Columns
--   slot           KVM slot id, without the address-space bits.
--   address_space  KVM address-space id; 1 is SMM on x86.
--   generation     Counts deletions and moves of this slot id, from 1.
--   base_gfn       First guest frame number.
--   pages          Number of pages.
--   logged         1 when dirty logging was on, else 0.
--   readonly       1 when the slot was read-only, else 0.
--   name           What it holds.
--   created_ns     When it was created.
--   deleted_ns     When it was deleted or moved; NULL when it lived to the end.
CREATE TABLE memslot(
    slot INTEGER NOT NULL,
    address_space INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    base_gfn INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    readonly INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    deleted_ns INTEGER,
    PRIMARY KEY (address_space, slot, generation)
) STRICT;

-- Iterations: rounds in which every source is harvested and then re-protected once. Costs are nanoseconds; a cost that
-- the source does not have is 0.
--
-- Columns
--   id              Number of the iteration, counted from 1.
--   start_ns        When the previous iteration ended; for the first, when vCPUs first ran.
--   end_ns          When its last harvest was taken.
--   kick_ns         From the stop request until the last vCPU had left the guest.
--   pause_ns        From the stop request until vCPUs were let go again.
--   scan_ns         Reading rings, all harvests together.
--   get_ns          KVM_GET_DIRTY_LOG, all slots together.
--   clear_ns        KVM_CLEAR_DIRTY_LOG, all chunks together.
--   reset_ns        KVM_RESET_DIRTY_RINGS, all calls together.
--   resume_ns       Waking the vCPUs.
--   guest_progress  Operations that a built-in workload has completed since the start; NULL for other guests.
CREATE TABLE iteration(
    id INTEGER PRIMARY KEY,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    kick_ns INTEGER NOT NULL,
    pause_ns INTEGER NOT NULL,
    scan_ns INTEGER NOT NULL,
    get_ns INTEGER NOT NULL,
    clear_ns INTEGER NOT NULL,
    reset_ns INTEGER NOT NULL,
    resume_ns INTEGER NOT NULL,
    guest_progress INTEGER
) STRICT;

-- Harvests: one pass over one source at one time, with all its entries in packed form.
--
-- Columns
--   id                 Number of the harvest, counted from 1 in the order of harvesting.
--   iteration          Iteration that it belongs to.
--   source             dirty-ring, dirty-log, clear-log, vmm, tracefs or imported.
--   vcpu               vCPU whose ring it was; NULL for bitmaps and the VMM's own log.
--   cause              periodic, ring_full, paused, final or initial.
--   since_ns           When the previous pass over this source began: every entry is younger.
--   ts_ns              When this pass ended.
--   entry_count        Number of entries.
--   first_seq          Sequence number of the first entry; entries are counted from 1 over the recording.
--   provisional_count  How many entries at the end are provisional: logged, while their write may not have happened.
--   scan_ns            Time of this pass in nanoseconds.
--   reset_ns           Time of the re-protection made for this harvest alone, in nanoseconds; else 0.
--   stall_ns           How long the vCPU stood still because its ring was full, in nanoseconds.
--   entries            The packed entries, see docs/file-format.md.
CREATE TABLE harvest(
    id INTEGER PRIMARY KEY,
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    source TEXT NOT NULL,
    vcpu INTEGER,
    cause TEXT NOT NULL,
    since_ns INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    entry_count INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    provisional_count INTEGER NOT NULL,
    scan_ns INTEGER NOT NULL,
    reset_ns INTEGER NOT NULL,
    stall_ns INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE INDEX harvest_iteration ON harvest(iteration);
CREATE INDEX harvest_vcpu ON harvest(vcpu);
CREATE INDEX harvest_ts_ns ON harvest(ts_ns);
CREATE INDEX harvest_first_seq ON harvest(first_seq);

-- Every entry as a plain row, made from the packed entries when the recording ends. Empty after `record --no-rows`
-- until `dirtyrec rows`. The view dirty says who dirtied the page and when.
--
-- Columns
--   seq  Sequence number of the entry, counted from 1 over the recording in the order of harvesting.
--   gfn  Guest frame number: guest physical address divided by the page size.
CREATE TABLE dirty_entry(
    seq INTEGER PRIMARY KEY,
    gfn INTEGER NOT NULL
) STRICT;

-- Exact times of entries. Empty unless recording.exact_times is 1.
--
-- Columns
--   seq    Sequence number of the entry.
--   ts_ns  When the page was dirtied.
CREATE TABLE entry_time(
    seq INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL
) STRICT;

-- Entries of each iteration by what they add, written when the recording ends.
-- entries = unique_pages + cross_ring + same_ring + provisional + vmm.
--
-- Columns
--   iteration     The iteration.
--   entries       All entries.
--   unique_pages  Distinct pages among them.
--   new_pages     Pages that no earlier iteration reported.
--   cross_ring    Entries whose page another ring or source had already reported in this iteration.
--   same_ring     Entries whose page the same ring had already reported in this iteration; the query duplicates/redirtied
--                 splits them.
--   provisional   As same_ring, where the first report was provisional: the write retried after a full ring.
--   vmm           Entries of the VMM's own log whose page was already reported in this iteration.
CREATE TABLE iteration_summary(
    iteration INTEGER PRIMARY KEY REFERENCES iteration(id),
    entries INTEGER NOT NULL,
    unique_pages INTEGER NOT NULL,
    new_pages INTEGER NOT NULL,
    cross_ring INTEGER NOT NULL,
    same_ring INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    vmm INTEGER NOT NULL
) STRICT;

-- Every page that was ever dirty, written when the recording ends.
--
-- Columns
--   gfn              Guest frame number.
--   entries          Entries that name the page.
--   iterations       Iterations in which it was dirty.
--   vcpu_count       vCPUs that reported it; 0 when only bitmaps or the VMM did.
--   vcpu_mask        Bit n is set when vCPU n reported it; NULL when the recording has more than 63 vCPUs.
--   first_iteration  First iteration in which it was dirty.
--   last_iteration   Last iteration in which it was dirty.
--   first_ns         When it was first harvested.
--   last_ns          When it was last harvested.
CREATE TABLE page_summary(
    gfn INTEGER PRIMARY KEY,
    entries INTEGER NOT NULL,
    iterations INTEGER NOT NULL,
    vcpu_count INTEGER NOT NULL,
    vcpu_mask INTEGER,
    first_iteration INTEGER NOT NULL,
    last_iteration INTEGER NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL
) STRICT;

-- Increase of KVM's own statistics during an iteration.
--
-- Columns
--   iteration  The iteration.
--   vcpu       The vCPU; NULL for a statistic of the whole guest.
--   name       The kernel's name, such as pf_fixed.
--   value      Increase since the previous iteration.
CREATE TABLE kvm_stat(
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    vcpu INTEGER,
    name TEXT NOT NULL,
    value INTEGER NOT NULL
) STRICT;

-- How long each vCPU took to leave the guest when a stop was asked for.
--
-- Columns
--   iteration   Iteration whose pause it was.
--   vcpu        The vCPU.
--   latency_ns  From the request to its answer, in nanoseconds.
CREATE TABLE stop_latency(
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    vcpu INTEGER NOT NULL,
    latency_ns INTEGER NOT NULL
) STRICT;

-- Everything that may have made an entry disappear. No rows: nothing is known to be missing.
--
-- Columns
--   iteration  Iteration in progress; 0 before the first.
--   ts_ns      When it was noticed.
--   kind       overrun, desynchronised, short_reset, reset_interrupted, write_failed, vcpu_death, vcpu_stuck,
--              kvm_unlogged, trace_overrun or aborted.
--   vcpu       The vCPU concerned; NULL when none is.
--   entries    Entries known to be concerned; NULL when that cannot be known.
--   detail     One sentence.
CREATE TABLE loss(
    iteration INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    vcpu INTEGER,
    entries INTEGER,
    detail TEXT NOT NULL
) STRICT;

-- Guest writes to watched pages.
--
-- Columns
--   iteration  Iteration in progress.
--   ts_ns      When KVM handed the write over.
--   vcpu       Who wrote.
--   gpa        Guest physical address of the first byte.
--   old_value  Bytes that stood there before.
--   new_value  Bytes that were written.
--   rip        Of a built-in workload the address of the instruction that wrote; of any other guest that of the next one to run,
--              which is all that KVM leaves. Its 64 bits as a signed integer; 0 when it could not be read.
CREATE TABLE watch_event(
    iteration INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    vcpu INTEGER NOT NULL,
    gpa INTEGER NOT NULL,
    old_value BLOB NOT NULL,
    new_value BLOB NOT NULL,
    rip INTEGER NOT NULL
) STRICT;

-- Moments that the guest or the user named.
--
-- Columns
--   ts_ns      When it arrived.
--   iteration  Iteration in progress.
--   vcpu       The vCPU that set it; NULL when it came from outside.
--   text       The name.
CREATE TABLE marker(
    ts_ns INTEGER NOT NULL,
    iteration INTEGER NOT NULL,
    vcpu INTEGER,
    text TEXT NOT NULL
) STRICT;

-- Dirty rates that another tool measured while the recording went on, to be compared with ours.
--
-- Columns
--   tool              Who measured, such as qemu calc-dirty-rate.
--   vcpu              The vCPU; NULL for the whole guest.
--   since_ns          When the measurement began.
--   ts_ns             When it ended.
--   bytes_per_second  Bytes dirtied a second, as the tool said.
--   quantum           The smallest difference that the tool can express, in bytes a second.
CREATE TABLE foreign_rate(
    tool TEXT NOT NULL,
    vcpu INTEGER,
    since_ns INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    bytes_per_second INTEGER NOT NULL,
    quantum INTEGER NOT NULL
) STRICT;

-- What an oracle that knows the right answer said. Counts are pages.
--
-- Columns
--   iteration      The iteration.
--   oracle         known-answer (built-in workloads) or shadow (memory compared with a copy).
--   expected       Pages that had to be dirty.
--   missing        Pages that had to be dirty and were not reported: a bug or a loss.
--   unexplained    Reported pages that nothing explains.
--   provisional    Reported because of a provisional entry or an operation in flight.
--   first_read     Reported because a first read made them present.
--   initially_set  Reported because the first bitmap begins as all ones.
--   page_table     Reported because they hold the guest's page tables.
--   silent         Reported while their content did not change.
CREATE TABLE oracle_verdict(
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    oracle TEXT NOT NULL,
    expected INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    unexplained INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    first_read INTEGER NOT NULL,
    initially_set INTEGER NOT NULL,
    page_table INTEGER NOT NULL,
    silent INTEGER NOT NULL
) STRICT;

-- Schema versions that were applied to this file; PRAGMA user_version is the last one.
--
-- Columns
--   version          Version that the migration leads to.
--   name             Name of the migration.
--   applied_wall_ns  When it was applied, in nanoseconds since 1970 (CLOCK_REALTIME).
--   tool             What applied it.
CREATE TABLE schema_migration(
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_wall_ns INTEGER NOT NULL,
    tool TEXT NOT NULL
) STRICT;
