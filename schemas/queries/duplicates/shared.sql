-- Pages that several rings reported in one and the same iteration, within a window of iterations: a migration sends
-- them once, a counter of entries counts them several times.
--
-- Parameters
--   ticks    integer = 10. Length of the window in iterations.
--   through  integer = none. Last iteration of the window; none is the recording's last one.
--   limit    integer = 20. How many pages at most.
--
-- Columns
--   gfn                Guest frame number.
--   gpa                Guest physical address of the page's first byte.
--   shared_iterations  Iterations of the window in which several rings reported it.
--   iterations         Iterations of the window in which it was dirty.
--   entries            Entries of the window that name it.
WITH window(first, last) AS (
    SELECT w.last - :ticks + 1, w.last
    FROM (SELECT coalesce(:through, (SELECT max(id) FROM iteration)) AS last) AS w
),
ring_harvest(iteration, ring, first, last) AS (
    SELECT
        h.iteration, coalesce(h.vcpu, CASE h.source WHEN 'vmm' THEN -2 ELSE -1 END), h.first_seq,
        h.first_seq + h.entry_count - 1
    FROM window AS w
    CROSS JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last
),
mark(gfn, shared, entries) AS (
    SELECT e.gfn, min(h.ring) <> max(h.ring), count(*)
    FROM ring_harvest AS h
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first AND h.last
    GROUP BY e.gfn, h.iteration
)
SELECT
    gfn,
    gfn * (SELECT page_size FROM recording) AS gpa,
    sum(shared) AS shared_iterations,
    count(*) AS iterations,
    sum(entries) AS entries
FROM mark
GROUP BY gfn
HAVING sum(shared) > 0
ORDER BY sum(shared) DESC, sum(entries) DESC, gfn
LIMIT :limit;
