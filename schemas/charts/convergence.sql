-- A migration's rounds: pages that each leaves dirty, counted anew in the recording. A round begins and lasts between two
-- times (nanoseconds after the recording's start); windows rounded in to boundaries give the low count, rounded out the
-- high one.
WITH RECURSIVE
    round(number, start_low, start_high, lasts_low, lasts_high) AS (VALUES (1, 0, 0, 0, 0)),
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
    place AS (
        SELECT number, o.ns + start_low AS earliest, o.ns + start_high AS latest, lasts_low, lasts_high
        FROM round, boundary AS o WHERE o.k = 0
    ),
    -- The round may begin anywhere between its two starts: stretch by stretch between boundaries.
    stretch AS (
        SELECT p.number AS number, b.k AS k, max(p.earliest, b.ns) AS begins, min(p.latest, coalesce(n.ns, p.latest)) AS ends,
            b.ns AS ns, p.lasts_low AS lasts_low, p.lasts_high AS lasts_high
        FROM place AS p JOIN boundary AS b ON b.ns <= p.latest
        LEFT JOIN boundary AS n ON n.k = b.k + 1
        WHERE coalesce(n.ns, p.earliest + 1) > p.earliest
    ),
    edge AS (
        SELECT number, k, ns, begins, ends,
            (SELECT min(b.k) FROM boundary AS b WHERE b.ns >= ends + lasts_high) AS outer_end,
            (SELECT max(b.k) FROM boundary AS b WHERE b.ns <= begins + lasts_low) AS inner_end,
            (SELECT min(b.k) FROM boundary AS b WHERE b.ns >= begins + (begins < ends)) AS inner_begin
        FROM stretch
    ),
    span(number, is_high, first, last) AS (
        SELECT number, 1, k, outer_end FROM edge
        UNION ALL SELECT number, 0, inner_begin, inner_end FROM edge
        UNION ALL SELECT number, 0, k, inner_end FROM edge WHERE begins = ns AND begins < ends
    ),
    counted AS (
        SELECT number, is_high, coalesce((
            SELECT sum(p.pages) FROM pair AS p
            WHERE p.t > span.first AND p.t <= span.last AND p.previous <= span.first
        ), 0) AS pages
        FROM span
    )
SELECT
    number AS round,
    min(pages) AS dirty_pages_low,
    max(CASE WHEN is_high THEN pages END) AS dirty_pages
FROM counted
GROUP BY number
ORDER BY number;
