-- Dirty rate over time: entries (what counts duplicates too) and unique pages, a page counted once an iteration.
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
    count(*) AS ticks,
    (min(i.start_ns) - r.start_ns) / 1e9 AS start_s,
    (max(i.end_ns) - r.start_ns) / 1e9 AS end_s,
    sum(s.entries) AS entries,
    sum(s.unique_pages) AS unique_pages,
    sum(s.new_pages) AS new_pages,
    sum(s.entries) * 1e9 / nullif(max(i.end_ns) - min(i.start_ns), 0) AS entries_per_s,
    sum(s.unique_pages) * 1e9 / nullif(max(i.end_ns) - min(i.start_ns), 0) AS unique_pages_per_s
FROM recording AS r, stretch AS w, iteration AS i
JOIN iteration_summary AS s ON s.iteration = i.id
GROUP BY (i.id - 1) / w.ticks
ORDER BY first_tick;
