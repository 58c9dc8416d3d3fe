-- Regions of guest memory by how much they are dirtied. Empty until the recording has ended.
--
-- Parameters
--   bytes  size = 2MiB. Bytes in a region.
--   limit  integer = 20. How many regions at most.
--
-- Columns
--   first_gfn   First guest frame number of the region.
--   first_gpa   Guest physical address of its first byte.
--   pages       Distinct dirty pages.
--   entries     Entries that name them.
--   iterations  Most iterations in which one of them was dirty.
SELECT
    p.gfn / max(:bytes / r.page_size, 1) * max(:bytes / r.page_size, 1) AS first_gfn,
    p.gfn / max(:bytes / r.page_size, 1) * max(:bytes / r.page_size, 1) * r.page_size AS first_gpa,
    count(*) AS pages,
    sum(p.entries) AS entries,
    max(p.iterations) AS iterations
FROM recording AS r
CROSS JOIN page_summary AS p
GROUP BY p.gfn / max(:bytes / r.page_size, 1)
ORDER BY sum(p.entries) DESC, p.gfn
LIMIT :limit;
