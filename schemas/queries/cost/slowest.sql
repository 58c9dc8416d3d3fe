-- The iterations that held the guest longest, or took longest to harvest where nothing is paused.
--
-- Parameters
--   limit  integer = 20. How many iterations at most.
--
-- Columns
--   iteration     The iteration.
--   start_s       Its start in seconds since the recording began.
--   pause_ns      From the stop request until vCPUs were let go again, in nanoseconds; 0 in live mode.
--   kick_ns       From the stop request until the last vCPU had left the guest, in nanoseconds.
--   slowest_vcpu  The vCPU that left the guest last; NULL when nothing was stopped.
--   collect_ns    Reading rings and bitmaps, in nanoseconds.
--   protect_ns    Clearing and resetting, in nanoseconds.
--   entries       Entries harvested.
SELECT
    i.id AS iteration,
    (i.start_ns - r.start_ns) / 1e9 AS start_s,
    i.pause_ns AS pause_ns,
    i.kick_ns AS kick_ns,
    (
        SELECT s.vcpu FROM stop_latency AS s WHERE s.iteration = i.id ORDER BY s.latency_ns DESC, s.vcpu LIMIT 1
    ) AS slowest_vcpu,
    i.scan_ns + i.get_ns AS collect_ns,
    i.clear_ns + i.reset_ns AS protect_ns,
    coalesce((SELECT sum(h.entry_count) FROM harvest AS h WHERE h.iteration = i.id), 0) AS entries
FROM recording AS r
CROSS JOIN iteration AS i
ORDER BY i.pause_ns DESC, i.scan_ns + i.get_ns + i.clear_ns + i.reset_ns DESC, i.id
LIMIT :limit;
