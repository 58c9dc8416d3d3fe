-- What tracking in larger units would mark dirty over the whole recording.
WITH
    unit(bytes) AS (
        SELECT page_size FROM recording
        UNION ALL
        SELECT column1 FROM (VALUES (65536), (2097152), (1073741824)), recording WHERE column1 >= page_size
    )
SELECT
    u.bytes AS bytes,
    count(DISTINCT p.gfn / (u.bytes / r.page_size)) AS units,
    count(DISTINCT p.gfn / (u.bytes / r.page_size)) * (u.bytes / r.page_size) * 1.0
        / (SELECT count(*) FROM page_summary) AS amplification
FROM recording AS r, unit AS u, page_summary AS p
GROUP BY u.bytes
ORDER BY u.bytes;
