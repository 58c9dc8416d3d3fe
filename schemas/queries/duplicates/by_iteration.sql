-- Entries of each iteration by what they add, with the part that adds nothing. Empty until the recording has ended.
--
-- Columns
--   iteration        The iteration.
--   entries          All entries.
--   unique_pages     Distinct pages among them.
--   cross_ring       Entries whose page another ring had already reported.
--   same_ring        Entries whose page the same ring had already reported.
--   provisional      As same_ring, where the first report was the provisional entry of a full ring.
--   vmm              Entries of the VMM's own log whose page was already reported.
--   duplicate_ratio  Part of the entries that add nothing, 0 to 1; NULL without entries.
SELECT
    iteration,
    entries,
    unique_pages,
    cross_ring,
    same_ring,
    provisional,
    vmm,
    1 - unique_pages * 1.0 / nullif(entries, 0) AS duplicate_ratio
FROM iteration_summary
ORDER BY iteration;
