-- Re-dirty intervals: how many iterations lie between successive dirtyings of a page.
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
    bucket AS (
        SELECT ticks, coalesce(lead(ticks) OVER (ORDER BY ticks) - 1, ticks) AS last_ticks FROM ladder
    ),
    gap AS (SELECT t - previous AS ticks, count(*) AS count FROM occurrence WHERE previous > 0 GROUP BY 1),
    counted AS (
        SELECT b.ticks AS ticks, b.last_ticks AS last_ticks, sum(g.count) AS count
        FROM bucket AS b JOIN gap AS g ON g.ticks BETWEEN b.ticks AND b.last_ticks GROUP BY b.ticks
    )
SELECT ticks, last_ticks, count, sum(count) OVER (ORDER BY ticks) * 1.0 / sum(count) OVER () AS share
FROM counted
ORDER BY ticks;
