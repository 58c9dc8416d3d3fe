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
entry AS (
    SELECT
        h.iteration, h.vcpu, h.id AS harvest, h.first_seq, e.seq, e.gfn,
        e.gfn - lag(e.gfn) OVER (PARTITION BY h.id ORDER BY e.seq) AS step
    FROM window AS w
    CROSS JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last AND h.vcpu IS NOT NULL
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
),
-- Every entry that does not descend begins a run.
numbered AS (
    SELECT *, sum(step IS NULL OR step >= 0) OVER (PARTITION BY harvest ORDER BY seq) AS run
    FROM entry
),
-- Windows, not joins: every entry carries its run, and finds the runs before and after by where they begin and end.
measured AS (
    SELECT
        *, count(*) OVER same AS entries, min(seq) OVER same AS run_first, min(gfn) OVER same AS lowest,
        max(gfn) OVER same AS highest
    FROM numbered
    WINDOW same AS (PARTITION BY harvest, run)
),
judged AS (
    SELECT
        *,
        entries > 1 AND entries <= 512 AND (
            entries = 512
            OR coalesce(
                lowest > lag(highest, seq - run_first + 1) OVER harvested
                AND max(entries, lag(entries, seq - run_first + 1) OVER harvested) >= 8, 0)
            OR coalesce(
                highest < lead(lowest, run_first + entries - seq) OVER harvested
                AND max(entries, lead(entries, run_first + entries - seq) OVER harvested) >= 8, 0)) AS turned
    FROM measured
    WINDOW harvested AS (PARTITION BY harvest ORDER BY seq)
)
SELECT
    iteration,
    vcpu,
    harvest,
    CASE WHEN turned THEN 2 * run_first + entries - 1 - seq ELSE seq END - first_seq + 1 AS place,
    seq,
    gfn,
    turned
FROM judged
ORDER BY harvest, place;
