-- In what order the entries of each ring stand, within a window of iterations. What that means depends on kernel and
-- CPU, too: dirtyrec report, and order/restored.
--
-- Parameters
--   ticks    integer = 10. Length of the window in iterations.
--   through  integer = none. Last iteration of the window; none is the recording's last one.
--
-- Columns
--   vcpu                    The vCPU; NULL for a bitmap or the VMM's log.
--   harvests                Harvests with at least one entry.
--   entries                 Their entries.
--   ascents                 Steps from one entry of a harvest to the next that lead to a higher page.
--   descents                Steps that lead to a lower page.
--   mean_ascending_run      Entries in an average strictly ascending run.
--   mean_descending_run     Entries in an average strictly descending run.
--   longest_descending_run  Entries in the longest one, of harvests that mostly descend; 0 when none does.
--   shape                   How most entries stand: unknown, ascending, descending or mixed. Harvests weigh as much as
--                           they hold entries; one ascends or descends when its mean run has at least 8.
WITH window(first, last) AS (
    SELECT w.last - :ticks + 1, w.last
    FROM (SELECT coalesce(:through, (SELECT max(id) FROM iteration)) AS last) AS w
),
entry(ring, vcpu, harvest, seq, step) AS MATERIALIZED (
    SELECT
        coalesce(h.vcpu, CASE h.source WHEN 'vmm' THEN -2 ELSE -1 END), h.vcpu, h.id, e.seq,
        e.gfn - lag(e.gfn) OVER (PARTITION BY h.id ORDER BY e.seq)
    FROM window AS w
    CROSS JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last
    CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1
),
harvested(ring, vcpu, harvest, entries, ascents, descents) AS MATERIALIZED (
    SELECT ring, vcpu, harvest, count(*), coalesce(sum(step > 0), 0), coalesce(sum(step < 0), 0)
    FROM entry
    GROUP BY harvest
),
-- Every entry that does not descend begins a run.
numbered(ring, harvest, run) AS (
    SELECT e.ring, e.harvest, sum(e.step IS NULL OR e.step >= 0) OVER (PARTITION BY e.harvest ORDER BY e.seq)
    FROM harvested AS h
    JOIN entry AS e ON e.harvest = h.harvest
    WHERE h.descents > h.ascents
),
longest(ring, entries) AS (
    SELECT ring, max(entries) FROM (SELECT ring, count(*) AS entries FROM numbered GROUP BY harvest, run) GROUP BY ring
),
-- What each harvest weighs for either direction; fewer than 8 entries weigh nothing.
weighed(ring, entries, ascending, descending) AS (
    SELECT
        ring, entries, ascents >= descents AND entries >= 8 * (entries - ascents),
        NOT (ascents >= descents AND entries >= 8 * (entries - ascents)) AND entries >= 8 * (entries - descents)
    FROM harvested
    WHERE entries >= 8
),
weight(ring, entries, ascending, descending) AS (
    SELECT ring, sum(entries), sum(entries * ascending), sum(entries * descending) FROM weighed GROUP BY ring
),
total AS (
    SELECT
        h.vcpu AS vcpu,
        count(*) AS harvests,
        sum(h.entries) AS entries,
        sum(h.ascents) AS ascents,
        sum(h.descents) AS descents,
        sum(h.entries) * 1.0 / (sum(h.entries) - sum(h.ascents)) AS mean_ascending_run,
        sum(h.entries) * 1.0 / (sum(h.entries) - sum(h.descents)) AS mean_descending_run,
        coalesce((SELECT l.entries FROM longest AS l WHERE l.ring = h.ring), 0) AS longest_descending_run,
        CASE
            WHEN sum(h.entries) - count(*) < 16 THEN 'unknown'
            ELSE coalesce(
                (
                    SELECT CASE
                        WHEN w.ascending * 2 > w.entries THEN 'ascending'
                        WHEN w.descending * 2 > w.entries THEN 'descending'
                    END
                    FROM weight AS w
                    WHERE w.ring = h.ring
                ), 'mixed')
        END AS shape
    FROM harvested AS h
    GROUP BY h.ring
)
SELECT * FROM total
ORDER BY vcpu IS NULL, vcpu;
