-- How long each vCPU stood still because its ring was full.
--
-- Columns
--   vcpu         The vCPU.
--   exits        How often its ring was full.
--   entries      Entries that were in the ring at those moments, added up.
--   stall_ns     How long it stood still, in nanoseconds.
--   max_ns       The longest single stall, in nanoseconds.
--   stall_share  Part of the recording during which it stood still, 0 to 1.
SELECT
    h.vcpu AS vcpu,
    sum(h.cause = 'ring_full') AS exits,
    sum(CASE h.cause WHEN 'ring_full' THEN h.entry_count ELSE 0 END) AS entries,
    sum(CASE h.cause WHEN 'ring_full' THEN h.stall_ns ELSE 0 END) AS stall_ns,
    max(CASE h.cause WHEN 'ring_full' THEN h.stall_ns ELSE 0 END) AS max_ns,
    sum(CASE h.cause WHEN 'ring_full' THEN h.stall_ns ELSE 0 END) * 1.0
        / nullif((SELECT max(end_ns) - min(start_ns) FROM iteration), 0) AS stall_share
FROM harvest AS h
WHERE h.vcpu IS NOT NULL
GROUP BY h.vcpu
ORDER BY h.vcpu;
