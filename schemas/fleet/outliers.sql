-- Recordings that lie far from the others: above the third quartile by more than 1.5 times the distance between the
-- quartiles (Tukey 1977), or below the first by as much. Quartiles are nearest ranks.
--
-- Columns
--   figure     unique_bytes_per_s, pages, duplicate_share or longest_pause_ns.
--   recording  The recording.
--   guest      The guest in its own words.
--   value      Its value.
--   low        Values below this are outliers.
--   high       Values above this are outliers.
WITH pause(recording, ns, longest) AS (
    SELECT recording, max(end_ns) - min(start_ns), max(pause_ns) FROM iteration GROUP BY recording
),
amount(recording, entries, unique_pages) AS (
    SELECT recording, sum(entries), sum(unique_pages) FROM iteration_summary GROUP BY recording
),
value(figure, recording, amount) AS (
    SELECT
        'unique_bytes_per_s',
        r.recording,
        CAST(a.unique_pages * r.page_size AS DOUBLE) * 1e9 / CAST(i.ns AS DOUBLE)
    FROM recording AS r
    JOIN amount AS a ON a.recording = r.recording
    JOIN pause AS i ON i.recording = r.recording AND i.ns > 0
    UNION ALL
    SELECT 'pages', recording, CAST(count(*) AS DOUBLE) FROM page_summary GROUP BY recording
    UNION ALL
    SELECT 'duplicate_share', recording, 1 - CAST(unique_pages AS DOUBLE) / CAST(entries AS DOUBLE)
    FROM amount
    WHERE entries > 0
    UNION ALL
    SELECT 'longest_pause_ns', recording, CAST(longest AS DOUBLE) FROM pause WHERE longest > 0
),
ranked(figure, recording, amount, place, recordings) AS (
    SELECT
        figure,
        recording,
        amount,
        row_number() OVER (PARTITION BY figure ORDER BY amount, recording),
        count(*) OVER (PARTITION BY figure)
    FROM value
),
quartile(figure, low, high) AS (
    SELECT
        figure,
        min(CASE WHEN place * 4 >= recordings THEN amount END),
        min(CASE WHEN place * 4 >= recordings * 3 THEN amount END)
    FROM ranked
    GROUP BY figure
),
fence(figure, low, high) AS (
    SELECT
        figure,
        low - CAST(1.5 AS DOUBLE) * (high - low),
        high + CAST(1.5 AS DOUBLE) * (high - low)
    FROM quartile
)
SELECT
    v.figure AS figure,
    v.recording AS recording,
    r.guest AS guest,
    v.amount AS value,
    f.low AS low,
    f.high AS high
FROM value AS v
JOIN fence AS f ON f.figure = v.figure
JOIN recording AS r ON r.recording = v.recording
WHERE v.amount < f.low OR v.amount > f.high
ORDER BY figure, value DESC, recording;
