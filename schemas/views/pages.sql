-- Pages, the most often dirtied first. Empty until the recording has ended.
--
-- Columns
--   gfn         Guest frame number.
--   gpa         Guest physical address of the page's first byte.
--   entries     Entries that name the page.
--   iterations  Iterations in which it was dirty.
--   share       Part of all iterations in which it was dirty, 0 to 1.
--   vcpu_count  vCPUs that reported it.
--   first_s     When it was first harvested, in seconds since the recording began.
--   last_s      When it was last harvested, in seconds since the recording began.
CREATE VIEW top_pages AS
SELECT
    p.gfn AS gfn,
    p.gfn * r.page_size AS gpa,
    p.entries AS entries,
    p.iterations AS iterations,
    p.iterations * 1.0 / nullif((SELECT count(*) FROM iteration), 0) AS share,
    p.vcpu_count AS vcpu_count,
    (p.first_ns - r.start_ns) / 1e9 AS first_s,
    (p.last_ns - r.start_ns) / 1e9 AS last_s
FROM recording AS r
CROSS JOIN page_summary AS p
ORDER BY p.entries DESC, p.gfn;

-- Pages that more than one vCPU dirtied, the most often dirtied first. Empty until the recording has ended.
--
-- Columns
--   gfn         Guest frame number.
--   gpa         Guest physical address of the page's first byte.
--   vcpu_count  vCPUs that reported it; at least 2.
--   vcpu_mask   Bit n is set when vCPU n reported it; NULL when the recording has more than 63 vCPUs.
--   entries     Entries that name the page.
--   iterations  Iterations in which it was dirty.
CREATE VIEW shared_pages AS
SELECT
    p.gfn AS gfn,
    p.gfn * (SELECT page_size FROM recording) AS gpa,
    p.vcpu_count AS vcpu_count,
    p.vcpu_mask AS vcpu_mask,
    p.entries AS entries,
    p.iterations AS iterations
FROM page_summary AS p
WHERE p.vcpu_count > 1
ORDER BY p.entries DESC, p.gfn;
