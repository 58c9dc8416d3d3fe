-- Memory for forks of one base, were each guest such a fork: pages that it dirties within a time from the start of its
-- recording are its own. Guests with less recording than that are left out.
--
-- Parameters
--   within  duration = 1s. Time after the fork.
--   forks   integer = 100. Forks to plan for.
--
-- Columns
--   guests      Recordings as long as the time.
--   mean_bytes  Private bytes of a fork on average.
--   p50_bytes   Half of the guests stay at or below this (nearest rank).
--   p95_bytes   95 % of the guests do.
--   max_bytes   The most.
--   mean_total  Private bytes of all forks, each with the mean: of many that do different things.
--   p95_total   The same with each at the 95th percentile: of all doing the same at once.
WITH last(recording, ns) AS (SELECT recording, max(end_ns) FROM iteration GROUP BY recording),
guest(recording, page_size, until_ns) AS (
    SELECT r.recording, r.page_size, r.start_ns + q.within
    FROM recording AS r
    JOIN last AS l ON l.recording = r.recording
    CROSS JOIN parameters AS q
    WHERE l.ns - r.start_ns >= q.within
),
page(recording, gfn) AS (
    SELECT DISTINCT d.recording, d.gfn
    FROM dirty AS d
    JOIN guest AS g ON g.recording = d.recording
    WHERE d.ts_ns <= g.until_ns
),
counted(recording, pages) AS (SELECT recording, count(*) FROM page GROUP BY recording),
ranked(bytes, place, guests) AS (
    SELECT
        coalesce(c.pages, 0) * g.page_size,
        row_number() OVER (ORDER BY coalesce(c.pages, 0) * g.page_size, g.recording),
        count(*) OVER ()
    FROM guest AS g
    LEFT JOIN counted AS c ON c.recording = g.recording
),
answer(guests, mean, p50, p95, most) AS (
    SELECT
        count(*),
        avg(bytes),
        min(CASE WHEN place * 100 >= guests * 50 THEN bytes END),
        min(CASE WHEN place * 100 >= guests * 95 THEN bytes END),
        max(bytes)
    FROM ranked
)
SELECT
    a.guests AS guests,
    a.mean AS mean_bytes,
    a.p50 AS p50_bytes,
    a.p95 AS p95_bytes,
    a.most AS max_bytes,
    a.mean * q.forks AS mean_total,
    a.p95 * q.forks AS p95_total
FROM answer AS a
CROSS JOIN parameters AS q
WHERE a.guests > 0;
