-- Exits because the ring is full, had rings another size: from the entries of each vCPU in each iteration.
WITH RECURSIVE
    size(entries) AS (
        SELECT CASE WHEN pml THEN 1024 ELSE 256 END FROM recording
        UNION ALL
        SELECT entries * 2 FROM size WHERE entries < 65536
    ),
    ring AS (
        SELECT size.entries AS ring_entries, size.entries - 64 - CASE WHEN pml THEN 512 ELSE 0 END AS soft_limit
        FROM size, recording
    ),
    -- An entry that repeats a provisional one would not be there without the exit that it caused.
    entry AS (
        SELECT iteration, vcpu, lag(provisional, 1, 0) OVER (PARTITION BY iteration, vcpu, gfn ORDER BY seq) AS retried
        FROM dirty WHERE vcpu IS NOT NULL
    ),
    fill AS (SELECT iteration, vcpu, count(*) - sum(retried) AS entries FROM entry GROUP BY iteration, vcpu)
SELECT
    ring.ring_entries AS ring_entries,
    ring.soft_limit AS soft_limit,
    coalesce(sum(fill.entries / ring.soft_limit), 0) AS full_exits,
    coalesce(sum(fill.entries >= ring.soft_limit), 0) AS affected_intervals
FROM ring LEFT JOIN fill
GROUP BY ring.ring_entries
ORDER BY ring.ring_entries;
