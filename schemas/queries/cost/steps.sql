-- What harvesting cost, step by step. Steps that the source does not have are 0.
--
-- Columns
--   step      kick, scan, get, clear, reset, resume and pause of an iteration; harvest: one pass; stop: one vCPU's
--             answer.
--   count     How many there were.
--   total_ns  All together, in nanoseconds.
--   mean_ns   The average, in nanoseconds.
--   p50_ns    The median, in nanoseconds.
--   p95_ns    The 95th percentile (nearest rank), in nanoseconds.
--   max_ns    The longest, in nanoseconds.
WITH step(place, step, ns) AS (
    SELECT 1, 'kick', kick_ns FROM iteration
    UNION ALL SELECT 2, 'scan', scan_ns FROM iteration
    UNION ALL SELECT 3, 'get', get_ns FROM iteration
    UNION ALL SELECT 4, 'clear', clear_ns FROM iteration
    UNION ALL SELECT 5, 'reset', reset_ns FROM iteration
    UNION ALL SELECT 6, 'resume', resume_ns FROM iteration
    UNION ALL SELECT 7, 'pause', pause_ns FROM iteration
    UNION ALL SELECT 8, 'harvest', scan_ns FROM harvest
    UNION ALL SELECT 9, 'stop', latency_ns FROM stop_latency
),
ranked AS (
    SELECT
        place, step, ns,
        row_number() OVER (PARTITION BY place ORDER BY ns) AS rank,
        count(*) OVER (PARTITION BY place) AS n
    FROM step
)
SELECT
    step,
    count(*) AS count,
    sum(ns) AS total_ns,
    avg(ns) AS mean_ns,
    max(ns) FILTER (WHERE rank = (n * 50 + 99) / 100) AS p50_ns,
    max(ns) FILTER (WHERE rank = (n * 95 + 99) / 100) AS p95_ns,
    max(ns) AS max_ns
FROM ranked
GROUP BY place
ORDER BY place;
