-- KVM's own statistics over the recording. Empty when they were not recorded.
--
-- Columns
--   name   The kernel's name, such as pf_fixed.
--   vcpu   The vCPU; NULL for a statistic of the whole guest.
--   total  Increase over the recording.
--   per_s  Increase per second.
SELECT
    name,
    vcpu,
    sum(value) AS total,
    sum(value) * 1e9 / nullif((SELECT max(end_ns) - min(start_ns) FROM iteration), 0) AS per_s
FROM kvm_stat
GROUP BY name, vcpu
ORDER BY name, vcpu;
