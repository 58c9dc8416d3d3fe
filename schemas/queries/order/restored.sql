-- Entries of each ring in the order in which they were written, within a window of iterations, as far as that can be
-- told: with PML, kernels before Linux 6.14 pushed each batch of up to 512 entries from its end. A run of entries that
-- descends is taken for a batch when its neighbour lies wholly above it, or when it has 512 entries; docs/analysis.md
-- says more, and dirtyrec report whether this host reverses.
--
-- Parameters
--   ticks    integer = 10. Length of the window in iterations.
--   through  integer = none. Last iteration of the window; none is the recording's last one.
--
-- Columns
--   iteration  The iteration.
--   vcpu       The vCPU.
--   harvest    The harvest.
--   place      From 1: when the entry was written, within its harvest.
--   seq        Sequence number of the entry.
--   gfn        The page.
--   turned     1 where the entry belongs to a batch that was turned round.
WITH window(first, last) AS (
    SELECT w.last - :ticks + 1, w.last
    FROM (SELECT coalesce(:through, (SELECT max(id) FROM iteration)) AS last) AS w
),
entry(iteration, vcpu, harvest, seq, gfn, step) AS MATERIALIZED (
    SELECT h.iteration, h.vcpu, h.id, e.seq, e.gfn, e.gfn - lag(e.gfn) OVER (PARTITION BY h.id ORDER BY e.seq)
    FROM window AS w
    CROSS JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last AND h.vcpu IS NOT NULL
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
),
-- Every entry that does not descend begins a run.
numbered(harvest, seq, run) AS MATERIALIZED (
    SELECT harvest, seq, sum(step IS NULL OR step >= 0) OVER (PARTITION BY harvest ORDER BY seq)
    FROM entry
),
run(harvest, run, first_seq, last_seq, entries, lowest, highest) AS MATERIALIZED (
    SELECT n.harvest, n.run, min(n.seq), max(n.seq), count(*), min(e.gfn), max(e.gfn)
    FROM numbered AS n
    JOIN entry AS e ON e.seq = n.seq
    GROUP BY n.harvest, n.run
),
batch(harvest, run, first_seq, last_seq, turned) AS MATERIALIZED (
    SELECT
        harvest, run, first_seq, last_seq,
        entries > 1 AND entries <= 512 AND (
            entries = 512
            OR coalesce(
                lowest > lag(highest) OVER neighbour AND max(entries, lag(entries) OVER neighbour) >= 8, 0)
            OR coalesce(
                highest < lead(lowest) OVER neighbour AND max(entries, lead(entries) OVER neighbour) >= 8, 0))
    FROM run
    WINDOW neighbour AS (PARTITION BY harvest ORDER BY run)
)
SELECT
    e.iteration,
    e.vcpu,
    e.harvest,
    CASE WHEN b.turned THEN b.first_seq + b.last_seq - e.seq ELSE e.seq END - h.first_seq + 1 AS place,
    e.seq,
    e.gfn,
    b.turned
FROM entry AS e
JOIN harvest AS h ON h.id = e.harvest
JOIN numbered AS n ON n.seq = e.seq
JOIN batch AS b ON b.harvest = n.harvest AND b.run = n.run
ORDER BY h.id, place;
