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
    ),
    -- A page dirtied at t counts in the windows that end from t (or where its previous dirtying drops out) to t + window − 1.
    held AS (
        SELECT c.window AS window, max(p.t, p.previous + c.window, c.window) AS first,
            min(p.t + c.window - 1, size.whole) AS last, p.pages AS pages
        FROM chosen AS c, size, pair AS p
    ),
    change AS (
        SELECT window, k, sum(pages) AS pages FROM (
            SELECT window, first AS k, pages FROM held WHERE first <= last
            UNION ALL SELECT window, last + 1, -pages FROM held WHERE first <= last
        ) GROUP BY window, k
    ),
    counted AS (
        SELECT c.window AS window, b.k AS k, b.ns AS ns,
            sum(coalesce(e.pages, 0)) OVER (PARTITION BY c.window ORDER BY b.k) AS pages
        FROM chosen AS c, size JOIN boundary AS b ON b.k BETWEEN 1 AND size.whole
        LEFT JOIN change AS e ON e.window = c.window AND e.k = b.k
    )
SELECT
    c.window * size.per AS ticks,
    n.k * size.per AS last_tick,
    (n.ns - r.start_ns) / 1e9 AS end_s,
    n.pages AS pages
FROM recording AS r, size, chosen AS c JOIN counted AS n ON n.window = c.window
WHERE n.k >= c.window AND (n.k - c.window) % c.step = 0
ORDER BY ticks, last_tick;
