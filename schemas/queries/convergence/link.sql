-- The dirty rate beside the bandwidth of a migration's link. One row; an exact replay is what `dirtyrec converge`
-- does. Rates are NULL until the recording has ended.
--
-- Parameters
--   bandwidth  bandwidth = 10Gbit/s. Bytes per second that the migration may send.
--   downtime   duration = 300ms. Longest pause at the end.
--
-- Columns
--   threshold_bytes      What fits into the pause: bandwidth x downtime.
--   iterations           Iterations of the recording.
--   mean_bytes_per_s     Distinct dirty bytes per second, over the whole recording.
--   p50_bytes_per_s      Median of the iterations.
--   p95_bytes_per_s      95th percentile of the iterations (nearest rank).
--   max_bytes_per_s      The fastest iteration.
--   iterations_above     Iterations that dirtied faster than the link sends.
--   share_above          Part of all iterations, 0 to 1.
--   iterations_fitting   Iterations whose distinct pages fit into the pause.
WITH rate(bytes, rate, place, n) AS (
    SELECT
        s.unique_pages * r.page_size,
        s.unique_pages * 1e9 * r.page_size / nullif(i.end_ns - i.start_ns, 0),
        row_number() OVER (ORDER BY s.unique_pages * 1e9 / nullif(i.end_ns - i.start_ns, 0)),
        count(*) OVER ()
    FROM recording AS r
    CROSS JOIN iteration AS i
    JOIN iteration_summary AS s ON s.iteration = i.id
)
SELECT
    CAST(:bandwidth * 1.0 * :downtime / 1e9 AS INTEGER) AS threshold_bytes,
    (SELECT count(*) FROM iteration) AS iterations,
    sum(bytes) * 1e9 / nullif((SELECT max(end_ns) - min(start_ns) FROM iteration), 0) AS mean_bytes_per_s,
    max(rate) FILTER (WHERE place = (n * 50 + 99) / 100) AS p50_bytes_per_s,
    max(rate) FILTER (WHERE place = (n * 95 + 99) / 100) AS p95_bytes_per_s,
    max(rate) AS max_bytes_per_s,
    count(*) FILTER (WHERE rate > :bandwidth) AS iterations_above,
    count(*) FILTER (WHERE rate > :bandwidth) * 1.0 / nullif(count(*), 0) AS share_above,
    count(*) FILTER (WHERE bytes <= :bandwidth * 1.0 * :downtime / 1e9) AS iterations_fitting
FROM rate;
