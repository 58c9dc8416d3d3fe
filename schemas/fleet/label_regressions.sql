-- The same guests under two values of a label, such as two kernels: what became more or slower, the worst first. Guests
-- are the same when guest, vCPUs and source are.
--
-- Parameters
--   key     text = kernel. Name of the label.
--   before  text = none. Its value before; none is the least one.
--   after   text = none. Its value after; none is the greatest one.
--
-- Columns
--   guest                  The guest in its own words.
--   vcpus                  Number of vCPUs.
--   source                 Main source.
--   before                 Value of the label before.
--   after                  Value of the label after.
--   recordings_before      Recordings before.
--   recordings_after       Recordings after.
--   unique_bytes_before    Distinct pages in bytes per second before.
--   unique_bytes_after     The same after.
--   unique_ratio           After divided by before; above 1 is more to send.
--   duplicate_before       Part of the entries that repeat a page before, 0 to 1.
--   duplicate_after        The same after.
--   harvest_ns_before      Harvest cost of an entry before, in nanoseconds; NULL where no cost was measured.
--   harvest_ns_after       The same after.
WITH wanted(key, before_value, after_value) AS (
    SELECT
        q.key,
        coalesce(max(q.before), min(l.value)),
        coalesce(max(q.after), max(l.value))
    FROM parameters AS q
    JOIN label AS l ON l.key = q.key
    GROUP BY q.key
),
cost(recording, ns, harvest_ns) AS (
    SELECT recording, max(end_ns) - min(start_ns), sum(scan_ns + get_ns + clear_ns + reset_ns)
    FROM iteration
    GROUP BY recording
),
amount(recording, entries, unique_pages) AS (
    SELECT recording, sum(entries), sum(unique_pages) FROM iteration_summary GROUP BY recording
),
side(guest, vcpus, source, value, recordings, unique_bytes, duplicates, harvest_ns) AS (
    SELECT
        r.guest,
        r.vcpu_count,
        r.source,
        l.value,
        count(*),
        CAST(sum(a.unique_pages * r.page_size) AS DOUBLE) * 1e9 / nullif(CAST(sum(c.ns) AS DOUBLE), CAST(0 AS DOUBLE)),
        1 - CAST(sum(a.unique_pages) AS DOUBLE) / nullif(CAST(sum(a.entries) AS DOUBLE), CAST(0 AS DOUBLE)),
        CAST(
            sum(CASE WHEN r.guest_kind IN ('synthetic', 'imported', 'attached') THEN NULL ELSE c.harvest_ns END)
            AS DOUBLE)
            / nullif(CAST(sum(a.entries) AS DOUBLE), CAST(0 AS DOUBLE))
    FROM recording AS r
    JOIN label AS l ON l.recording = r.recording
    JOIN wanted AS w ON w.key = l.key
    JOIN cost AS c ON c.recording = r.recording
    JOIN amount AS a ON a.recording = r.recording
    GROUP BY r.guest, r.vcpu_count, r.source, l.value
)
SELECT
    b.guest AS guest,
    b.vcpus AS vcpus,
    b.source AS source,
    b.value AS before,
    a.value AS after,
    b.recordings AS recordings_before,
    a.recordings AS recordings_after,
    b.unique_bytes AS unique_bytes_before,
    a.unique_bytes AS unique_bytes_after,
    a.unique_bytes / nullif(b.unique_bytes, CAST(0 AS DOUBLE)) AS unique_ratio,
    b.duplicates AS duplicate_before,
    a.duplicates AS duplicate_after,
    b.harvest_ns AS harvest_ns_before,
    a.harvest_ns AS harvest_ns_after
FROM wanted AS w
JOIN side AS b ON b.value = w.before_value
JOIN side AS a ON a.value = w.after_value AND a.guest = b.guest AND a.vcpus = b.vcpus AND a.source = b.source
ORDER BY unique_ratio DESC NULLS LAST, guest, vcpus, source;
