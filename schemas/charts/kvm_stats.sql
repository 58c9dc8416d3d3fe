-- KVM's own statistics: their increase over the recording, and the largest in one iteration.
SELECT
    name AS name,
    coalesce('vCPU ' || vcpu, 'VM') AS who,
    sum(value) AS total,
    max(value) AS largest
FROM kvm_stat
GROUP BY name, vcpu
HAVING sum(value) <> 0
ORDER BY name, vcpu
LIMIT 1000;
