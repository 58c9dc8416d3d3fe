-- What each snapshot would hold, were one taken at the first end of an iteration at or after every multiple of a
-- cadence. What was dirtied after the last one is left out.
--
-- Parameters
--   cadence   duration = 1s. Time between two snapshots.
--   block     size = 4KiB. Bytes in a block, a multiple of the page size.
--   coalesce  size = 0B. Clean gaps of at most so many bytes are written too.
--
-- Columns
--   diff             Number of the snapshot, counted from 1.
--   first_iteration  First iteration that it holds.
--   last_iteration   Last one.
--   seconds          Time since the snapshot before.
--   blocks           Different dirty blocks.
--   extents          Runs of blocks, joined over the gaps that are written too.
--   bytes            Bytes written: dirty blocks and those gaps.
WITH
-- Iterations from the end of the one before, so that no time is left out.
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
    SELECT
        row_number() OVER (ORDER BY min(id)) AS number,
        min(id) AS first,
        max(id) AS last,
        min(since) AS since,
        max(until) AS until
    FROM step, begin
    GROUP BY (since - ns) / :cadence
    HAVING (max(until) - ns) / :cadence > (min(since) - ns) / :cadence
),
block AS (
    SELECT DISTINCT d.number AS number, e.gfn / (:block / r.page_size) AS block
    FROM recording AS r
    CROSS JOIN diff AS d
    CROSS JOIN harvest AS h ON h.iteration BETWEEN d.first AND d.last
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
),
gap AS (
    SELECT number, block - lag(block) OVER (PARTITION BY number ORDER BY block) - 1 AS blocks FROM block
),
held AS (
    SELECT
        number, count(*) AS blocks, sum(blocks IS NULL OR blocks > :coalesce / :block) AS extents,
        total(CASE WHEN blocks <= :coalesce / :block THEN blocks END) AS clean
    FROM gap
    GROUP BY number
)
SELECT
    d.number AS diff,
    d.first AS first_iteration,
    d.last AS last_iteration,
    (d.until - d.since) / 1e9 AS seconds,
    coalesce(h.blocks, 0) AS blocks,
    coalesce(h.extents, 0) AS extents,
    CAST(coalesce(h.blocks + h.clean, 0) AS INTEGER) * :block AS bytes
FROM diff AS d
LEFT JOIN held AS h ON h.number = d.number
ORDER BY d.number;
