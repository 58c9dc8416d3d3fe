-- Everything that may have made an entry disappear, the first 500.
SELECT
    l.iteration AS iteration,
    (l.ts_ns - r.start_ns) / 1e9 AS at_s,
    l.kind AS kind,
    l.vcpu AS vcpu,
    l.entries AS entries,
    l.detail AS detail
FROM recording AS r, loss AS l
ORDER BY l.rowid
LIMIT 500;
