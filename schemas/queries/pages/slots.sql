-- Dirty pages of each memory slot. Pages and entries are 0 until the recording has ended.
--
-- Columns
--   slot          KVM slot id.
--   generation    Counts deletions and moves of this slot id, from 1.
--   name          What it holds.
--   logged        1 when dirty logging was on, else 0.
--   base_gfn      First guest frame number.
--   slot_pages    Pages of the slot.
--   dirty_pages   Pages that were ever dirty while a slot lay there.
--   dirty_share   Part of the slot's pages, 0 to 1.
--   entries       Entries that name them.
SELECT
    s.slot AS slot,
    s.generation AS generation,
    s.name AS name,
    s.logged AS logged,
    s.base_gfn AS base_gfn,
    s.pages AS slot_pages,
    count(p.gfn) AS dirty_pages,
    count(p.gfn) * 1.0 / nullif(s.pages, 0) AS dirty_share,
    coalesce(sum(p.entries), 0) AS entries
FROM memslot AS s
LEFT JOIN page_summary AS p ON p.gfn >= s.base_gfn AND p.gfn < s.base_gfn + s.pages
    AND p.last_ns >= s.created_ns AND (s.deleted_ns IS NULL OR p.first_ns <= s.deleted_ns)
GROUP BY s.address_space, s.slot, s.generation
ORDER BY s.address_space, s.slot, s.generation;
