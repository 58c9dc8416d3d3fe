-- What the repeats of a ring within an iteration are: pages that were re-protected in between, as after a full ring,
-- and written again; or pages that were not, whose writes KVM emulated: it logs each of those. same_ring in
-- iteration_summary and in other queries is the sum of both. Reads every entry of iterations with repeats.
--
-- Columns
--   iteration  The iteration; those without repeats are left out.
--   redirtied  Repeats whose page was re-protected since the same ring had last reported it.
--   same_ring  Repeats whose page was not.
WITH pass(id, iteration, ring, is_reprotected, since_ns, ts_ns, first, last, first_provisional) AS (
    SELECT
        h.id,
        h.iteration,
        coalesce(h.vcpu, CASE h.source WHEN 'vmm' THEN -2 ELSE -1 END),
        h.cause <> 'periodic' OR h.source IN ('dirty-log', 'tracefs'),
        h.since_ns,
        h.ts_ns,
        h.first_seq,
        h.first_seq + h.entry_count - 1,
        h.first_seq + h.entry_count - h.provisional_count
    FROM iteration_summary AS s
    CROSS JOIN harvest AS h ON h.iteration = s.iteration
    WHERE s.same_ring > 0
),
-- A long pass is several harvests of the same times.
protection AS (
    SELECT
        *,
        lag(is_reprotected, 1, 0) OVER ring
            AND (lag(since_ns) OVER ring <> since_ns OR lag(ts_ns) OVER ring <> ts_ns) AS is_new
    FROM pass
    WINDOW ring AS (PARTITION BY iteration, ring ORDER BY id)
),
epoch AS (
    SELECT *, sum(is_new) OVER (PARTITION BY iteration, ring ORDER BY id) AS epoch FROM protection
),
report AS (
    SELECT
        p.iteration,
        p.epoch - lag(p.epoch) OVER page AS protections,
        lag(e.seq >= p.first_provisional) OVER page AS was_provisional
    FROM epoch AS p
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN p.first AND p.last
    WHERE p.ring <> -2
    WINDOW page AS (PARTITION BY p.iteration, p.ring, e.gfn ORDER BY e.seq)
)
SELECT iteration, sum(protections > 0) AS redirtied, sum(protections = 0) AS same_ring
FROM report
WHERE was_provisional = 0
GROUP BY iteration
ORDER BY iteration;
