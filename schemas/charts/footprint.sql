-- Footprint: distinct pages in a window of so many iterations, averaged over all such windows.
WITH RECURSIVE
    -- Every length to 32, then steps of a sixteenth, and the whole recording.
    ladder(ticks) AS (
        SELECT 1
        UNION ALL
        SELECT min(ticks + max(1, ticks / 16), (SELECT max(id) FROM iteration)) FROM ladder
        WHERE ticks < (SELECT max(id) FROM iteration)
    ),
    seen AS MATERIALIZED (SELECT DISTINCT gfn, iteration AS t FROM dirty),
    occurrence AS (SELECT t, lag(t, 1, 0) OVER (PARTITION BY gfn ORDER BY t) AS previous FROM seen),
    size AS (SELECT max(id) AS n, (max(end_ns) - min(start_ns)) / 1e9 / max(id) AS tick_s FROM iteration),
    -- Stretches in which a page stays clean: before its first dirtying, between two, after its last.
    clean AS MATERIALIZED (
        SELECT length, sum(count) AS count FROM (
            SELECT t - previous AS length, count(*) AS count FROM occurrence GROUP BY 1
            UNION ALL
            SELECT n + 1 - last, count(*) FROM (SELECT max(t) AS last FROM seen GROUP BY gfn), size GROUP BY 1
        ) GROUP BY length
    ),
    -- A stretch of length v hides its page from v - w windows of w iterations.
    missed AS (
        SELECT l.ticks AS ticks, sum(max(0, c.length - l.ticks) * c.count) AS windows
        FROM ladder AS l, clean AS c GROUP BY l.ticks
    ),
    summed AS (
        SELECT m.ticks AS ticks, n - m.ticks + 1 AS windows,
            (SELECT count(DISTINCT gfn) FROM seen) * (n - m.ticks + 1) - m.windows AS sum, m.ticks * tick_s AS seconds
        FROM missed AS m, size
    )
SELECT ticks, seconds, sum * 1.0 / windows AS pages, sum, windows FROM summed ORDER BY ticks;
