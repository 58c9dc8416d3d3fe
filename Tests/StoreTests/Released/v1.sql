-- A recording of schema 1, as dirtyrec 0.2.0 made it. It is never changed: ReleasedTests read and complete it with every later version.
--   dirtyrec synth -o v1.db --vcpus 2 --workload zipf:size=64KiB,rate=1k/s --duration 300ms --label kernel=6.12
--   sqlite3 v1.db .dump
PRAGMA application_id = 1148347747;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE recording(
    id TEXT NOT NULL PRIMARY KEY,
    tool TEXT NOT NULL,
    command_line TEXT NOT NULL,
    guest_kind TEXT NOT NULL,
    guest TEXT NOT NULL,
    seed INTEGER,
    host TEXT NOT NULL,
    kernel TEXT NOT NULL,
    kvm_module TEXT NOT NULL,
    cpu TEXT NOT NULL,
    pml INTEGER,
    nested INTEGER,
    page_size INTEGER NOT NULL,
    vcpu_count INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    source TEXT NOT NULL,
    mode TEXT NOT NULL,
    ring_entries INTEGER,
    ring_soft_limit INTEGER,
    clear_chunk_pages INTEGER,
    initially_set INTEGER NOT NULL,
    interval_ns INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    wall_offset_ns INTEGER NOT NULL,
    end_ns INTEGER,
    end_reason TEXT,
    exact_times INTEGER NOT NULL DEFAULT 0,
    rows_through INTEGER NOT NULL DEFAULT 0,
    summarized INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO recording VALUES('cf544ccb35ff9126f85349b402e6957f','dirtyrec 0.2.0','dirtyrec synth -o v1.db --vcpus 2 --workload zipf:size=64KiB,rate=1k/s --duration 300ms --label kernel=6.12','synthetic','zipf:size=64KiB,rate=1k/s',1,'synthetic','synthetic','','synthetic',NULL,NULL,4096,2,2228224,'dirty-ring','paused',65536,65472,NULL,0,100000000,1000000000,0,1300000000,'duration',0,90,1);
CREATE TABLE capability(
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE label(
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO label VALUES('kernel','6.12');
CREATE TABLE vcpu(
    vcpu INTEGER PRIMARY KEY,
    harvests INTEGER NOT NULL DEFAULT 0,
    entries INTEGER NOT NULL DEFAULT 0,
    unique_pages INTEGER NOT NULL DEFAULT 0,
    ring_full INTEGER NOT NULL DEFAULT 0,
    stall_ns INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO vcpu VALUES(0,3,44,16,0,0);
INSERT INTO vcpu VALUES(1,3,46,16,0,0);
CREATE TABLE memslot(
    slot INTEGER NOT NULL,
    address_space INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    base_gfn INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    readonly INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    deleted_ns INTEGER,
    PRIMARY KEY (address_space, slot, generation)
) STRICT;
INSERT INTO memslot VALUES(0,0,1,0,512,0,0,'low',1000000000,NULL);
INSERT INTO memslot VALUES(1,0,1,1048576,32,1,0,'data',1000000000,NULL);
CREATE TABLE iteration(
    id INTEGER PRIMARY KEY,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    kick_ns INTEGER NOT NULL,
    pause_ns INTEGER NOT NULL,
    scan_ns INTEGER NOT NULL,
    get_ns INTEGER NOT NULL,
    clear_ns INTEGER NOT NULL,
    reset_ns INTEGER NOT NULL,
    resume_ns INTEGER NOT NULL,
    guest_progress INTEGER
) STRICT;
INSERT INTO iteration VALUES(1,1000000000,1100000000,0,0,0,0,0,0,0,200);
INSERT INTO iteration VALUES(2,1100000000,1200000000,0,0,0,0,0,0,0,400);
INSERT INTO iteration VALUES(3,1200000000,1300000000,0,0,0,0,0,0,0,600);
CREATE TABLE harvest(
    id INTEGER PRIMARY KEY,
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    source TEXT NOT NULL,
    vcpu INTEGER,
    cause TEXT NOT NULL,
    since_ns INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    entry_count INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    provisional_count INTEGER NOT NULL,
    scan_ns INTEGER NOT NULL,
    reset_ns INTEGER NOT NULL,
    stall_ns INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
INSERT INTO harvest VALUES(1,1,'dirty-ring',0,'paused',1000000000,1100000000,15,1,0,0,0,0,X'01008a8080010e04050d0a0f011e170809100303');
INSERT INTO harvest VALUES(2,1,'dirty-ring',1,'paused',1000000000,1100000000,15,16,0,0,0,0,X'0100b680800115080c0a1304091601040b0d0a06');
INSERT INTO harvest VALUES(3,2,'dirty-ring',0,'paused',1100000000,1200000000,15,31,0,0,0,0,X'0100968080010215010e040916170a0c0709100d');
INSERT INTO harvest VALUES(4,2,'dirty-ring',1,'paused',1100000000,1200000000,16,46,0,0,0,0,X'0100b680800101130812040111040914150e090606');
INSERT INTO harvest VALUES(5,3,'dirty-ring',0,'paused',1200000000,1300000000,14,62,0,0,0,0,X'01009a808001010f141b1e0b050207040c1101');
INSERT INTO harvest VALUES(6,3,'dirty-ring',1,'paused',1200000000,1300000000,15,76,0,0,0,0,X'0100aa808001010a111801070b0e0a020219100d');
CREATE TABLE dirty_entry(
    seq INTEGER PRIMARY KEY,
    gfn INTEGER NOT NULL
) STRICT;
INSERT INTO dirty_entry VALUES(1,1048581);
INSERT INTO dirty_entry VALUES(2,1048588);
INSERT INTO dirty_entry VALUES(3,1048590);
INSERT INTO dirty_entry VALUES(4,1048587);
INSERT INTO dirty_entry VALUES(5,1048580);
INSERT INTO dirty_entry VALUES(6,1048585);
INSERT INTO dirty_entry VALUES(7,1048577);
INSERT INTO dirty_entry VALUES(8,1048576);
INSERT INTO dirty_entry VALUES(9,1048591);
INSERT INTO dirty_entry VALUES(10,1048579);
INSERT INTO dirty_entry VALUES(11,1048583);
INSERT INTO dirty_entry VALUES(12,1048578);
INSERT INTO dirty_entry VALUES(13,1048586);
INSERT INTO dirty_entry VALUES(14,1048584);
INSERT INTO dirty_entry VALUES(15,1048582);
INSERT INTO dirty_entry VALUES(16,1048603);
INSERT INTO dirty_entry VALUES(17,1048592);
INSERT INTO dirty_entry VALUES(18,1048596);
INSERT INTO dirty_entry VALUES(19,1048602);
INSERT INTO dirty_entry VALUES(20,1048607);
INSERT INTO dirty_entry VALUES(21,1048597);
INSERT INTO dirty_entry VALUES(22,1048599);
INSERT INTO dirty_entry VALUES(23,1048594);
INSERT INTO dirty_entry VALUES(24,1048605);
INSERT INTO dirty_entry VALUES(25,1048604);
INSERT INTO dirty_entry VALUES(26,1048606);
INSERT INTO dirty_entry VALUES(27,1048600);
INSERT INTO dirty_entry VALUES(28,1048593);
INSERT INTO dirty_entry VALUES(29,1048598);
INSERT INTO dirty_entry VALUES(30,1048601);
INSERT INTO dirty_entry VALUES(31,1048587);
INSERT INTO dirty_entry VALUES(32,1048588);
INSERT INTO dirty_entry VALUES(33,1048577);
INSERT INTO dirty_entry VALUES(34,1048576);
INSERT INTO dirty_entry VALUES(35,1048583);
INSERT INTO dirty_entry VALUES(36,1048585);
INSERT INTO dirty_entry VALUES(37,1048580);
INSERT INTO dirty_entry VALUES(38,1048591);
INSERT INTO dirty_entry VALUES(39,1048579);
INSERT INTO dirty_entry VALUES(40,1048584);
INSERT INTO dirty_entry VALUES(41,1048590);
INSERT INTO dirty_entry VALUES(42,1048586);
INSERT INTO dirty_entry VALUES(43,1048581);
INSERT INTO dirty_entry VALUES(44,1048589);
INSERT INTO dirty_entry VALUES(45,1048582);
INSERT INTO dirty_entry VALUES(46,1048603);
INSERT INTO dirty_entry VALUES(47,1048602);
INSERT INTO dirty_entry VALUES(48,1048592);
INSERT INTO dirty_entry VALUES(49,1048596);
INSERT INTO dirty_entry VALUES(50,1048605);
INSERT INTO dirty_entry VALUES(51,1048607);
INSERT INTO dirty_entry VALUES(52,1048606);
INSERT INTO dirty_entry VALUES(53,1048597);
INSERT INTO dirty_entry VALUES(54,1048599);
INSERT INTO dirty_entry VALUES(55,1048594);
INSERT INTO dirty_entry VALUES(56,1048604);
INSERT INTO dirty_entry VALUES(57,1048593);
INSERT INTO dirty_entry VALUES(58,1048600);
INSERT INTO dirty_entry VALUES(59,1048595);
INSERT INTO dirty_entry VALUES(60,1048598);
INSERT INTO dirty_entry VALUES(61,1048601);
INSERT INTO dirty_entry VALUES(62,1048589);
INSERT INTO dirty_entry VALUES(63,1048588);
INSERT INTO dirty_entry VALUES(64,1048580);
INSERT INTO dirty_entry VALUES(65,1048590);
INSERT INTO dirty_entry VALUES(66,1048576);
INSERT INTO dirty_entry VALUES(67,1048591);
INSERT INTO dirty_entry VALUES(68,1048585);
INSERT INTO dirty_entry VALUES(69,1048582);
INSERT INTO dirty_entry VALUES(70,1048583);
INSERT INTO dirty_entry VALUES(71,1048579);
INSERT INTO dirty_entry VALUES(72,1048581);
INSERT INTO dirty_entry VALUES(73,1048587);
INSERT INTO dirty_entry VALUES(74,1048578);
INSERT INTO dirty_entry VALUES(75,1048577);
INSERT INTO dirty_entry VALUES(76,1048597);
INSERT INTO dirty_entry VALUES(77,1048596);
INSERT INTO dirty_entry VALUES(78,1048601);
INSERT INTO dirty_entry VALUES(79,1048592);
INSERT INTO dirty_entry VALUES(80,1048604);
INSERT INTO dirty_entry VALUES(81,1048603);
INSERT INTO dirty_entry VALUES(82,1048599);
INSERT INTO dirty_entry VALUES(83,1048593);
INSERT INTO dirty_entry VALUES(84,1048600);
INSERT INTO dirty_entry VALUES(85,1048605);
INSERT INTO dirty_entry VALUES(86,1048606);
INSERT INTO dirty_entry VALUES(87,1048607);
INSERT INTO dirty_entry VALUES(88,1048594);
INSERT INTO dirty_entry VALUES(89,1048602);
INSERT INTO dirty_entry VALUES(90,1048595);
CREATE TABLE entry_time(
    seq INTEGER PRIMARY KEY,
    ts_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE iteration_summary(
    iteration INTEGER PRIMARY KEY REFERENCES iteration(id),
    entries INTEGER NOT NULL,
    unique_pages INTEGER NOT NULL,
    new_pages INTEGER NOT NULL,
    cross_ring INTEGER NOT NULL,
    same_ring INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    vmm INTEGER NOT NULL
) STRICT;
INSERT INTO iteration_summary VALUES(1,30,30,30,0,0,0,0);
INSERT INTO iteration_summary VALUES(2,31,31,2,0,0,0,0);
INSERT INTO iteration_summary VALUES(3,29,29,0,0,0,0,0);
CREATE TABLE page_summary(
    gfn INTEGER PRIMARY KEY,
    entries INTEGER NOT NULL,
    iterations INTEGER NOT NULL,
    vcpu_count INTEGER NOT NULL,
    vcpu_mask INTEGER,
    first_iteration INTEGER NOT NULL,
    last_iteration INTEGER NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL
) STRICT;
INSERT INTO page_summary VALUES(1048576,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048577,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048578,2,2,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048579,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048580,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048581,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048582,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048583,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048584,2,2,1,1,1,2,1100000000,1200000000);
INSERT INTO page_summary VALUES(1048585,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048586,2,2,1,1,1,2,1100000000,1200000000);
INSERT INTO page_summary VALUES(1048587,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048588,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048589,2,2,1,1,2,3,1200000000,1300000000);
INSERT INTO page_summary VALUES(1048590,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048591,3,3,1,1,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048592,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048593,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048594,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048595,2,2,1,2,2,3,1200000000,1300000000);
INSERT INTO page_summary VALUES(1048596,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048597,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048598,2,2,1,2,1,2,1100000000,1200000000);
INSERT INTO page_summary VALUES(1048599,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048600,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048601,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048602,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048603,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048604,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048605,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048606,3,3,1,2,1,3,1100000000,1300000000);
INSERT INTO page_summary VALUES(1048607,3,3,1,2,1,3,1100000000,1300000000);
CREATE TABLE kvm_stat(
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    vcpu INTEGER,
    name TEXT NOT NULL,
    value INTEGER NOT NULL
) STRICT;
CREATE TABLE stop_latency(
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    vcpu INTEGER NOT NULL,
    latency_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE loss(
    iteration INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    vcpu INTEGER,
    entries INTEGER,
    detail TEXT NOT NULL
) STRICT;
CREATE TABLE watch_event(
    iteration INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    vcpu INTEGER NOT NULL,
    gpa INTEGER NOT NULL,
    old_value BLOB NOT NULL,
    new_value BLOB NOT NULL,
    rip INTEGER NOT NULL
) STRICT;
CREATE TABLE marker(
    ts_ns INTEGER NOT NULL,
    iteration INTEGER NOT NULL,
    vcpu INTEGER,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE foreign_rate(
    tool TEXT NOT NULL,
    vcpu INTEGER,
    since_ns INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    bytes_per_second INTEGER NOT NULL,
    quantum INTEGER NOT NULL
) STRICT;
CREATE TABLE oracle_verdict(
    iteration INTEGER NOT NULL REFERENCES iteration(id),
    oracle TEXT NOT NULL,
    expected INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    unexplained INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    first_read INTEGER NOT NULL,
    initially_set INTEGER NOT NULL,
    page_table INTEGER NOT NULL,
    silent INTEGER NOT NULL
) STRICT;
CREATE TABLE schema_migration(
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_wall_ns INTEGER NOT NULL,
    tool TEXT NOT NULL
) STRICT;
INSERT INTO schema_migration VALUES(1,'tables',1795878444684894208,'dirtyrec 0.2.0');
CREATE INDEX harvest_iteration ON harvest(iteration);
CREATE INDEX harvest_vcpu ON harvest(vcpu);
CREATE INDEX harvest_ts_ns ON harvest(ts_ns);
CREATE INDEX harvest_first_seq ON harvest(first_seq);
CREATE VIEW dirty AS
SELECT
    e.seq AS seq,
    h.iteration AS iteration,
    h.source AS source,
    h.vcpu AS vcpu,
    h.since_ns AS since_ns,
    h.ts_ns AS ts_ns,
    (
        SELECT s.slot FROM memslot AS s
        WHERE e.gfn >= s.base_gfn AND e.gfn < s.base_gfn + s.pages
            AND s.created_ns <= h.ts_ns AND (s.deleted_ns IS NULL OR s.deleted_ns >= h.ts_ns)
        ORDER BY s.address_space, s.generation DESC LIMIT 1
    ) AS slot,
    e.gfn AS gfn,
    e.gfn * (SELECT page_size FROM recording) AS gpa,
    e.seq >= h.first_seq + h.entry_count - h.provisional_count AS provisional
FROM harvest AS h
CROSS JOIN dirty_entry AS e ON e.seq BETWEEN h.first_seq AND h.first_seq + h.entry_count - 1;
CREATE VIEW iteration_rate AS
SELECT
    i.id AS iteration,
    (i.start_ns - r.start_ns) / 1e9 AS start_s,
    (i.end_ns - i.start_ns) / 1e9 AS seconds,
    coalesce(h.entries, 0) AS entries,
    s.unique_pages AS unique_pages,
    s.new_pages AS new_pages,
    coalesce(h.entries, 0) * 1e9 / nullif(i.end_ns - i.start_ns, 0) AS entries_per_s,
    s.unique_pages * 1e9 / nullif(i.end_ns - i.start_ns, 0) AS unique_pages_per_s,
    s.unique_pages * 1e9 * r.page_size / nullif(i.end_ns - i.start_ns, 0) AS unique_bytes_per_s
FROM recording AS r
CROSS JOIN iteration AS i
LEFT JOIN (SELECT iteration, sum(entry_count) AS entries FROM harvest GROUP BY iteration) AS h ON h.iteration = i.id
LEFT JOIN iteration_summary AS s ON s.iteration = i.id;
CREATE VIEW vcpu_rate AS
SELECT
    h.iteration AS iteration,
    h.vcpu AS vcpu,
    sum(h.entry_count) AS entries,
    sum(h.entry_count) * 1e9 / nullif(i.end_ns - i.start_ns, 0) AS entries_per_s,
    sum(h.cause = 'ring_full') AS ring_full,
    sum(h.stall_ns) AS stall_ns
FROM harvest AS h
JOIN iteration AS i ON i.id = h.iteration
WHERE h.vcpu IS NOT NULL
GROUP BY h.iteration, h.vcpu;
CREATE VIEW ring_full AS
SELECT
    h.id AS harvest,
    h.iteration AS iteration,
    h.vcpu AS vcpu,
    (h.ts_ns - r.start_ns) / 1e9 AS at_s,
    h.entry_count AS entry_count,
    h.scan_ns AS scan_ns,
    h.reset_ns AS reset_ns,
    h.stall_ns AS stall_ns
FROM recording AS r
CROSS JOIN harvest AS h
WHERE h.cause = 'ring_full';
CREATE VIEW top_pages AS
SELECT
    p.gfn AS gfn,
    p.gfn * r.page_size AS gpa,
    p.entries AS entries,
    p.iterations AS iterations,
    p.iterations * 1.0 / nullif((SELECT count(*) FROM iteration), 0) AS share,
    p.vcpu_count AS vcpu_count,
    (p.first_ns - r.start_ns) / 1e9 AS first_s,
    (p.last_ns - r.start_ns) / 1e9 AS last_s
FROM recording AS r
CROSS JOIN page_summary AS p
ORDER BY p.entries DESC, p.gfn;
CREATE VIEW shared_pages AS
SELECT
    p.gfn AS gfn,
    p.gfn * (SELECT page_size FROM recording) AS gpa,
    p.vcpu_count AS vcpu_count,
    p.vcpu_mask AS vcpu_mask,
    p.entries AS entries,
    p.iterations AS iterations
FROM page_summary AS p
WHERE p.vcpu_count > 1
ORDER BY p.entries DESC, p.gfn;
COMMIT;
