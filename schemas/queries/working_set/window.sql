-- Writable working set of one window of iterations: how many different pages the guest dirtied in it.
--
-- Parameters
--   ticks    integer = 10. Length of the window in iterations.
--   through  integer = none. Last iteration of the window; none is the recording's last one.
--
-- Columns
--   first_iteration  First iteration of the window.
--   last_iteration   Last iteration of the window.
--   seconds          Length of the window in seconds.
--   entries          Entries in the window.
--   pages            Distinct pages in the window.
--   bytes            The same in bytes.
WITH window(first, last) AS (
    SELECT max(w.last - :ticks + 1, 1), w.last
    FROM (SELECT coalesce(:through, (SELECT max(id) FROM iteration)) AS last) AS w
)
SELECT
    w.first AS first_iteration,
    w.last AS last_iteration,
    (
        (SELECT end_ns FROM iteration WHERE id = w.last) - (SELECT start_ns FROM iteration WHERE id = w.first)
    ) / 1e9 AS seconds,
    count(e.gfn) AS entries,
    count(DISTINCT e.gfn) AS pages,
    count(DISTINCT e.gfn) * (SELECT page_size FROM recording) AS bytes
FROM window AS w
LEFT JOIN harvest AS h ON h.iteration BETWEEN w.first AND w.last
LEFT JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1;
