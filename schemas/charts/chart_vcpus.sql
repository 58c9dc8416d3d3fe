-- Entries per second of each vCPU over time: the sixteen busiest, all others together.
WITH RECURSIVE
    -- At most 256 stretches: neighbours are added up, in powers of two.
    width(ticks) AS (
        SELECT 1
        UNION ALL
        SELECT 2 * ticks FROM width WHERE (SELECT count(*) FROM iteration) > 256 * ticks
    ),
    stretch AS (SELECT max(ticks) AS ticks FROM width),
    ring AS (
        SELECT coalesce('vCPU ' || vcpu, source) AS who, vcpu, sum(entry_count) AS entries,
            row_number() OVER (ORDER BY sum(entry_count) DESC, coalesce('vCPU ' || vcpu, source)) AS place
        FROM harvest GROUP BY who
    ),
    layer AS (
        SELECT who, CASE WHEN place <= 16 THEN who ELSE ((SELECT count(*) FROM ring) - 16) || ' others' END AS name,
            row_number() OVER (ORDER BY place > 16, vcpu IS NULL, vcpu, who) AS position
        FROM ring
    ),
    span AS (
        SELECT (i.id - 1) / w.ticks AS place, min(i.id) AS first_tick, min(i.start_ns) AS start_ns,
            max(i.end_ns) AS end_ns
        FROM iteration AS i, stretch AS w GROUP BY 1
    )
SELECT
    span.first_tick AS first_tick,
    (span.start_ns - r.start_ns) / 1e9 AS start_s,
    (span.end_ns - r.start_ns) / 1e9 AS end_s,
    layer.name AS who,
    sum(h.entry_count) AS entries,
    sum(h.entry_count) * 1e9 / nullif(span.end_ns - span.start_ns, 0) AS entries_per_s
FROM recording AS r, stretch AS w, harvest AS h
JOIN layer ON layer.who = coalesce('vCPU ' || h.vcpu, h.source)
JOIN span ON span.place = (h.iteration - 1) / w.ticks
GROUP BY span.place, layer.name
HAVING sum(h.entry_count) > 0
ORDER BY span.place, min(layer.position);
