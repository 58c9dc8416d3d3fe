-- What dirty pages held, iteration by iteration, of those that were looked at. Empty unless recorded with --content.
--
-- Columns
--   iteration     The iteration.
--   looked_at     Pages that were dirty in it and looked at.
--   zero          Of those, pages that held nothing but zeros.
--   unchanged     Pages that held what they had held before (silent writes).
--   words         8-byte words that had changed, on average over the pages of which that is known.
--   zstd_share    Bytes compressed by Zstandard at level 1, each page alone, divided by those of the pages.
--   xbzrle_share  Bytes in QEMU's XBZRLE encoding divided by those of the pages; a page not known before counts whole.
--   duplicates    Pages that hold what another of them holds, each content's first one left out.
SELECT
    iteration,
    count(*) AS looked_at,
    sum(zero) AS zero,
    sum(changed_words IS 0) AS unchanged,
    avg(changed_words) AS words,
    sum(zstd_bytes) * 1.0 / sum(page_size) AS zstd_share,
    sum(CASE WHEN changed_words IS 0 THEN 0 ELSE coalesce(xbzrle_bytes, page_size) END) * 1.0 / sum(page_size)
        AS xbzrle_share,
    count(*) - count(DISTINCT hash) AS duplicates
FROM page_content
CROSS JOIN recording
GROUP BY iteration
ORDER BY iteration;
