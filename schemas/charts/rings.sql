-- What each ring contributed. What the VMM's own log repeats is a class of its own, not counted here. The first to report a page in an iteration is told by the order of harvesting.
WITH
    entry AS (
        SELECT iteration, gfn, seq, coalesce('vCPU ' || vcpu, source) AS who
        FROM dirty
    ),
    first_of_ring AS (SELECT who, iteration, gfn, min(seq) AS seq FROM entry GROUP BY who, iteration, gfn),
    placed AS (SELECT who, row_number() OVER (PARTITION BY iteration, gfn ORDER BY seq) AS place FROM first_of_ring),
    found AS (
        SELECT who, sum(place = 1) AS first_reports, sum(place > 1 AND who <> 'vmm') AS cross_ring FROM placed GROUP BY who
    ),
    ring AS (
        SELECT coalesce('vCPU ' || vcpu, source) AS who, vcpu, source, sum(entry_count) AS entries,
            sum(cause = 'ring_full') AS ring_full, sum(CASE cause WHEN 'ring_full' THEN stall_ns ELSE 0 END) AS stall_ns
        FROM harvest GROUP BY 1
    )
SELECT
    ring.who AS who,
    ring.entries AS entries,
    ring.entries * 1.0 / sum(ring.entries) OVER () AS share,
    coalesce(found.first_reports, 0) AS first_reports,
    coalesce(found.cross_ring, 0) AS cross_ring,
    ring.ring_full AS ring_full,
    ring.stall_ns AS stall_ns
FROM ring LEFT JOIN found ON found.who = ring.who
ORDER BY ring.vcpu IS NULL, ring.vcpu, ring.source
LIMIT 512;
