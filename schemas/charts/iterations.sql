-- Iterations (stretches of several when there are more than 1,024): what they found and what they cost.
WITH RECURSIVE
    -- At most 1,024 stretches: neighbours are added up, in powers of two.
    width(ticks) AS (
        SELECT 1
        UNION ALL
        SELECT 2 * ticks FROM width WHERE (SELECT count(*) FROM iteration) > 1024 * ticks
    ),
    stretch AS (SELECT max(ticks) AS ticks FROM width),
    harvested AS (
        SELECT (iteration - 1) / w.ticks AS place, count(*) AS harvests, sum(cause = 'ring_full') AS ring_full,
            sum(stall_ns) AS stall_ns
        FROM harvest, stretch AS w GROUP BY 1
    )
SELECT
    min(i.id) AS first_tick,
    count(*) AS ticks,
    (min(i.start_ns) - r.start_ns) / 1e9 AS start_s,
    (max(i.end_ns) - r.start_ns) / 1e9 AS end_s,
    sum(s.entries) AS entries,
    sum(s.unique_pages) AS unique_pages,
    sum(s.new_pages) AS new_pages,
    sum(s.cross_ring) AS cross_ring,
    sum(s.same_ring) AS same_ring,
    sum(s.provisional) AS provisional,
    coalesce(h.harvests, 0) AS harvests,
    coalesce(h.ring_full, 0) AS ring_full,
    coalesce(h.stall_ns, 0) AS stall_ns,
    sum(i.pause_ns) AS pause_ns
FROM recording AS r, stretch AS w, iteration AS i
JOIN iteration_summary AS s ON s.iteration = i.id
LEFT JOIN harvested AS h ON h.place = (i.id - 1) / w.ticks
GROUP BY (i.id - 1) / w.ticks
ORDER BY first_tick;
