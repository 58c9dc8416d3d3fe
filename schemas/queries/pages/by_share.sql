-- How many pages are dirty how often: a small hot set, or everything evenly? Empty until the recording has ended.
--
-- Columns
--   share_from   Pages dirty in at least this part of the iterations, 0 to 1, in steps of a tenth.
--   pages        Distinct pages.
--   bytes        The same in bytes.
--   entries      Entries that name them.
--   entry_share  Part of all entries, 0 to 1.
SELECT
    p.iterations * 10 / i.count / 10.0 AS share_from,
    count(*) AS pages,
    count(*) * (SELECT page_size FROM recording) AS bytes,
    sum(p.entries) AS entries,
    sum(p.entries) * 1.0 / sum(sum(p.entries)) OVER () AS entry_share
FROM (SELECT count(*) AS count FROM iteration) AS i
CROSS JOIN page_summary AS p
GROUP BY p.iterations * 10 / i.count
ORDER BY share_from;
