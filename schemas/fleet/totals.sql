-- Entries counted one by one, beside the sums that the recorder wrote: they must agree. Reads every entry.
--
-- Columns
--   recording        Its id.
--   entries          Entries, counted.
--   pages            Distinct pages among them, counted.
--   unique_pages     Distinct pages of each iteration, counted and added up.
--   summed_entries   Entries as the iterations' summaries say.
--   summed_pages     Pages as page_summary says.
--   summed_unique    Distinct pages of each iteration as the summaries say.
WITH tick_page(recording, iteration, gfn, entries) AS (
    SELECT recording, iteration, gfn, count(*) FROM dirty GROUP BY recording, iteration, gfn
),
page(recording, gfn, iterations, entries) AS (
    SELECT recording, gfn, count(*), sum(entries) FROM tick_page GROUP BY recording, gfn
),
counted(recording, entries, pages, unique_pages) AS (
    SELECT recording, CAST(sum(entries) AS BIGINT), count(*), CAST(sum(iterations) AS BIGINT)
    FROM page
    GROUP BY recording
),
summed(recording, entries, unique_pages) AS (
    SELECT recording, CAST(sum(entries) AS BIGINT), CAST(sum(unique_pages) AS BIGINT)
    FROM iteration_summary
    GROUP BY recording
),
known(recording, pages) AS (
    SELECT recording, count(*) FROM page_summary GROUP BY recording
)
SELECT
    r.recording AS recording,
    coalesce(c.entries, 0) AS entries,
    coalesce(c.pages, 0) AS pages,
    coalesce(c.unique_pages, 0) AS unique_pages,
    coalesce(s.entries, 0) AS summed_entries,
    coalesce(k.pages, 0) AS summed_pages,
    coalesce(s.unique_pages, 0) AS summed_unique
FROM recording AS r
LEFT JOIN counted AS c ON c.recording = r.recording
LEFT JOIN summed AS s ON s.recording = r.recording
LEFT JOIN known AS k ON k.recording = r.recording
ORDER BY recording;
