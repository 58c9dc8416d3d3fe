-- What other tools saw of the guest's migrations, pass by pass: the first and the last sight of each. Only recordings
-- with a migration's log have rows. What a pass sent and dirtied is bracketed in `dirtyrec report`.
--
-- Columns
--   attempt            Number of the migration.
--   pass               Pass over memory, from 1; NULL where the tool counts none.
--   observations       How often it was seen.
--   first_s            First sight, in seconds since the migration began; NULL where the tool tells no time.
--   last_s             Last sight.
--   first_transferred  Bytes sent at its first sight.
--   last_transferred   Bytes sent at its last.
--   first_remaining    Bytes left at its first sight: dirty when it began, but for what had been sent since.
--   last_remaining     Bytes left at its last.
--   dirty_bytes_per_s  The most that the tool said of the guest's dirty rate.
--   throttle_percent   The most that auto-converge kept the guest from running.
SELECT
    attempt AS attempt,
    pass AS pass,
    count(*) AS observations,
    min(elapsed_ns) / 1e9 AS first_s,
    max(elapsed_ns) / 1e9 AS last_s,
    min(transferred_bytes) AS first_transferred,
    max(transferred_bytes) AS last_transferred,
    max(remaining_bytes) AS first_remaining,
    min(remaining_bytes) AS last_remaining,
    max(dirty_bytes_per_second) AS dirty_bytes_per_s,
    max(throttle_percent) AS throttle_percent
FROM migration
WHERE transferred_bytes IS NOT NULL OR remaining_bytes IS NOT NULL
GROUP BY attempt, pass
ORDER BY attempt, pass;
