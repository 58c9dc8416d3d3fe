-- Every recording with its sums, the fastest dirtier first.
--
-- Parameters
--   bandwidth  bandwidth = 10Gbit/s. Bytes per second that a migration may send.
--
-- Columns
--   recording           Its id.
--   guest_kind          builtin, image, linux, attached, imported or synthetic.
--   guest               The guest in its own words.
--   kernel              Kernel release of the recording host.
--   source              Main source.
--   vcpus               Number of vCPUs.
--   seconds             Length of all iterations together.
--   iterations          Number of iterations.
--   entries             All entries.
--   pages               Distinct pages over the whole recording.
--   unique_pages        Distinct pages of each iteration, added up.
--   duplicate_share     Part of the entries that repeat a page of their iteration, 0 to 1.
--   unique_bytes_per_s  Distinct pages in bytes per second, an iteration at a time.
--   lambda              The same divided by the bandwidth; from 1 on the average-rate model diverges.
SELECT
    r.recording AS recording,
    r.guest_kind AS guest_kind,
    r.guest AS guest,
    r.kernel AS kernel,
    r.source AS source,
    r.vcpu_count AS vcpus,
    CAST(i.ns AS DOUBLE) / 1e9 AS seconds,
    i.iterations AS iterations,
    coalesce(s.entries, 0) AS entries,
    coalesce(p.pages, 0) AS pages,
    coalesce(s.unique_pages, 0) AS unique_pages,
    1 - CAST(s.unique_pages AS DOUBLE) / nullif(CAST(s.entries AS DOUBLE), CAST(0 AS DOUBLE)) AS duplicate_share,
    CAST(s.unique_pages * r.page_size AS DOUBLE) * 1e9 / nullif(CAST(i.ns AS DOUBLE), CAST(0 AS DOUBLE))
        AS unique_bytes_per_s,
    CAST(s.unique_pages * r.page_size AS DOUBLE) * 1e9 / nullif(CAST(i.ns AS DOUBLE), CAST(0 AS DOUBLE))
        / CAST(q.bandwidth AS DOUBLE) AS lambda
FROM recording AS r
CROSS JOIN parameters AS q
LEFT JOIN (
    SELECT recording, count(*) AS iterations, max(end_ns) - min(start_ns) AS ns
    FROM iteration
    GROUP BY recording
) AS i ON i.recording = r.recording
LEFT JOIN (
    SELECT
        recording,
        CAST(sum(entries) AS BIGINT) AS entries,
        CAST(sum(unique_pages) AS BIGINT) AS unique_pages
    FROM iteration_summary
    GROUP BY recording
) AS s ON s.recording = r.recording
LEFT JOIN (SELECT recording, count(*) AS pages FROM page_summary GROUP BY recording) AS p
    ON p.recording = r.recording
ORDER BY unique_bytes_per_s DESC NULLS LAST, recording;
