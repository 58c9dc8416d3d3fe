-- Page sharing: pages that both vCPUs dirtied in one iteration, summed over iterations.
WITH
    seen AS MATERIALIZED (SELECT DISTINCT iteration, gfn, vcpu FROM dirty WHERE vcpu IS NOT NULL)
SELECT a.vcpu AS first_vcpu, b.vcpu AS second_vcpu, count(*) AS pages
FROM seen AS a
JOIN seen AS b ON b.iteration = a.iteration AND b.gfn = a.gfn AND b.vcpu > a.vcpu
GROUP BY a.vcpu, b.vcpu
ORDER BY pages DESC, first_vcpu, second_vcpu
LIMIT 1024;
