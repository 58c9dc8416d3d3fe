-- Writable working set over the guests: of each guest, the window with the most distinct pages. Windows follow one
-- another from the start of the recording; the last one may be shorter. Reads every entry.
--
-- Parameters
--   tau  duration = 1s. Length of a window.
--
-- Columns
--   vcpus      Number of vCPUs of these guests.
--   guests     Recordings with entries.
--   min_bytes  The least of their largest windows.
--   p50_bytes  Half of the guests stay at or below this (nearest rank).
--   p90_bytes  90 % of the guests do.
--   p95_bytes  95 % of the guests do.
--   max_bytes  The largest.
WITH page(recording, window_number, gfn) AS (
    SELECT DISTINCT
        d.recording,
        floor(CAST(d.ts_ns - r.start_ns - 1 AS DOUBLE) / CAST(q.tau AS DOUBLE)),
        d.gfn
    FROM dirty AS d
    JOIN recording AS r ON r.recording = d.recording
    CROSS JOIN parameters AS q
),
counted(recording, window_number, pages) AS (
    SELECT recording, window_number, count(*) FROM page GROUP BY recording, window_number
),
largest(recording, pages) AS (
    SELECT recording, max(pages) FROM counted GROUP BY recording
),
ranked(vcpus, bytes, place, guests) AS (
    SELECT
        r.vcpu_count,
        l.pages * r.page_size,
        row_number() OVER (PARTITION BY r.vcpu_count ORDER BY l.pages * r.page_size, r.recording),
        count(*) OVER (PARTITION BY r.vcpu_count)
    FROM largest AS l
    JOIN recording AS r ON r.recording = l.recording
)
SELECT
    vcpus AS vcpus,
    max(guests) AS guests,
    min(bytes) AS min_bytes,
    min(CASE WHEN place * 100 >= guests * 50 THEN bytes END) AS p50_bytes,
    min(CASE WHEN place * 100 >= guests * 90 THEN bytes END) AS p90_bytes,
    min(CASE WHEN place * 100 >= guests * 95 THEN bytes END) AS p95_bytes,
    max(bytes) AS max_bytes
FROM ranked
GROUP BY vcpus
ORDER BY vcpus;
