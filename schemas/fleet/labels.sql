-- Labels, and what the recordings that carry them have in common.
--
-- Columns
--   key                  Name of the label.
--   value                Its value.
--   recordings           Recordings that carry it.
--   entries              Their entries.
--   unique_pages_per_s   Distinct pages per second, an iteration at a time, all these recordings together.
SELECT
    l.key AS key,
    l.value AS value,
    count(*) AS recordings,
    CAST(sum(coalesce(s.entries, 0)) AS BIGINT) AS entries,
    CAST(sum(s.unique_pages) AS DOUBLE) * 1e9 / nullif(CAST(sum(i.ns) AS DOUBLE), CAST(0 AS DOUBLE))
        AS unique_pages_per_s
FROM label AS l
LEFT JOIN (
    SELECT recording, max(end_ns) - min(start_ns) AS ns FROM iteration GROUP BY recording
) AS i ON i.recording = l.recording
LEFT JOIN (
    SELECT recording, sum(entries) AS entries, sum(unique_pages) AS unique_pages
    FROM iteration_summary
    GROUP BY recording
) AS s ON s.recording = l.recording
GROUP BY l.key, l.value
ORDER BY key, value;
