-- How well the pages of the last snapshots foretell those of the next: what prefetching them at a resume would hit.
-- Snapshots are those of snapshots/diffs.
--
-- Parameters
--   cadence  duration = 1s. Time between two snapshots.
--   last     integer = 1. Snapshots whose pages are foretold.
--
-- Columns
--   diff       Number of the snapshot that is foretold, from 2.
--   foretold   Different pages of the last snapshots before it.
--   dirtied    Different pages that it holds.
--   hits       Pages in both.
--   precision  Part of the pages foretold that it holds; NULL of none.
--   recall     Part of its pages that had been foretold; NULL of none.
--   jaccard    Pages in both divided by pages in either; NULL of none.
WITH RECURSIVE
step AS (
    SELECT
        id,
        coalesce(
            max(end_ns) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), start_ns
        ) AS since,
        max(end_ns) OVER (ORDER BY id) AS until
    FROM iteration
),
begin(ns) AS (SELECT since FROM step ORDER BY id LIMIT 1),
diff AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY min(id)) AS number, min(id) AS first, max(id) AS last
    FROM step, begin
    GROUP BY (since - ns) / :cadence
    HAVING (max(until) - ns) / :cadence > (min(since) - ns) / :cadence
),
page AS MATERIALIZED (
    SELECT DISTINCT d.number AS number, e.gfn AS gfn
    FROM diff AS d
    CROSS JOIN harvest AS h ON h.iteration BETWEEN d.first AND d.last
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
),
held AS MATERIALIZED (SELECT number, count(*) AS pages FROM page GROUP BY number),
ahead(steps) AS (
    SELECT 1 WHERE :last >= 1
    UNION ALL
    SELECT steps + 1 FROM ahead WHERE steps < min(:last, (SELECT max(number) FROM diff))
),
guess AS MATERIALIZED (
    SELECT DISTINCT p.number + a.steps AS number, p.gfn AS gfn
    FROM page AS p
    CROSS JOIN ahead AS a ON p.number + a.steps <= (SELECT max(number) FROM diff)
),
guessed AS MATERIALIZED (SELECT number, count(*) AS pages FROM guess GROUP BY number),
hit AS MATERIALIZED (
    SELECT g.number AS number, count(*) AS pages
    FROM guess AS g
    JOIN page AS p ON p.number = g.number AND p.gfn = g.gfn
    GROUP BY g.number
),
counted AS (
    SELECT
        d.number AS diff,
        coalesce(g.pages, 0) AS foretold,
        coalesce(h.pages, 0) AS dirtied,
        coalesce(b.pages, 0) AS hits
    FROM diff AS d
    LEFT JOIN guessed AS g ON g.number = d.number
    LEFT JOIN held AS h ON h.number = d.number
    LEFT JOIN hit AS b ON b.number = d.number
    WHERE d.number > 1
)
SELECT
    diff AS diff,
    foretold AS foretold,
    dirtied AS dirtied,
    hits AS hits,
    hits * 1.0 / nullif(foretold, 0) AS precision,
    hits * 1.0 / nullif(dirtied, 0) AS recall,
    hits * 1.0 / nullif(foretold + dirtied - hits, 0) AS jaccard
FROM counted
ORDER BY diff;
