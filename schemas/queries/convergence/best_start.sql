-- The calmest stretches of the recording: when a migration meets the lowest dirty rate. Stretches may overlap. Empty
-- until the recording has ended.
--
-- Parameters
--   ticks  integer = 10. Length of a stretch in iterations.
--   limit  integer = 5. How many stretches at most.
--
-- Columns
--   first_iteration  First iteration of the stretch.
--   start_s          Its start in seconds since the recording began.
--   seconds          Its length in seconds.
--   unique_pages     Distinct pages of each of its iterations, added up.
--   bytes_per_s      The same in bytes per second.
WITH course(iteration, start_ns, end_ns, before) AS (
    SELECT i.id, i.start_ns, i.end_ns, sum(s.unique_pages) OVER (ORDER BY i.id) - s.unique_pages
    FROM iteration AS i
    JOIN iteration_summary AS s ON s.iteration = i.id
)
SELECT
    a.iteration AS first_iteration,
    (a.start_ns - r.start_ns) / 1e9 AS start_s,
    (b.end_ns - a.start_ns) / 1e9 AS seconds,
    b.before + s.unique_pages - a.before AS unique_pages,
    (b.before + s.unique_pages - a.before) * 1e9 * r.page_size / nullif(b.end_ns - a.start_ns, 0) AS bytes_per_s
FROM recording AS r
CROSS JOIN course AS a
JOIN course AS b ON b.iteration = a.iteration + :ticks - 1
JOIN iteration_summary AS s ON s.iteration = b.iteration
ORDER BY bytes_per_s, first_iteration
LIMIT :limit;
