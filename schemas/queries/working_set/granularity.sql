-- What tracking in larger units would cost: every unit with a dirty page counts as a whole. Units smaller than the
-- page are left out. Zero units until the recording has ended.
--
-- Columns
--   unit_bytes     Bytes in a unit.
--   units          Units with at least one dirty page.
--   bytes          Their bytes.
--   amplification  Their bytes divided by those of the dirty pages themselves; NULL when there are none.
WITH RECURSIVE
size(unit_bytes, factor) AS (
    SELECT s.column1, s.column1 / r.page_size
    FROM (VALUES (4096), (65536), (2097152), (1073741824)) AS s
    CROSS JOIN recording AS r
    WHERE s.column1 >= r.page_size
),
-- From the first page of a unit straight to the first page beyond it: one search a unit, however many pages it has.
unit(factor, first) AS (
    SELECT s.factor, (SELECT min(gfn) FROM page_summary) FROM size AS s
    UNION ALL
    SELECT u.factor, (SELECT min(p.gfn) FROM page_summary AS p WHERE p.gfn >= (u.first / u.factor + 1) * u.factor)
    FROM unit AS u
    WHERE u.first IS NOT NULL AND u.factor > 1
)
SELECT
    s.unit_bytes AS unit_bytes,
    c.units AS units,
    c.units * s.unit_bytes AS bytes,
    c.units * s.factor * 1.0 / nullif((SELECT count(*) FROM page_summary), 0) AS amplification
FROM size AS s
JOIN (
    SELECT u.factor AS factor, CASE u.factor WHEN 1 THEN (SELECT count(*) FROM page_summary) ELSE count(u.first) END
        AS units
    FROM unit AS u
    GROUP BY u.factor
) AS c ON c.factor = s.factor
ORDER BY s.unit_bytes;
