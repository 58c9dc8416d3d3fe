-- Writable working set over time: distinct pages dirtied in the window that ends at each moment, for a few lengths.
WITH RECURSIVE
    -- Boundaries lie on every iteration, or on every second, fourth … one when there are more than 4,095.
    merging(per) AS (
        SELECT 1
        UNION ALL
        SELECT 2 * per FROM merging WHERE (SELECT max(id) FROM iteration) / per >= 4096
    ),
    size AS (
        SELECT max(per) AS per, (SELECT max(id) FROM iteration) / max(per) AS whole,
            ((SELECT max(id) FROM iteration) + max(per) - 1) / max(per) AS groups
        FROM merging
    ),
    boundary(k, ns) AS (
        SELECT 0, min(start_ns) FROM iteration
        UNION ALL
        SELECT (id + per - 1) / per, max(end_ns) FROM iteration, size GROUP BY 1
    ),
    -- A page counts in a window once: where its previous dirtying lies before the window.
    seen AS (SELECT DISTINCT gfn, (iteration + per - 1) / per AS t FROM dirty, size),
    occurrence AS (SELECT t, lag(t, 1, 0) OVER (PARTITION BY gfn ORDER BY t) AS previous FROM seen),
    pair AS MATERIALIZED (SELECT t, previous, count(*) AS pages FROM occurrence GROUP BY t, previous),
    fitting(window) AS (
        SELECT column1 FROM (VALUES (1), (2), (5), (10), (20), (50), (100), (200), (500), (1000)), size
        WHERE column1 = 1 OR column1 * 4 <= whole
    ),
    chosen AS (
        SELECT window, (whole - window + 512) / 512 AS step FROM fitting, size
        WHERE window IN (1, 5, 20, (SELECT max(window) FROM fitting)) AND whole > 0
    )
SELECT
    c.window * size.per AS ticks,
    b.k * size.per AS last_tick,
    (b.ns - r.start_ns) / 1e9 AS end_s,
    coalesce((
        SELECT sum(p.pages) FROM pair AS p WHERE p.t > b.k - c.window AND p.t <= b.k AND p.previous <= b.k - c.window
    ), 0) AS pages
FROM recording AS r, chosen AS c, size, boundary AS b
WHERE b.k BETWEEN c.window AND size.whole AND (b.k - c.window) % c.step = 0
ORDER BY ticks, last_tick;
