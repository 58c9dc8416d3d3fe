"""Called by scripts/test-fleet: [quick]. Every check says what it expected; the first one that fails ends the test."""
import csv, fcntl, json, math, os, pathlib, random, shutil, signal, socket, sqlite3, subprocess, sys, tempfile, time, urllib.request

repo = pathlib.Path(__file__).resolve().parent.parent.parent
TOOL = pathlib.Path(os.environ.get("DIRTYREC", repo / ".build/release/dirtyrec")).resolve()
QUICK = "quick" in sys.argv
QUERIES = sorted(path.stem for path in (repo / "schemas/fleet").glob("*.sql"))
checks = 0


def check(condition, text):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"scripts/test-fleet: FAILED: {text}")


def run(*arguments, status=0, timeout=1800, **options):
    done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, **options)
    check(done.returncode == status, f"dirtyrec {' '.join(map(str, arguments))}: exit status {done.returncode}, not {status}: "
          + done.stdout[-500:] + done.stderr[-1500:])
    return done


def synth(path, workload, *options):
    if not path.exists():
        run("synth", "-o", path, "--workload", workload, *options)
    return path


def change(source, path, *statements):
    """A copy with other contents."""
    shutil.copy(source, path)
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
    db.close()
    return path


def ask(fleet, *queries, options=(), timeout=1800):
    """Tables of named queries in CSV, by name."""
    arguments = [word for query in queries for word in ("--query", query)]
    text = run("fleet", fleet, *arguments, "--format", "csv", *options, timeout=timeout).stdout
    return text


def rows(fleet, query, *options):
    return list(csv.DictReader(ask(fleet, query, options=options).splitlines()))


