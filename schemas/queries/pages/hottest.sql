-- Pages dirty in the most iterations. Empty until the recording has ended.
--
-- Parameters
--   limit  integer = 20. How many pages at most.
--
-- Columns
--   gfn              Guest frame number.
--   gpa              Guest physical address of the page's first byte.
--   iterations       Iterations in which it was dirty.
--   share            Part of all iterations, 0 to 1.
--   entries          Entries that name it.
--   vcpu_count       vCPUs that reported it; 0 when only bitmaps or the VMM did.
--   first_iteration  First iteration in which it was dirty.
--   last_iteration   Last iteration in which it was dirty.
SELECT
    gfn,
    gfn * (SELECT page_size FROM recording) AS gpa,
    iterations,
    iterations * 1.0 / (SELECT count(*) FROM iteration) AS share,
    entries,
    vcpu_count,
    first_iteration,
    last_iteration
FROM page_summary
ORDER BY iterations DESC, entries DESC, gfn
LIMIT :limit;
