-- What other tools said of the guest's migrations, observation by observation, in the order of their log. Only recordings made with
-- `import --migration` have this table; in sessions of dirtyrec every other one has it, empty. What a tool does not say is NULL.
--
-- Columns
--   attempt                 Number of the migration in the log, counted from 1: a log may hold several, one after the other.
--   tool                    Who said it: qemu, virsh, virt-launcher, cloud-hypervisor or qm.
--   line                    Line of the log on which it begins.
--   ts_ns                   When, in nanoseconds since the first time in the log.
--   elapsed_ns              How long the migration had taken, as the tool says.
--   state                   Its state, in QEMU's words (active, completed, failed, cancelled and so on).
--   pass                    Pass over memory, from 1; QEMU's dirty-sync-count.
--   transferred_bytes       Bytes sent so far.
--   remaining_bytes         Bytes left to send.
--   total_bytes             Bytes of guest memory.
--   pass_bytes              Bytes that the pass sends, where the tool says so.
--   pass_ns                 How long the pass took, where the tool says so.
--   zero_pages              Pages of zeros so far.
--   normal_pages            Pages sent whole so far.
--   page_bytes              Bytes in a page.
--   bytes_per_second        Rate of sending, as the tool says.
--   dirty_bytes_per_second  Rate at which the guest dirties memory, as the tool says.
--   throttle_percent        Share of its time that auto-converge keeps the guest from running.
--   setup_ns                How long it took to set up.
--   expected_downtime_ns    Pause that is expected.
--   downtime_ns             Pause that there was.
--   downtime_limit_ns       Pause that is allowed.
--   bandwidth_limit         Bytes a second that are allowed; 0 for no limit.
--   other                   What else it said, as a JSON object of names and values.
CREATE TABLE migration(
    attempt INTEGER NOT NULL,
    tool TEXT NOT NULL,
    line INTEGER NOT NULL,
    ts_ns INTEGER,
    elapsed_ns INTEGER,
    state TEXT,
    pass INTEGER,
    transferred_bytes INTEGER,
    remaining_bytes INTEGER,
    total_bytes INTEGER,
    pass_bytes INTEGER,
    pass_ns INTEGER,
    zero_pages INTEGER,
    normal_pages INTEGER,
    page_bytes INTEGER,
    bytes_per_second INTEGER,
    dirty_bytes_per_second INTEGER,
    throttle_percent INTEGER,
    setup_ns INTEGER,
    expected_downtime_ns INTEGER,
    downtime_ns INTEGER,
    downtime_limit_ns INTEGER,
    bandwidth_limit INTEGER,
    other TEXT
) STRICT;
