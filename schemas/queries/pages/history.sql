-- Every report of one page: who dirtied it, and between which times.
--
-- Parameters
--   gfn    integer = none. Guest frame number; it must be given.
--   limit  integer = 1000. How many reports at most.
--
-- Columns
--   seq          Sequence number of the entry.
--   iteration    Iteration in which it was harvested.
--   vcpu         vCPU that dirtied the page; NULL for bitmaps and the VMM's own log.
--   source       dirty-ring, dirty-log, clear-log, vmm, tracefs or imported.
--   since_s      The page was dirtied after this time, in seconds since the recording began.
--   until_s      The page was dirtied at or before this time, in seconds since the recording began.
--   provisional  1 when the write may not have happened yet (the entry that filled a ring), else 0.
SELECT
    e.seq AS seq,
    h.iteration AS iteration,
    h.vcpu AS vcpu,
    h.source AS source,
    (h.since_ns - r.start_ns) / 1e9 AS since_s,
    (h.ts_ns - r.start_ns) / 1e9 AS until_s,
    e.seq >= h.first_seq + h.entry_count - h.provisional_count AS provisional
FROM recording AS r
CROSS JOIN dirty_entry AS e
CROSS JOIN harvest AS h ON h.id = (
    SELECT f.id FROM harvest AS f WHERE f.first_seq <= e.seq AND f.entry_count > 0 ORDER BY f.first_seq DESC LIMIT 1
)
WHERE e.gfn = :gfn
ORDER BY e.seq
LIMIT :limit;
