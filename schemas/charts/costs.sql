-- What harvesting cost, per iteration, in milliseconds. A step that the source does not have is left out.
WITH RECURSIVE
    -- At most 1,024 stretches: neighbours are added up, in powers of two.
    width(ticks) AS (
        SELECT 1
        UNION ALL
        SELECT 2 * ticks FROM width WHERE (SELECT count(*) FROM iteration) > 1024 * ticks
    ),
    stretch AS (SELECT max(ticks) AS ticks FROM width),
    sums AS (
        SELECT min(i.id) AS first_tick, (min(i.start_ns) - r.start_ns) / 1e9 AS start_s,
            (max(i.end_ns) - r.start_ns) / 1e9 AS end_s, count(*) AS ticks, sum(scan_ns) AS scan, sum(get_ns) AS get,
            sum(clear_ns) AS clear, sum(reset_ns) AS reset, sum(pause_ns) AS pause
        FROM recording AS r, stretch AS w, iteration AS i GROUP BY (i.id - 1) / w.ticks
    ),
    step(place, name, first_tick, start_s, end_s, ns, ticks) AS (
        SELECT 1, 'scan', first_tick, start_s, end_s, scan, ticks FROM sums
        UNION ALL SELECT 2, 'GET', first_tick, start_s, end_s, get, ticks FROM sums
        UNION ALL SELECT 3, 'CLEAR', first_tick, start_s, end_s, clear, ticks FROM sums
        UNION ALL SELECT 4, 'reset', first_tick, start_s, end_s, reset, ticks FROM sums
        UNION ALL SELECT 5, 'pause', first_tick, start_s, end_s, pause, ticks FROM sums
    )
SELECT first_tick, start_s, end_s, name AS step, ns, ns / 1e6 / ticks AS ms
FROM step
WHERE name IN (SELECT name FROM step GROUP BY name HAVING sum(ns) > 0)
ORDER BY place, first_tick;
