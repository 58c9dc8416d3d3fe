-- Pages dirtied in the most iterations.
WITH
    top AS MATERIALIZED (
        SELECT * FROM page_summary ORDER BY iterations DESC, entries DESC, gfn LIMIT 64
    ),
    shared AS (
        SELECT gfn, iteration FROM dirty WHERE gfn IN (SELECT gfn FROM top)
        GROUP BY gfn, iteration HAVING count(DISTINCT coalesce(vcpu, CASE source WHEN 'vmm' THEN -2 ELSE -1 END)) > 1
    )
SELECT
    top.gfn AS gfn,
    top.gfn * r.page_size AS gpa,
    top.iterations AS ticks,
    top.iterations * 1.0 / (SELECT count(*) FROM iteration) AS share,
    top.entries AS entries,
    (SELECT count(*) FROM shared WHERE shared.gfn = top.gfn) AS shared_ticks,
    top.first_iteration AS first_tick,
    top.last_iteration AS last_tick
FROM recording AS r, top
ORDER BY ticks DESC, entries DESC, top.gfn;
