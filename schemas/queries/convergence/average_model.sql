-- What the average-rate model says (Liu et al. 2011): round i sends memory x lambda^i, and lambda >= 1 diverges. It
-- knows rates only, so it is wrong where the same pages are dirtied again and again; `dirtyrec converge` replays the
-- pages. One row; NULL until the recording has ended.
--
-- Parameters
--   bandwidth  bandwidth = 10Gbit/s. Bytes per second that the migration may send.
--   downtime   duration = 300ms. Longest pause at the end.
--
-- Columns
--   memory_bytes       Bytes of the logged memory slots; without slots, of guest memory.
--   dirty_bytes_per_s  Distinct dirty bytes per second, an iteration at a time.
--   lambda             Dirty rate divided by bandwidth.
--   converges          1 when the model converges, else 0.
--   rounds             Rounds before the pause; NULL when it diverges.
--   total_s            Seconds until the migration is complete; NULL when it diverges.
WITH RECURSIVE
logged(pages) AS (
    SELECT sum(s.pages)
    FROM memslot AS s
    WHERE s.logged AND s.address_space = 0 AND s.generation = (
        SELECT max(l.generation) FROM memslot AS l WHERE l.logged AND l.address_space = 0 AND l.slot = s.slot
    )
),
input(memory, rate) AS (
    SELECT
        coalesce(l.pages, nullif(r.memory_bytes / r.page_size, 0), (SELECT count(*) FROM page_summary)) * r.page_size,
        (SELECT sum(unique_pages) FROM iteration_summary) * r.page_size * 1e9
            / nullif((SELECT max(end_ns) - min(start_ns) FROM iteration), 0)
    FROM recording AS r
    CROSS JOIN logged AS l
),
link(bandwidth, threshold, lambda) AS (
    SELECT :bandwidth * 1.0, :bandwidth * 1.0 * :downtime / 1e9, rate / :bandwidth FROM input
),
round(number, left_bytes, seconds) AS (
    SELECT 0, i.memory * 1.0, 0.0 FROM input AS i CROSS JOIN link AS l WHERE i.memory < l.threshold OR l.lambda < 1
    UNION ALL
    SELECT r.number + 1, r.left_bytes * l.lambda, r.seconds + r.left_bytes / l.bandwidth
    FROM round AS r
    CROSS JOIN link AS l
    WHERE r.left_bytes >= l.threshold AND r.left_bytes >= 1 AND r.number < 100000
),
last(number, seconds) AS (
    SELECT r.number, r.seconds + r.left_bytes / l.bandwidth
    FROM round AS r
    CROSS JOIN link AS l
    ORDER BY r.number DESC
    LIMIT 1
)
SELECT
    i.memory AS memory_bytes,
    i.rate AS dirty_bytes_per_s,
    l.lambda AS lambda,
    i.memory < l.threshold OR l.lambda < 1 AS converges,
    (SELECT number FROM last) AS rounds,
    (SELECT seconds FROM last) AS total_s
FROM input AS i
CROSS JOIN link AS l;
