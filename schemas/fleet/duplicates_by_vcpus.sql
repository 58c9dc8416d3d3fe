-- What entries add by number of vCPUs: entries = unique_pages + cross_ring + same_ring + provisional + vmm.
--
-- Columns
--   vcpus            Number of vCPUs.
--   recordings       Recordings with so many.
--   entries          All entries.
--   unique_pages     Distinct pages of each iteration, added up.
--   cross_ring       Entries whose page another ring or source had already reported in the iteration.
--   same_ring        Entries whose page the same ring had already reported.
--   provisional      As same_ring, where the first report was provisional.
--   vmm              Entries of the VMM's own log whose page was already reported.
--   duplicate_share  Part of the entries that repeat a page, 0 to 1.
SELECT
    r.vcpu_count AS vcpus,
    count(DISTINCT r.recording) AS recordings,
    CAST(sum(s.entries) AS BIGINT) AS entries,
    CAST(sum(s.unique_pages) AS BIGINT) AS unique_pages,
    CAST(sum(s.cross_ring) AS BIGINT) AS cross_ring,
    CAST(sum(s.same_ring) AS BIGINT) AS same_ring,
    CAST(sum(s.provisional) AS BIGINT) AS provisional,
    CAST(sum(s.vmm) AS BIGINT) AS vmm,
    1 - CAST(sum(s.unique_pages) AS DOUBLE) / nullif(CAST(sum(s.entries) AS DOUBLE), CAST(0 AS DOUBLE))
        AS duplicate_share
FROM iteration_summary AS s
JOIN recording AS r ON r.recording = s.recording
GROUP BY r.vcpu_count
ORDER BY vcpus;
