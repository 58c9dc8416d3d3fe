-- How the set of all pages dirtied so far grows. A flat end means that the guest writes to the same pages again and
-- again. Empty until the recording has ended.
--
-- Columns
--   iteration     The iteration.
--   end_s         Its end in seconds since the recording began.
--   unique_pages  Distinct pages of the iteration.
--   new_pages     Pages that no earlier iteration reported.
--   pages_so_far  Distinct pages of all iterations up to this one.
--   bytes_so_far  The same in bytes.
SELECT
    s.iteration AS iteration,
    (i.end_ns - r.start_ns) / 1e9 AS end_s,
    s.unique_pages AS unique_pages,
    s.new_pages AS new_pages,
    sum(s.new_pages) OVER so_far AS pages_so_far,
    sum(s.new_pages) OVER so_far * r.page_size AS bytes_so_far
FROM recording AS r
CROSS JOIN iteration_summary AS s
JOIN iteration AS i ON i.id = s.iteration
WINDOW so_far AS (ORDER BY s.iteration)
ORDER BY s.iteration;
