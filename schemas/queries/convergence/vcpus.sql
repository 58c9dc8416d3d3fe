-- Which vCPU dirties how much: the one to throttle first comes first.
--
-- Columns
--   vcpu           The vCPU.
--   entries        Entries harvested from its ring.
--   share          Part of all vCPUs' entries, 0 to 1.
--   entries_per_s  Entries per second over the whole recording.
--   unique_pages   Distinct pages among them; 0 until the recording has ended.
--   ring_full      How often its ring was full.
--   stall_s        How long it stood still because of that, in seconds.
SELECT
    h.vcpu AS vcpu,
    sum(h.entry_count) AS entries,
    sum(h.entry_count) * 1.0 / nullif(sum(sum(h.entry_count)) OVER (), 0) AS share,
    sum(h.entry_count) * 1e9 / nullif((SELECT max(end_ns) - min(start_ns) FROM iteration), 0) AS entries_per_s,
    coalesce((SELECT v.unique_pages FROM vcpu AS v WHERE v.vcpu = h.vcpu), 0) AS unique_pages,
    sum(h.cause = 'ring_full') AS ring_full,
    sum(h.stall_ns) / 1e9 AS stall_s
FROM harvest AS h
WHERE h.vcpu IS NOT NULL
GROUP BY h.vcpu
ORDER BY entries DESC, h.vcpu;
