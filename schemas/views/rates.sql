-- Dirty rate of each iteration, counted both ways. Unique and new pages are NULL until the recording has ended.
--
-- Columns
--   iteration           The iteration.
--   start_s             Its start in seconds since the recording began.
--   seconds             Its length in seconds.
--   entries             All entries.
--   unique_pages        Distinct pages among them.
--   new_pages           Pages that no earlier iteration reported.
--   entries_per_s       Entries per second: what counts duplicates too.
--   unique_pages_per_s  Distinct pages per second.
--   unique_bytes_per_s  Distinct pages in bytes per second: what a migration has to send.
CREATE VIEW iteration_rate AS
SELECT
    i.id AS iteration,
    (i.start_ns - r.start_ns) / 1e9 AS start_s,
    (i.end_ns - i.start_ns) / 1e9 AS seconds,
    coalesce(h.entries, 0) AS entries,
    s.unique_pages AS unique_pages,
    s.new_pages AS new_pages,
    coalesce(h.entries, 0) * 1e9 / nullif(i.end_ns - i.start_ns, 0) AS entries_per_s,
    s.unique_pages * 1e9 / nullif(i.end_ns - i.start_ns, 0) AS unique_pages_per_s,
    s.unique_pages * 1e9 * r.page_size / nullif(i.end_ns - i.start_ns, 0) AS unique_bytes_per_s
FROM recording AS r
CROSS JOIN iteration AS i
LEFT JOIN (SELECT iteration, sum(entry_count) AS entries FROM harvest GROUP BY iteration) AS h ON h.iteration = i.id
LEFT JOIN iteration_summary AS s ON s.iteration = i.id;

-- Dirty rate of each vCPU in each iteration. Only sources that know the vCPU have rows here.
--
-- Columns
--   iteration      The iteration.
--   vcpu           The vCPU.
--   entries        Entries harvested from its ring.
--   entries_per_s  The same per second.
--   ring_full      How often its ring was full.
--   stall_ns       How long it stood still because of that, in nanoseconds.
CREATE VIEW vcpu_rate AS
SELECT
    h.iteration AS iteration,
    h.vcpu AS vcpu,
    sum(h.entry_count) AS entries,
    sum(h.entry_count) * 1e9 / nullif(i.end_ns - i.start_ns, 0) AS entries_per_s,
    sum(h.cause = 'ring_full') AS ring_full,
    sum(h.stall_ns) AS stall_ns
FROM harvest AS h
JOIN iteration AS i ON i.id = h.iteration
WHERE h.vcpu IS NOT NULL
GROUP BY h.iteration, h.vcpu;

-- Moments at which a vCPU stood still because its ring was full.
--
-- Columns
--   harvest      Number of the harvest that emptied the ring.
--   iteration    Iteration in progress.
--   vcpu         The vCPU.
--   at_s         Seconds since the recording began.
--   entry_count  Entries that were in the ring.
--   scan_ns      Time to read them, in nanoseconds.
--   reset_ns     Time to re-protect them, in nanoseconds.
--   stall_ns     How long the vCPU stood still, in nanoseconds.
CREATE VIEW ring_full AS
SELECT
    h.id AS harvest,
    h.iteration AS iteration,
    h.vcpu AS vcpu,
    (h.ts_ns - r.start_ns) / 1e9 AS at_s,
    h.entry_count AS entry_count,
    h.scan_ns AS scan_ns,
    h.reset_ns AS reset_ns,
    h.stall_ns AS stall_ns
FROM recording AS r
CROSS JOIN harvest AS h
WHERE h.cause = 'ring_full';
