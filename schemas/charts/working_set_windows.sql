-- Writable working set: extremes and nearest-rank percentiles over all windows of each length, in pages.
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
    chosen(window) AS (SELECT column1 FROM (VALUES (1), (2), (5), (10), (20), (50), (100), (200), (500), (1000), (2000), (5000)), size WHERE column1 <= whole),
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
    ),
    spanned AS (
        SELECT n.window AS window, n.pages AS pages, n.ns - a.ns AS ns
        FROM counted AS n JOIN boundary AS a ON a.k = n.k - n.window WHERE n.k >= n.window
    ),
    ranked AS (
        SELECT window, ns, pages, row_number() OVER (PARTITION BY window ORDER BY pages) AS place,
            count(*) OVER (PARTITION BY window) AS windows
        FROM spanned
    )
SELECT
    window * (SELECT per FROM size) AS ticks,
    CAST(round(avg(ns)) AS INTEGER) AS tau_ns,
    max(windows) AS windows,
    min(pages) AS min,
    max(CASE WHEN place = (windows * 50 + 99) / 100 THEN pages END) AS p50,
    max(CASE WHEN place = (windows * 90 + 99) / 100 THEN pages END) AS p90,
    max(CASE WHEN place = (windows * 95 + 99) / 100 THEN pages END) AS p95,
    max(pages) AS max
FROM ranked
GROUP BY window
ORDER BY window;
