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
    counted AS (
        SELECT c.window AS window, b.ns - a.ns AS ns, coalesce((
            SELECT sum(p.pages) FROM pair AS p WHERE p.t > a.k AND p.t <= b.k AND p.previous <= a.k
        ), 0) AS pages
        FROM chosen AS c, size, boundary AS b JOIN boundary AS a ON a.k = b.k - c.window
        WHERE b.k <= size.whole
    ),
    ranked AS (
        SELECT window, ns, pages, row_number() OVER (PARTITION BY window ORDER BY pages) AS place,
            count(*) OVER (PARTITION BY window) AS windows
        FROM counted
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
