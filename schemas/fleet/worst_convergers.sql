-- The guests that are hardest to migrate, by the average-rate model. Its lambda = distinct dirty bytes per second /
-- bandwidth, and lambda >= 1 diverges (Liu et al. 2011). It knows rates only; `dirtyrec converge` replays a recording's
-- pages.
--
-- Parameters
--   bandwidth  bandwidth = 10Gbit/s. Bytes per second that the migration may send.
--   downtime   duration = 300ms. Longest pause at the end.
--   most       integer = 20. How many guests.
--
-- Columns
--   recording           Its id.
--   guest               The guest in its own words.
--   vcpus               Number of vCPUs.
--   memory_bytes        Guest memory.
--   unique_bytes_per_s  Distinct pages in bytes per second, an iteration at a time.
--   lambda              The same divided by the bandwidth.
--   converges           1 when the model converges, else 0.
--   worst_iteration     Iteration with the highest rate.
--   worst_lambda        Its rate divided by the bandwidth.
WITH tick(recording, iteration, unique_pages, ns) AS (
    SELECT s.recording, s.iteration, s.unique_pages, i.end_ns - i.start_ns
    FROM iteration_summary AS s
    JOIN iteration AS i ON i.recording = s.recording AND i.id = s.iteration
    WHERE i.end_ns > i.start_ns
),
ranked(recording, iteration, pages_per_ns, place) AS (
    SELECT
        recording,
        iteration,
        CAST(unique_pages AS DOUBLE) / CAST(ns AS DOUBLE),
        row_number() OVER (
            PARTITION BY recording ORDER BY CAST(unique_pages AS DOUBLE) / CAST(ns AS DOUBLE) DESC, iteration
        )
    FROM tick
),
mean(recording, pages_per_ns) AS (
    SELECT s.recording, CAST(s.unique_pages AS DOUBLE) / CAST(i.ns AS DOUBLE)
    FROM (
        SELECT recording, sum(unique_pages) AS unique_pages FROM iteration_summary GROUP BY recording
    ) AS s
    JOIN (
        SELECT recording, max(end_ns) - min(start_ns) AS ns FROM iteration GROUP BY recording
    ) AS i ON i.recording = s.recording AND i.ns > 0
),
model(recording, guest, vcpus, memory_bytes, rate, worst_iteration, worst_rate) AS (
    SELECT
        r.recording,
        r.guest,
        r.vcpu_count,
        r.memory_bytes,
        m.pages_per_ns * CAST(r.page_size AS DOUBLE) * 1e9,
        w.iteration,
        w.pages_per_ns * CAST(r.page_size AS DOUBLE) * 1e9
    FROM mean AS m
    JOIN recording AS r ON r.recording = m.recording
    JOIN ranked AS w ON w.recording = m.recording AND w.place = 1
),
sorted(recording, place) AS (
    SELECT recording, row_number() OVER (ORDER BY rate DESC, recording) FROM model
)
SELECT
    m.recording AS recording,
    m.guest AS guest,
    m.vcpus AS vcpus,
    m.memory_bytes AS memory_bytes,
    m.rate AS unique_bytes_per_s,
    m.rate / CAST(q.bandwidth AS DOUBLE) AS lambda,
    CASE
        WHEN CAST(m.memory_bytes AS DOUBLE) < CAST(q.bandwidth AS DOUBLE) * CAST(q.downtime AS DOUBLE) / 1e9
            OR m.rate < CAST(q.bandwidth AS DOUBLE) THEN 1
        ELSE 0
    END AS converges,
    m.worst_iteration AS worst_iteration,
    m.worst_rate / CAST(q.bandwidth AS DOUBLE) AS worst_lambda
FROM model AS m
JOIN sorted AS o ON o.recording = m.recording
CROSS JOIN parameters AS q
WHERE o.place <= q.most
ORDER BY o.place;
