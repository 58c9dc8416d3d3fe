-- The most frequent steps from one entry of a harvest to the next, within a window of iterations.
--
-- Parameters
--   ticks    integer = 10. Length of the window in iterations.
--   through  integer = none. Last iteration of the window; none is the recording's last one.
--   limit    integer = 20. How many steps at most.
--
-- Columns
--   vcpu   The vCPU; NULL for a bitmap or the VMM's log.
--   step   Pages from one entry to the next; negative when it goes down.
--   steps  How often it occurred.
--   share  Part of all steps of this vCPU, 0 to 1.
WITH window(first, last) AS (
    SELECT w.last - :ticks + 1, w.last
    FROM (SELECT coalesce(:through, (SELECT max(id) FROM iteration)) AS last) AS w
),
entry(vcpu, step) AS (
    SELECT h.vcpu, e.gfn - lag(e.gfn) OVER (PARTITION BY h.id ORDER BY e.seq)
    FROM window AS w
    CROSS JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
)
SELECT vcpu, step, count(*) AS steps, count(*) * 1.0 / sum(count(*)) OVER (PARTITION BY vcpu) AS share
FROM entry
WHERE step IS NOT NULL
GROUP BY vcpu, step
ORDER BY count(*) DESC, vcpu, step
LIMIT :limit;
