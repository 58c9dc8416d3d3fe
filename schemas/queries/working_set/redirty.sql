-- After how many iterations pages are dirtied again, within one window of iterations.
--
-- Parameters
--   ticks    integer = 10. Length of the window in iterations.
--   through  integer = none. Last iteration of the window; none is the recording's last one.
--
-- Columns
--   ticks      Iterations between two successive dirtyings of one page; 1 is the next iteration.
--   intervals  How often that occurred.
--   share      Part of all intervals, 0 to 1.
WITH window(first, last) AS (
    SELECT w.last - :ticks + 1, w.last
    FROM (SELECT coalesce(:through, (SELECT max(id) FROM iteration)) AS last) AS w
),
mark(gfn, iteration) AS (
    SELECT DISTINCT e.gfn, h.iteration
    FROM window AS w
    CROSS JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
),
gap(ticks) AS (SELECT iteration - lag(iteration) OVER (PARTITION BY gfn ORDER BY iteration) FROM mark)
SELECT
    g.ticks AS ticks,
    count(*) AS intervals,
    count(*) * 1.0 / sum(count(*)) OVER () AS share
FROM gap AS g
WHERE g.ticks IS NOT NULL
GROUP BY g.ticks
ORDER BY g.ticks;
