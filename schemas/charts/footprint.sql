-- Footprint: distinct pages in a window of so many iterations, averaged over all such windows.
WITH RECURSIVE
    -- Every length to 32, then steps of a sixteenth, and the whole recording.
    ladder(ticks) AS (
        SELECT 1
        UNION ALL
        SELECT min(ticks + max(1, ticks / 16), (SELECT max(id) FROM iteration)) FROM ladder
        WHERE ticks < (SELECT max(id) FROM iteration)
    ),
    seen AS (SELECT DISTINCT gfn, iteration AS t FROM dirty),
    occurrence AS (SELECT t, lag(t, 1, 0) OVER (PARTITION BY gfn ORDER BY t) AS previous FROM seen),
    pair AS MATERIALIZED (SELECT t, previous, count(*) AS pages FROM occurrence GROUP BY t, previous),
    size AS (SELECT max(id) AS n, (max(end_ns) - min(start_ns)) / 1e9 / max(id) AS tick_s FROM iteration),
    summed AS (
        -- Of the windows that hold iteration t, those that begin after the page's previous dirtying.
        SELECT l.ticks AS ticks, n - l.ticks + 1 AS windows, l.ticks * tick_s AS seconds, sum(
            p.pages * max(0, min(p.t + l.ticks - 1, n) - max(p.t, p.previous + l.ticks) + 1)
        ) AS sum
        FROM ladder AS l, size, pair AS p GROUP BY l.ticks
    )
SELECT ticks, seconds, sum * 1.0 / windows AS pages, sum, windows FROM summed ORDER BY ticks;