def partition(fleet, path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return fleet / f"recording={db.execute('SELECT id FROM recording').fetchone()[0]}"


def small(folder):
    """A few recordings of every sort."""
    made = [synth(folder / "zipf.db", "zipf:size=8MiB,rate=40k/s,region=shared", "--vcpus", 4, "--duration", "2s", "--label", "kernel=6.1"),
            synth(folder / "zipf2.db", "zipf:size=8MiB,rate=40k/s,region=shared", "--vcpus", 4, "--duration", "3s", "--label", "kernel=6.12"),
            synth(folder / "norows.db", "random:size=16MiB,rate=30k/s", "--vcpus", 2, "--duration", "2s", "--no-rows"),
            synth(folder / "idle.db", "idle", "--duration", "1s"),
            synth(folder / "shared.db", "shared:size=4MiB,rate=50k/s", "--vcpus", 3, "--duration", "2s"),
            synth(folder / "full.db", "random:size=512MiB,rate=900k/s", "--duration", "200ms", "--interval", "200ms")]
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and os.environ.get("DIRTYREC_HOST") != "nested":
        for number, source in enumerate(["dirty-ring", "clear-log"]):
            path = folder / f"real{number}.db"
            if not path.exists():
                run("record", "-o", path, "--vcpus", 2, "--workload", "zipf:size=8MiB,rate=30k/s", "--duration", "1s",
                    "--source", source, "--label", "real=yes")
            made.append(path)
    else:
        print("scripts/test-fleet: no recording is real: there is no /dev/kvm.", file=sys.stderr)
    return made


def test_synth(folder):
    one = folder / "zipf.db"
    again = synth(folder / "again.db", "zipf:size=8MiB,rate=40k/s,region=shared", "--vcpus", 4, "--duration", "2s", "--label", "kernel=6.1")
    for path in (one, again, folder / "full.db", folder / "norows.db"):
        run("verify", path)
    def content(path):
        with sqlite3.connect(path) as db:
            return db.execute("SELECT id, guest_kind, host FROM recording").fetchall() + db.execute(
                "SELECT iteration, vcpu, cause, ts_ns, entries FROM harvest ORDER BY id").fetchall()
    check(content(one) == content(again), "the same arguments give the same synthetic recording")
    check(content(one)[0][1:] == ("synthetic", "synthetic"), "a synthetic recording says so")
    with sqlite3.connect(folder / "shared.db") as db:
        check(db.execute("SELECT sum(cross_ring) FROM iteration_summary").fetchone()[0] > 0, "vCPUs that share pages race")
    with sqlite3.connect(folder / "full.db") as db:
        full = db.execute("SELECT count(*), min(entry_count) FROM harvest WHERE cause = 'ring_full'").fetchone()
        check(full[0] > 0 and full[1] == 65472, f"full rings are harvested at their limit, not {full}")
    message = run("synth", "-o", folder / "x.db", "--workload", "dma", status=2).stderr
    check("no model" in message and not (folder / "x.db").exists(), f"dma is refused: {message}")


def test_broken_sources(folder, good):
    """What cannot be exported is said and skipped; the others arrive."""
    fleet = folder / "broken-fleet"
    base = folder / "zipf.db"
    broken = {}
    broken["cut.db"] = (change(base, folder / "cut.db", "UPDATE recording SET end_ns = NULL, end_reason = NULL, id = hex(zeroblob(16))"), "not complete")
    live = change(base, folder / "live.db", "UPDATE recording SET end_ns = NULL, end_reason = NULL")
    broken["live.db"] = (live, "in use")
    short = folder / "short.db"
    short.write_bytes(base.read_bytes()[:300_000])
    broken["short.db"] = (short, "damaged")
    text = folder / "text.db"
    text.write_text("not a database")
    broken["text.db"] = (text, "not an SQLite database")
    broken["segment.db"] = (change(base, folder / "segment.db", "UPDATE harvest SET entries = zeroblob(length(entries)) WHERE id = 5"), "corrupt")
    broken["page.db"] = (change(base, folder / "page.db", "UPDATE dirty_entry SET gfn = gfn + 1 WHERE seq = 77"), "name other pages")
    broken["row.db"] = (change(base, folder / "row.db", "DELETE FROM dirty_entry WHERE seq = 78"), "rows, but")
    broken["id.db"] = (change(base, folder / "id.db", "UPDATE recording SET id = '../../../../tmp/escaped-from-fleet'"), "32 hexadecimal digits")
    broken["text-vcpu.db"] = (change(base, folder / "text-vcpu.db", "PRAGMA writable_schema = ON",
                              "UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = 'kvm_stat'",
                              "PRAGMA writable_schema = RESET",
                              "INSERT INTO kvm_stat VALUES (1, NULL, 'x', 'no number')"), "cannot be exported")
    for name in ("segment", "page", "row", "text-vcpu"):
        # They have the id of `base`: others, so that what arrives is known.
        with sqlite3.connect(folder / f"{name}.db") as db:
            db.execute("UPDATE recording SET id = ?", (f"{abs(hash(name)):032x}"[-32:],))
        db.close()
    with open(live, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run("export", "--parquet", fleet, *[path for path, _ in broken.values()], *good, good[0], status=1)
    for name, (path, words) in broken.items():
        lines = [line for line in done.stderr.splitlines() if name in line]
        check(len(lines) == 1 and words in lines[0], f"{name} is skipped with '{words}': {lines}: {done.stderr}")
    check("same recording" in done.stderr, "a recording that is named twice is exported once")
    there = {path.name for path in fleet.iterdir()}
    check(there == {".lock"} | {partition(fleet, path).name for path in good}, f"just the good ones arrive: {there}")
    check(not pathlib.Path("/tmp/escaped-from-fleet").exists(), "an id does not become a path")
    message = run("export", "--parquet", folder / "star*", good[0], status=4).stderr
    check("character" in message, f"a folder that would be a pattern is refused: {message}")
    # A second export into the folder is refused, and leaves alone what the first one is making.
    (fleet / ".staging/abc").mkdir(parents=True)
    with open(fleet / ".lock") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        message = run("export", "--parquet", fleet, good[0], status=4).stderr
    check("Another export works" in message and (fleet / ".staging/abc").exists(), f"one export at a time: {message}")
    # A file from the future.
    future = change(good[0], folder / "future.db", "UPDATE recording SET id = 'f' || substr(id, 2)")
    os.utime(future, (10_413_792_000, 10_413_792_000))
    run("export", "--parquet", fleet, future)
    without = run("export", "--parquet", fleet, "--force", good[0], status=3,
                  env={**os.environ, "DIRTYREC_PYTHON": shutil.which("python3", path="/usr/bin") or sys.base_prefix + "/bin/python3"})
    check("Python lacks DuckDB" in without.stderr, f"a lack is said: {without.stderr}")
    shutil.rmtree(fleet)


def test_export(folder, good):
    fleet = folder / "fleet"
    before = {path: path.read_bytes() for path in good}
    run("export", "--parquet", fleet, "--jobs", 2, *good)
    check(before == {path: path.read_bytes() for path in good}, "sources are not changed")
    check("Exported 0 recordings" in run("export", "--parquet", fleet, *good).stdout, "what is there already is left alone")
    place = partition(fleet, good[0])
    inode = place.stat().st_ino
    (place / "leftover").touch()
    run("export", "--parquet", fleet, "--force", good[0])
    check(place.stat().st_ino != inode and not (place / "leftover").exists(), "a recording is replaced as a whole")
    # A page is made when it is asked for, and does no harm when it is not.
    check("Exported 1 recording" in run("export", "--parquet", fleet, "--pages", good[0]).stdout, "a page is added")
    check("Exported 0 recordings" in run("export", "--parquet", fleet, good[0]).stdout, "a page too many serves")
    check((place / "report.html").exists(), "the page stays")
    os.utime(good[0])
    check("Exported 1 recording" in run("export", "--parquet", fleet, good[0]).stdout, "a changed file is exported again")
    # A link to a recording without plain rows: what is expanded is a copy of the file, not of the link.
    linked = folder / "linked"
    linked.mkdir()
    source = next(path for path in good if path.name == "norows.db")
    (linked / "link.db").symlink_to(source)
    content = source.read_bytes()
    shutil.rmtree(partition(fleet, source))
    run("export", "--parquet", fleet, linked / "link.db")
    check(source.read_bytes() == content, "what a link leads to is not changed")
    # Killed in the middle: the next run completes it, and nothing is half there.
    shutil.rmtree(fleet)
    process = subprocess.Popen([TOOL, "export", "--parquet", fleet, "--jobs", "1", *good], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len([p for p in fleet.glob("recording=*")]) < 2:
        time.sleep(0.01)
        check(process.poll() is None or process.returncode == 0, "the export runs")
    process.kill()
    process.wait()
    for there in fleet.glob("recording=*"):
        check((there / "dirty.parquet").exists() and (there / "export.json").exists(), f"{there.name} is whole after a kill")
    run("export", "--parquet", fleet, *good)
    check({p.name for p in fleet.iterdir()} == {".lock"} | {partition(fleet, path).name for path in good}, "a second run completes it")
    return fleet


def test_answers(fleet, good):
    """The native analyzer, SQLite and the fleet queries agree."""
    totals = {row["recording"]: row for row in rows(fleet, "totals")}
    overview = {row["recording"]: row for row in rows(fleet, "overview")}
    check(len(totals) == len(overview) == len(good), "every recording has a row")
    for path in good:
        id = partition(fleet, path).name.removeprefix("recording=")
        report = json.loads(run("report", path, "--json").stdout)
        row = totals[id]
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            stored = db.execute("SELECT coalesce(sum(entries), 0), (SELECT count(*) FROM page_summary), coalesce(sum(unique_pages), 0) "
                                "FROM iteration_summary").fetchone()
        check((int(row["entries"]), int(row["pages"]), int(row["unique_pages"])) == stored == tuple(
            int(row[name]) for name in ("summed_entries", "summed_pages", "summed_unique")), f"{path.name}: counted {row}, stored {stored}")
        check(native_sums(report) == stored, f"{path.name}: the analyzer says {native_sums(report)}, the fleet {stored}")
        check(int(overview[id]["entries"]) == stored[0] and int(overview[id]["pages"]) == stored[1], f"{path.name}: overview")
    duplicates = rows(fleet, "duplicates_by_vcpus")
    check(sum(int(r["entries"]) for r in duplicates) == sum(int(r["entries"]) for r in totals.values()), "vCPU counts add up")
    for r in duplicates:
        parts = sum(int(r[name]) for name in ("unique_pages", "cross_ring", "same_ring", "provisional", "vmm"))
        check(parts == int(r["entries"]), f"classes of entries add up: {r}")


def test_labels(fleet):
    found = {(r["key"], r["value"]): int(r["recordings"]) for r in rows(fleet, "labels")}
    check(found[("kernel", "6.1")] >= 1 and found[("kernel", "6.12")] >= 1, f"labels are counted: {found}")
    pair = rows(fleet, "label_regressions", "--set", "before=6.1", "--set", "after=6.12")
    check(len(pair) >= 1 and all(float(r["unique_ratio"]) > 0 for r in pair), f"two labels are compared: {pair}")
    check(rows(fleet, "label_regressions", "--set", "key=x' OR 1=1 --") == [], "a value is never SQL")
    message = run("fleet", fleet, "--query", "nonsense", status=2).stderr
    check("known are overview" in message, message)


def test_page(folder, good):
    fleet = folder / "page-fleet"
    name = "<script>alert('x')</script>\x1b[2J\"onload=\""
    hostile = change(good[0], folder / "hostile.db", ("UPDATE recording SET guest = ?, id = ?", (name, "f" * 32)),
                     ("UPDATE label SET value = ?", ("<img src=x onerror=alert(1)>",)))
    run("export", "--parquet", fleet, "--pages", hostile, *good[:3])
    page = fleet / "index.html"
    run("fleet", fleet, "--html", page)
    text = page.read_text()
    check("<script" not in text and "<img" not in text and "\x1b" not in text, "hostile names are escaped")
    check("default-src 'none'; script-src 'none'" in text, "the page asks nothing")
    for path in (hostile, *good[:3]):
        link = f"{partition(fleet, path).name}/report.html"
        check(f'href="{link}"' in text.replace("&#x3D;", "=").replace("&#61;", "=") and (fleet / link).exists(), f"{link} is linked")


def native_sums(report):
    """Entries, distinct pages, and distinct pages of each iteration added up, as `dirtyrec report` works them out."""
    return report["counts"]["entries"], report["counts"]["distinct_gfns"], report["rate"]["pages_per_iteration"]["sum"]


# Parts that take longer.

def large(folder):
    """50 recordings with at least 30 M entries: what `small` has, and models with other sizes, seeds and vCPUs."""
    made = small(folder)
    choices = random.Random(10)
    kinds = ["zipf:size={size}MiB,rate=250k/s,region=shared", "zipf:size={size}MiB,rate=250k/s", "random:size={size}MiB,rate=200k/s",
             "hotspot:size={size}MiB,rate=300k/s,share=0.8", "sequential:size={size}MiB,rate=150k/s", "stride:size={size}MiB,rate=100k/s,stride=64KiB"]
    for number in range(50 - len(made)):
        vcpus = choices.choice([1, 2, 4, 8])
        workload = kinds[number % len(kinds)].format(size=choices.choice([64, 128, 256])) + f",seed={number}"
        seconds = choices.choice([3, 4, 6])
        path = synth(folder / f"large{number}.db", workload, "--vcpus", vcpus, "--duration", f"{seconds}s" if number % 2 else "1s", "--label",
                     f"kernel={choices.choice(['6.1', '6.12'])}", "--label", f"team={choices.choice('abc')}", *(["--no-rows"] if number % 10 == 3 else []))
        made.append(path)
    return made


def bare_copy(path, folder):
    """Seconds of DuckDB's own copy of the table of entries, all its threads, in a process of its own."""
    program = ("import sys, os, duckdb, duckdb_extension_sqlite_scanner as x\nfrom glob import glob\n"
               "db = duckdb.connect()\n"
               "db.execute(\"LOAD '%s'\" % glob(os.path.dirname(x.__file__) + '/**/*.duckdb_extension', recursive=True)[0])\n"
               "db.execute(\"ATTACH 'source.db' AS r (TYPE sqlite, READ_ONLY)\")\n"
               "db.execute(\"COPY (SELECT * FROM r.dirty_entry) TO 'bare.parquet' (FORMAT parquet, COMPRESSION zstd)\")\n")
    link = folder / "source.db"
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, timeout=600)
    return time.monotonic() - begin


def measure(label, body):
    begin = time.monotonic()
    result = body()
    print(f"  {label}: {time.monotonic() - begin:.1f} s", flush=True)
    return result


def test_memory(folder):
    """The largest of an export's processes, for a recording and for one four times as long."""
    peaks = []
    for number, seconds in enumerate((4, 16)):
        path = synth(folder / f"memory{number}.db", "random:size=256MiB,rate=250k/s", "--vcpus", 2, "--duration", f"{seconds}s")
        process = subprocess.Popen([TOOL, "export", "--parquet", folder / f"memory{number}", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        check(process.returncode == 0, f"{path.name} is exported")
        with sqlite3.connect(path) as db:
            entries = db.execute("SELECT sum(entries) FROM iteration_summary").fetchone()[0]
        peaks.append(used.ru_maxrss)
        print(f"  export of {entries:,} entries: largest process {used.ru_maxrss // 1024} MB", flush=True)
        shutil.rmtree(folder / f"memory{number}")
        path.unlink()
    check(peaks[1] < 1.5 * peaks[0] and peaks[1] < 1 << 20, f"the memory of an export is bounded: {peaks} KB")


def test_throughput(folder, paths):
    """All recordings, as an export takes them, against the bare copy of the same files one after the other."""
    best = {"export": math.inf, "bare": math.inf}
    for _ in range(2):
        begin = time.monotonic()
        shutil.rmtree(folder / "measured", ignore_errors=True)
        run("export", "--parquet", folder / "measured", *paths)
        best["export"] = min(best["export"], time.monotonic() - begin)
        best["bare"] = min(best["bare"], sum(bare_copy(path, folder) for path in paths))
    ratio = best["bare"] / best["export"]
    print(f"  export {best['export']:.1f} s, DuckDB's bare copy of dirty_entry {best['bare']:.1f} s: ratio {ratio:.2f}", flush=True)
    check(ratio >= 0.8, f"an export is at least 0.8 times as fast as a bare copy, not {ratio:.2f}")
    shutil.rmtree(folder / "measured")


class Cluster:
    """A Spark standalone master and two workers on loopback."""

    def __init__(self, folder):
        import pyspark
        self.home = pathlib.Path(pyspark.__file__).parent
        self.folder = folder / "spark"
        (self.folder / "conf").mkdir(parents=True, exist_ok=True)
        (self.folder / "conf/spark-defaults.conf").write_text(
            "spark.sql.shuffle.partitions 8\nspark.executor.memory 1g\nspark.driver.host 127.0.0.1\nspark.driver.bindAddress 127.0.0.1\n")
        self.environment = {**os.environ, "SPARK_HOME": str(self.home), "SPARK_CONF_DIR": str(self.folder / "conf"),
                            "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(self.folder / "local"), "SPARK_DAEMON_MEMORY": "256m",
                            "PYSPARK_PYTHON": sys.executable}
        self.port, self.web = free_port(), free_port()
        self.master = f"spark://127.0.0.1:{self.port}"
        self.processes = []
        self.start("master.Master", "--host", "127.0.0.1", "--port", str(self.port), "--webui-port", str(self.web))
        self.wait(lambda state: True, "the master answers")
        for number in range(2):
            self.start("worker.Worker", "--host", "127.0.0.1", "--webui-port", str(free_port()), "--cores", "1", "--memory", "2g",
                       "--work-dir", str(self.folder / f"work{number}"), self.master)
        self.wait(lambda state: state["aliveworkers"] == 2, "two workers are alive")

    def start(self, name, *arguments):
        log = open(self.folder / f"{name}.{len(self.processes)}.log", "w")
        # A group of its own: with a worker go the executors that it started.
        self.processes.append(subprocess.Popen([self.home / "bin/spark-class", f"org.apache.spark.deploy.{name}", *arguments],
                                               env=self.environment, stdout=log, stderr=log, start_new_session=True))

    def state(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/json/", timeout=5) as answer:
            return json.load(answer)

    def wait(self, holds, what, seconds=180):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if holds(self.state()):
                    return
            except OSError:
                pass
            time.sleep(0.5)
        check(False, f"{what} within {seconds} s; see {self.folder}")

    def kill(self, number):
        os.killpg(self.processes[number].pid, signal.SIGKILL)
        self.processes[number].wait()

    def stop(self):
        for number, process in enumerate(self.processes):
            if process.poll() is None:
                self.kill(number)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def spark_tasks(folder):
    """Tasks that the executors of a worker have finished, by their own words."""
    logs = list(folder.glob("app-*/*/stderr"))
    return sum(log.read_text(errors="replace").count("Finished task") for log in logs)


def test_spark(folder, fleet):
    expected = measure("DuckDB, every query", lambda: ask(fleet, *QUERIES))
    cluster = Cluster(folder)
    try:
        options = ("--engine", "spark", "--master", cluster.master)
        def everything():
            return run("fleet", fleet, *[w for q in QUERIES for w in ("--query", q)], "--format", "csv", *options, env=cluster.environment).stdout
        check(measure("Spark, every query", everything) == expected, "Spark and DuckDB print the same tables")

        query = ["fleet", fleet, "--query", "totals", "--query", "wws_distribution", "--format", "csv", *options]
        process = subprocess.Popen([TOOL, *map(str, query)], env=cluster.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        done = spark_tasks(cluster.folder / "work1")
        end = time.monotonic() + 900
        while spark_tasks(cluster.folder / "work1") < done + 2:
            check(process.poll() is None and time.monotonic() < end, "the second worker is at work")
            time.sleep(0.2)
        check(process.poll() is None, "the query still runs")
        cluster.kill(2)
        print("  killed one worker and its executor", flush=True)
        begin = time.monotonic()
        output, errors = process.communicate(timeout=1500)
        check(process.returncode == 0, f"the query outlives a worker: {errors[-800:]}")
        check(output == ask(fleet, "totals", "wws_distribution"), "a lost worker changes no answer")
        print(f"  the query went on for {time.monotonic() - begin:.1f} s and gave the same answer", flush=True)
    finally:
        cluster.stop()


def main():
    if not TOOL.exists():
        sys.exit(f"scripts/test-fleet: {TOOL} does not exist; build it with: make build")
    kept = os.environ.get("keep")
    folder = pathlib.Path(kept or tempfile.mkdtemp(prefix="dirtyrec-fleet-"))
    folder.mkdir(exist_ok=True)
    try:
        good = small(folder)
        test_synth(folder)
        test_broken_sources(folder, good)
        fleet = test_export(folder, good)
        test_answers(fleet, good)
        for query in QUERIES:
            ask(fleet, query)
        test_labels(fleet)
        test_page(folder, good)
        if not QUICK:
            paths = measure("making recordings", lambda: large(folder))
            fleet = folder / "large-fleet"
            measure("export", lambda: run("export", "--parquet", fleet, *paths))
            entries = sum(int(row["entries"]) for row in rows(fleet, "overview"))
            print(f"  {len(paths)} recordings, {entries:,} entries", flush=True)
            check(len(paths) == 50 and entries >= 30_000_000, "50 recordings with 30 M entries")
            test_answers(fleet, paths)
            test_spark(folder, fleet)
            with_rows = [path for path in paths if path.name.startswith("large") and int(path.stem[5:]) % 10 != 3]
            test_throughput(folder, with_rows[:10])
            test_memory(folder)
    finally:
        if not kept:
            shutil.rmtree(folder)
    print(f"scripts/test-fleet: {checks} checks passed.")


if __name__ == "__main__":
    main()
