-- Entries of the whole recording by what they add: entries = unique_pages + cross_ring + same_ring + provisional +
-- vmm. One row; NULL until the recording has ended.
--
-- Columns
--   entries          All entries.
--   unique_pages     Distinct pages of each iteration, added up.
--   cross_ring       Entries whose page another ring had already reported in the iteration.
--   same_ring        Entries whose page the same ring had already reported in the iteration.
--   provisional      As same_ring, where the first report was the provisional entry of a full ring.
--   vmm              Entries of the VMM's own log whose page was already reported in the iteration.
--   duplicate_ratio  Part of the entries that add nothing, 0 to 1: 1 - unique_pages / entries.
SELECT
    sum(entries) AS entries,
    sum(unique_pages) AS unique_pages,
    sum(cross_ring) AS cross_ring,
    sum(same_ring) AS same_ring,
    sum(provisional) AS provisional,
    sum(vmm) AS vmm,
    1 - sum(unique_pages) * 1.0 / nullif(sum(entries), 0) AS duplicate_ratio
FROM iteration_summary;
