-- Dirty rate over the guests: distinct pages in bytes per second, an iteration at a time.
--
-- Columns
--   vcpus   Number of vCPUs of these guests.
--   guests  Recordings that took time.
--   min     The least rate.
--   p50     Half of the guests stay at or below this (nearest rank).
--   p90     90 % of the guests do.
--   p95     95 % of the guests do.
--   max     The highest rate.
WITH rate(recording, vcpus, bytes_per_s) AS (
    SELECT
        r.recording,
        r.vcpu_count,
        CAST(s.unique_pages * r.page_size AS DOUBLE) * 1e9 / CAST(i.ns AS DOUBLE)
    FROM recording AS r
    JOIN (
        SELECT recording, max(end_ns) - min(start_ns) AS ns FROM iteration GROUP BY recording
    ) AS i ON i.recording = r.recording AND i.ns > 0
    JOIN (
        SELECT recording, sum(unique_pages) AS unique_pages FROM iteration_summary GROUP BY recording
    ) AS s ON s.recording = r.recording
),
ranked(vcpus, bytes_per_s, place, guests) AS (
    SELECT
        vcpus,
        bytes_per_s,
        row_number() OVER (PARTITION BY vcpus ORDER BY bytes_per_s, recording),
        count(*) OVER (PARTITION BY vcpus)
    FROM rate
)
SELECT
    vcpus AS vcpus,
    max(guests) AS guests,
    min(bytes_per_s) AS min,
    min(CASE WHEN place * 100 >= guests * 50 THEN bytes_per_s END) AS p50,
    min(CASE WHEN place * 100 >= guests * 90 THEN bytes_per_s END) AS p90,
    min(CASE WHEN place * 100 >= guests * 95 THEN bytes_per_s END) AS p95,
    max(bytes_per_s) AS max
FROM ranked
GROUP BY vcpus
ORDER BY vcpus;
