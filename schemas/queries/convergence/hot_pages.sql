-- Pages worth sending last: dirty in at least a given part of the iterations, and what leaving them to the end saves
-- a migration with one round an iteration. One row; zeros until the recording has ended.
--
-- Parameters
--   percent  integer = 50. Part of the iterations in which such a page is dirty, in percent.
--
-- Columns
--   pages         Such pages.
--   bytes         The same in bytes.
--   records       How often they would be sent: iterations in which they were dirty, added up.
--   saved_bytes   Bytes saved by sending each of them once.
--   saved_share   Part of all bytes that such a migration would send after its first round, 0 to 1.
WITH hot(pages, records) AS (
    SELECT count(*), coalesce(sum(iterations), 0)
    FROM page_summary
    WHERE iterations * 100 >= (SELECT count(*) FROM iteration) * :percent
)
SELECT
    h.pages AS pages,
    h.pages * r.page_size AS bytes,
    h.records AS records,
    (h.records - h.pages) * r.page_size AS saved_bytes,
    (h.records - h.pages) * 1.0 / nullif((SELECT sum(unique_pages) FROM iteration_summary), 0) AS saved_share
FROM recording AS r
CROSS JOIN hot AS h;
