-- Exits because the ring is full, at least, had rings another size: from the entries of each vCPU in each iteration
-- (docs/analysis.md). At the recorded size, those that were.
WITH RECURSIVE
    size(entries) AS (
        SELECT CASE WHEN pml THEN 1024 ELSE 256 END FROM recording
        UNION ALL
        SELECT entries * 2 FROM size WHERE entries < 65536
    ),
    ring AS (
        SELECT
            size.entries AS ring_entries, size.entries - 64 - CASE WHEN pml THEN 512 ELSE 0 END AS soft_limit,
            size.entries IS recording.ring_entries AS is_recorded
        FROM size, recording
    ),
    -- An entry that repeats a provisional one would not be there without the exit that it caused.
    entry AS (
        SELECT
            iteration, vcpu, lag(provisional, 1, 0) OVER (PARTITION BY iteration, vcpu, gfn ORDER BY seq) AS retried,
            row_number() OVER (PARTITION BY iteration, gfn ORDER BY seq) = 1 AS is_first
        FROM dirty
    ),
    fill AS (
        SELECT iteration, vcpu, count(*) - sum(retried) AS entries, sum(is_first) AS firsts
        FROM entry WHERE vcpu IS NOT NULL GROUP BY iteration, vcpu
    ),
    pass AS (
        SELECT
            iteration, vcpu, entry_count, cause = 'ring_full' AS is_full,
            row_number() OVER (PARTITION BY iteration, vcpu ORDER BY id) = 1 AS is_first
        FROM harvest WHERE vcpu IS NOT NULL
    ),
    exits AS (
        SELECT
            ring.ring_entries AS ring_entries,
            CASE
                WHEN ring.is_recorded THEN sum(pass.is_full)
                WHEN coalesce(fill.entries, 0) < ring.soft_limit THEN 0
                ELSE max(
                    fill.firsts / ring.soft_limit,
                    sum(max(0, pass.entry_count / ring.soft_limit - (NOT pass.is_first))))
            END AS least
        FROM ring
        CROSS JOIN pass
        LEFT JOIN fill ON fill.iteration = pass.iteration AND fill.vcpu = pass.vcpu
        GROUP BY ring.ring_entries, pass.iteration, pass.vcpu
    )
SELECT
    ring.ring_entries AS ring_entries,
    ring.soft_limit AS soft_limit,
    coalesce(sum(exits.least), 0) AS full_exits,
    coalesce(sum(exits.least > 0), 0) AS affected_intervals
FROM ring LEFT JOIN exits ON exits.ring_entries = ring.ring_entries
GROUP BY ring.ring_entries
ORDER BY ring.ring_entries;
