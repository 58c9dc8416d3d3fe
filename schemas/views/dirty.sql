-- Every entry with its circumstances. A query on iteration, vcpu, since_ns or ts_ns touches only the entries that it
-- asks for: the harvest is found first, then its range of sequence numbers.
--
-- Columns
--   seq          Sequence number of the entry, counted from 1 in the order of harvesting.
--   iteration    Iteration in which it was harvested.
--   source       dirty-ring, dirty-log, clear-log, vmm, tracefs or imported.
--   vcpu         vCPU that dirtied the page; NULL for bitmaps and the VMM's own log.
--   since_ns     The page was dirtied after this time.
--   ts_ns        The page was dirtied at or before this time; exactly at it where recording.exact_times is 1.
--   slot         Memory slot that holds the page; NULL when none did.
--   gfn          Guest frame number.
--   gpa          Guest physical address of the page's first byte.
--   provisional  1 when the write may not have happened yet (the entry that filled a ring), else 0.
CREATE VIEW dirty AS
SELECT
    e.seq AS seq,
    h.iteration AS iteration,
    h.source AS source,
    h.vcpu AS vcpu,
    h.since_ns AS since_ns,
    h.ts_ns AS ts_ns,
    (
        SELECT s.slot FROM memslot AS s
        WHERE e.gfn >= s.base_gfn AND e.gfn < s.base_gfn + s.pages
            AND s.created_ns <= h.ts_ns AND (s.deleted_ns IS NULL OR s.deleted_ns >= h.ts_ns)
        ORDER BY s.address_space, s.generation DESC LIMIT 1
    ) AS slot,
    e.gfn AS gfn,
    e.gfn * (SELECT page_size FROM recording) AS gpa,
    e.seq >= h.first_seq + h.entry_count - h.provisional_count AS provisional
FROM harvest AS h
CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1;
