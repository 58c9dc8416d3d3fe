-- What harvesting costs by kernel and source. Synthetic, imported and attached recordings measured nothing and
-- are left out.
--
-- Columns
--   kernel        Kernel release of the recording host.
--   source        Main source.
--   recordings    Recordings.
--   iterations    Their iterations.
--   entries       Their entries.
--   scan_ns       Reading rings.
--   get_ns        KVM_GET_DIRTY_LOG.
--   clear_ns      KVM_CLEAR_DIRTY_LOG.
--   reset_ns      KVM_RESET_DIRTY_RINGS.
--   pause_ns      vCPUs stood still for harvests.
--   ns_per_entry  scan, get, clear and reset together, for each entry.
SELECT
    r.kernel AS kernel,
    r.source AS source,
    count(*) AS recordings,
    CAST(sum(i.iterations) AS BIGINT) AS iterations,
    CAST(sum(coalesce(h.entries, 0)) AS BIGINT) AS entries,
    CAST(sum(i.scan_ns) AS BIGINT) AS scan_ns,
    CAST(sum(i.get_ns) AS BIGINT) AS get_ns,
    CAST(sum(i.clear_ns) AS BIGINT) AS clear_ns,
    CAST(sum(i.reset_ns) AS BIGINT) AS reset_ns,
    CAST(sum(i.pause_ns) AS BIGINT) AS pause_ns,
    CAST(sum(i.scan_ns + i.get_ns + i.clear_ns + i.reset_ns) AS DOUBLE)
        / nullif(CAST(sum(h.entries) AS DOUBLE), CAST(0 AS DOUBLE)) AS ns_per_entry
FROM recording AS r
JOIN (
    SELECT
        recording,
        count(*) AS iterations,
        sum(scan_ns) AS scan_ns,
        sum(get_ns) AS get_ns,
        sum(clear_ns) AS clear_ns,
        sum(reset_ns) AS reset_ns,
        sum(pause_ns) AS pause_ns
    FROM iteration
    GROUP BY recording
) AS i ON i.recording = r.recording
LEFT JOIN (SELECT recording, sum(entry_count) AS entries FROM harvest GROUP BY recording) AS h
    ON h.recording = r.recording
WHERE r.guest_kind NOT IN ('synthetic', 'imported', 'attached')
GROUP BY r.kernel, r.source
ORDER BY kernel, source;
