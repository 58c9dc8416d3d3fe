-- Pairs of vCPUs by the pages that both dirtied in one and the same iteration, within a window of iterations.
--
-- Parameters
--   ticks    integer = 10. Length of the window in iterations.
--   through  integer = none. Last iteration of the window; none is the recording's last one.
--
-- Columns
--   first_vcpu   The lower vCPU number.
--   second_vcpu  The higher vCPU number.
--   pages        Pages that both reported in one iteration, added up over the window.
WITH window(first, last) AS (
    SELECT w.last - :ticks + 1, w.last
    FROM (SELECT coalesce(:through, (SELECT max(id) FROM iteration)) AS last) AS w
),
mark(iteration, gfn, vcpu) AS MATERIALIZED (
    SELECT DISTINCT h.iteration, e.gfn, h.vcpu
    FROM window AS w
    CROSS JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
    WHERE h.vcpu IS NOT NULL
)
SELECT a.vcpu AS first_vcpu, b.vcpu AS second_vcpu, count(*) AS pages
FROM mark AS a
JOIN mark AS b ON b.iteration = a.iteration AND b.gfn = a.gfn AND b.vcpu > a.vcpu
GROUP BY a.vcpu, b.vcpu
ORDER BY count(*) DESC, a.vcpu, b.vcpu;
