-- What dirty pages held, of those that were looked at (--content), were a snapshot taken at the end of every iteration.
-- Duplicates are those among the pages looked at: a part of all.
WITH
    looked AS (
        SELECT
            page_size, zero, changed_words IS 0 AS unchanged, zstd_bytes,
            CASE WHEN changed_words IS 0 THEN 0 ELSE coalesce(xbzrle_bytes, page_size) END AS xbzrle,
            row_number() OVER (PARTITION BY iteration, hash) > 1 AS again
        FROM page_content, recording
    ),
    summed AS MATERIALIZED (
        SELECT
            sum(page_size) AS whole, sum(zero * page_size) AS zeros, sum(unchanged * page_size) AS unchanged,
            sum(zstd_bytes) AS zstd, sum(xbzrle) AS xbzrle, sum(again * page_size) AS again
        FROM looked HAVING count(*) > 0
    ),
    kept(place, kept, bytes) AS (
        SELECT 1, 'as they are', whole FROM summed
        UNION ALL SELECT 2, 'without zero pages', whole - zeros FROM summed
        UNION ALL SELECT 3, 'without unchanged pages', whole - unchanged FROM summed
        UNION ALL SELECT 4, 'zstd', zstd FROM summed
        UNION ALL SELECT 5, 'XBZRLE', xbzrle FROM summed
        UNION ALL SELECT 6, 'deduplicated', whole - again FROM summed
    )
SELECT kept AS kept, bytes AS bytes, bytes * 1.0 / whole AS share
FROM kept, summed
ORDER BY place;
