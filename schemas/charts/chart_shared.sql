-- Pages that several vCPUs dirtied in the same iteration, in the most iterations. Which bytes were written is unseen.
WITH
    shared AS (
        SELECT gfn, iteration FROM dirty GROUP BY gfn, iteration HAVING count(DISTINCT coalesce(vcpu, CASE source WHEN 'vmm' THEN -2 ELSE -1 END)) > 1
    ),
    top AS (SELECT gfn, count(*) AS shared_ticks FROM shared GROUP BY gfn)
SELECT
    top.gfn AS gfn,
    top.gfn * r.page_size AS gpa,
    top.shared_ticks AS shared_ticks,
    p.iterations AS ticks,
    p.entries AS entries,
    p.first_iteration AS first_tick,
    p.last_iteration AS last_tick
FROM recording AS r, top JOIN page_summary AS p ON p.gfn = top.gfn
ORDER BY shared_ticks DESC, p.entries DESC, top.gfn
LIMIT 64;
