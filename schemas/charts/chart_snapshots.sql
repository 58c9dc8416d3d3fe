-- What diffs hold by cadence and block size, were a snapshot taken at the first end of an iteration at or after every multiple
-- of the cadence; and what they cost: 3 ms each, 20 µs an extent, 2 GB a second.
WITH
    asked(cadence_ns) AS (VALUES (1000000000)),
    size(block) AS (
        SELECT column1 FROM (VALUES (4096), (16384), (65536), (2097152)), recording WHERE column1 % page_size = 0
    ),
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
        SELECT cadence_ns, (since - ns) / cadence_ns AS number, min(id) AS first, max(id) AS last, min(since) AS since, max(until) AS until
        FROM asked, step, begin
        GROUP BY 1, 2
        HAVING (max(until) - ns) / cadence_ns > number
    ),
    -- Every page of an iteration once, then every block of a diff once.
    page AS MATERIALIZED (SELECT DISTINCT iteration, gfn FROM dirty),
    dirtied AS MATERIALIZED (
        SELECT DISTINCT d.cadence_ns, d.number, gfn FROM page JOIN diff AS d ON iteration BETWEEN d.first AND d.last
    ),
    block AS (
        SELECT DISTINCT cadence_ns, number, block AS bytes, gfn / (block / page_size) AS block FROM dirtied, size, recording
    ),
    run AS (
        SELECT *, block - 1 IS NOT lag(block) OVER (PARTITION BY cadence_ns, number, bytes ORDER BY block) AS begins FROM block
    ),
    one AS MATERIALIZED (
        SELECT
            d.cadence_ns, z.block AS bytes, d.number, d.since, d.until, count(r.block) AS blocks,
            coalesce(sum(r.begins), 0) AS extents
        FROM diff AS d CROSS JOIN size AS z
            LEFT JOIN run AS r ON (r.cadence_ns, r.number, r.bytes) = (d.cadence_ns, d.number, z.block)
        GROUP BY 1, 2, 3
    ),
    guest(pages) AS (
        SELECT coalesce(
            (
                SELECT sum(s.pages) FROM memslot AS s WHERE s.logged AND s.address_space = 0 AND s.generation = (
                    SELECT max(generation) FROM memslot AS t
                    WHERE t.slot = s.slot AND t.logged AND t.address_space = 0
                )
            ),
            nullif(memory_bytes / page_size, 0), (SELECT count(DISTINCT gfn) FROM page)
        ) FROM recording
    ),
    costed AS (
        SELECT
            *, blocks * bytes AS held, 3000000 + blocks * bytes / 2 + extents * 20000 AS pause,
            3000000 + pages * page_size / 2 + 20000 AS full_pause,
            sum(blocks * bytes) OVER (PARTITION BY cadence_ns, bytes ORDER BY number) AS so_far,
            row_number() OVER (PARTITION BY cadence_ns, bytes ORDER BY number) AS diff,
            row_number() OVER (PARTITION BY cadence_ns, bytes ORDER BY blocks) AS by_size,
            row_number() OVER (PARTITION BY cadence_ns, bytes ORDER BY 3000000 + blocks * bytes / 2 + extents * 20000) AS by_pause,
            count(*) OVER (PARTITION BY cadence_ns, bytes) AS n
        FROM one, recording, guest
    )
SELECT
    c.cadence_ns AS cadence_ns,
    sum(until - since) / count(*) AS mean_ns,
    c.bytes AS block_bytes,
    count(*) AS count,
    sum(blocks) AS blocks,
    sum(held) AS bytes,
    sum(extents) AS extents,
    sum(held) * 1.0 / nullif(sum(extents), 0) AS bytes_per_extent,
    sum(held) * 1.0 / nullif(
        (SELECT count(*) FROM dirtied AS d WHERE d.cadence_ns = c.cadence_ns) * page_size, 0
    ) AS amplification,
    max(CASE WHEN diff = 1 THEN held END) AS first_bytes,
    max(CASE WHEN by_size = (n * 50 + 99) / 100 THEN held END) AS p50_bytes,
    max(CASE WHEN by_size = (n * 95 + 99) / 100 THEN held END) AS p95_bytes,
    max(held) AS max_bytes,
    max(CASE WHEN by_pause = (n * 50 + 99) / 100 THEN pause END) AS pause_p50_ns,
    max(CASE WHEN by_pause = (n * 95 + 99) / 100 THEN pause END) AS pause_p95_ns,
    sum(pause > full_pause) AS dearer_than_full,
    min(CASE WHEN so_far >= pages * page_size THEN diff END) AS rebase_every
FROM costed AS c
GROUP BY c.cadence_ns, c.bytes
ORDER BY c.cadence_ns, c.bytes;
