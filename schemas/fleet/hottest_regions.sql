-- The regions that each workload dirties most often, over all recordings of it.
--
-- Parameters
--   region  size = 2MiB. Bytes of a region, at least a page.
--   most    integer = 5. How many regions of each workload.
--
-- Columns
--   guest       The guest in its own words.
--   region_gpa  Guest physical address of the region's first byte.
--   recordings  Recordings in which it was dirtied.
--   pages       Distinct pages of it, added up over the recordings.
--   entries     Entries that name them.
--   share       Part of the workload's entries, 0 to 1.
WITH part(guest, recording, region_gpa, pages, entries) AS (
    SELECT
        r.guest,
        p.recording,
        CAST(floor(CAST(p.gfn * r.page_size AS DOUBLE) / CAST(q.region AS DOUBLE)) AS BIGINT) * q.region,
        count(*),
        sum(p.entries)
    FROM page_summary AS p
    JOIN recording AS r ON r.recording = p.recording
    CROSS JOIN parameters AS q
    GROUP BY
        r.guest,
        p.recording,
        CAST(floor(CAST(p.gfn * r.page_size AS DOUBLE) / CAST(q.region AS DOUBLE)) AS BIGINT) * q.region
),
summed(guest, region_gpa, recordings, pages, entries) AS (
    SELECT guest, region_gpa, count(*), CAST(sum(pages) AS BIGINT), CAST(sum(entries) AS BIGINT)
    FROM part
    GROUP BY guest, region_gpa
),
ranked(guest, region_gpa, recordings, pages, entries, place, all_entries) AS (
    SELECT
        guest,
        region_gpa,
        recordings,
        pages,
        entries,
        row_number() OVER (PARTITION BY guest ORDER BY entries DESC, region_gpa),
        CAST(sum(entries) OVER (PARTITION BY guest) AS BIGINT)
    FROM summed
)
SELECT
    h.guest AS guest,
    h.region_gpa AS region_gpa,
    h.recordings AS recordings,
    h.pages AS pages,
    h.entries AS entries,
    CAST(h.entries AS DOUBLE) / CAST(h.all_entries AS DOUBLE) AS share
FROM ranked AS h
CROSS JOIN parameters AS q
WHERE h.place <= q.most
ORDER BY guest, h.place;
