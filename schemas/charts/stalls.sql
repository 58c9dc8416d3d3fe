-- How often rings were full, and how long vCPUs stood still because of that.
WITH RECURSIVE
    -- At most 1,024 stretches: neighbours are added up, in powers of two.
    width(ticks) AS (
        SELECT 1
        UNION ALL
        SELECT 2 * ticks FROM width WHERE (SELECT count(*) FROM iteration) > 1024 * ticks
    ),
    stretch AS (SELECT max(ticks) AS ticks FROM width)
SELECT
    min(i.id) AS first_tick,
    (min(i.start_ns) - r.start_ns) / 1e9 AS start_s,
    (max(i.end_ns) - r.start_ns) / 1e9 AS end_s,
    sum(coalesce(h.ring_full, 0)) AS ring_full,
    sum(coalesce(h.stall_ns, 0)) AS stall_ns,
    sum(coalesce(h.stall_ns, 0)) / 1e6 AS stall_ms
FROM recording AS r, stretch AS w, iteration AS i
LEFT JOIN (
    SELECT iteration, sum(cause = 'ring_full') AS ring_full, sum(stall_ns) AS stall_ns FROM harvest GROUP BY iteration
) AS h ON h.iteration = i.id
GROUP BY (i.id - 1) / w.ticks
ORDER BY first_tick;
