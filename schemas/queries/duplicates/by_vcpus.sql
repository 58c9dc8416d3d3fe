-- Which vCPUs dirty pages together: pages of the whole recording by the set of vCPUs that reported them. Empty until
-- the recording has ended.
--
-- Columns
--   vcpu_mask   Bit n is set when vCPU n reported the pages; NULL when the recording has more than 63 vCPUs.
--   vcpu_count  Number of those vCPUs; 0 when only bitmaps or the VMM did.
--   pages       Distinct pages.
--   entries     Entries that name them.
--   share       Part of all entries, 0 to 1.
SELECT
    vcpu_mask,
    vcpu_count,
    count(*) AS pages,
    sum(entries) AS entries,
    sum(entries) * 1.0 / sum(sum(entries)) OVER () AS share
FROM page_summary
GROUP BY vcpu_mask, vcpu_count
ORDER BY sum(entries) DESC, vcpu_mask;
