-- Incremental checkpoints: what a chain holds when one is taken every so many iterations.
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
    guest(pages) AS (
        SELECT coalesce(
            (
                SELECT sum(s.pages) FROM memslot AS s WHERE s.logged AND s.address_space = 0 AND s.generation = (
                    SELECT max(generation) FROM memslot AS t
                    WHERE t.slot = s.slot AND t.logged AND t.address_space = 0
                )
            ),
            nullif(memory_bytes / page_size, 0), (SELECT count(*) FROM page_summary)
        ) FROM recording
    ),
    chosen(step) AS (
        SELECT column1 FROM (VALUES (1), (2), (5), (10), (20), (50), (100), (200), (500), (1000), (2000), (5000)), size WHERE column1 <= groups
    ),
    increment AS (
        SELECT c.step AS step, (p.t - 1) / c.step + 1 AS number, sum(p.pages) AS pages
        FROM chosen AS c, pair AS p WHERE p.previous <= (p.t - 1) / c.step * c.step GROUP BY 1, 2
    ),
    chain AS (SELECT *, sum(pages) OVER (PARTITION BY step ORDER BY number) AS so_far FROM increment)
SELECT
    c.step * size.per AS ticks,
    ((SELECT max(ns) - min(ns) FROM boundary) * c.step) / size.groups AS cadence_ns,
    (size.groups + c.step - 1) / c.step AS count,
    sum(chain.pages) AS pages,
    max(chain.pages) * r.page_size AS largest_bytes,
    sum(chain.pages) * r.page_size AS chain_bytes,
    min(CASE WHEN chain.so_far >= guest.pages THEN chain.number END) AS full_every
FROM recording AS r, guest, size, chosen AS c JOIN chain ON chain.step = c.step
GROUP BY c.step
ORDER BY c.step;
