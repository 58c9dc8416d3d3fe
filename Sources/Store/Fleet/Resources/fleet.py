"""What dirtyrec asks of DuckDB and Spark: one request as JSON on standard input, answers as JSON lines on standard output.

Paths, names and values come in the request, never in SQL: files have fixed names in the working folder, and values reach a
query as the one row of the table `parameters`.
"""
import glob
import json
import math
import os
import signal
import sys
import tempfile

# `python -c` would look for modules in the working folder first.
sys.path = [folder for folder in sys.path if folder]

# Rows that are not 0 cost memory until they are written: 120 k rows a group, and one thread keeps their order.
EXPORT_SETTINGS = {"threads": 1, "memory_limit": "512MB", "temp_directory": "spill", "preserve_insertion_order": True}
# Entries in a block, as a power of two: each block knows the few harvests that its entries can belong to.
BLOCK_BITS = 9
# Rows of one fetch.
PIECE = 10_000
# A query without parameters has the table all the same.
NO_PARAMETERS = [{"name": "none", "type": "integer", "value": None}]
DUCKDB_TYPES = {"integer": "BIGINT", "real": "DOUBLE", "text": "VARCHAR"}
SPARK_TYPES = {"integer": "BIGINT", "real": "DOUBLE", "text": "STRING"}


# Engines print progress and warnings: only answers go to standard output.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def answer(**fields):
    answers.write(json.dumps(fields) + "\n")
    answers.flush()


def fail(kind, message):
    text = " ".join(str(message).split())[:500]
    answer(error=kind, message="".join(c if c.isprintable() else "?" for c in text))
    sys.exit(1)


def duckdb_session(settings):
    try:
        import duckdb
    except ImportError as error:
        fail("missing", f"DuckDB ({error})")
    # Nothing is fetched: what a query needs is in the package.
    session = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    for name, value in settings.items():
        session.execute("SET {} = '{}'".format(name, str(value).replace("'", "''")))
    return session


def load_sqlite(session):
    try:
        import duckdb_extension_sqlite_scanner as extension
    except ImportError as error:
        fail("missing", f"DuckDB's reader of SQLite ({error})")
    for folder, _, names in os.walk(os.path.dirname(extension.__file__)):
        for name in names:
            if name.endswith(".duckdb_extension"):
                session.execute("LOAD '{}'".format(os.path.join(folder, name).replace("'", "''")))
                return
    fail("missing", "DuckDB's reader of SQLite (its package holds no extension)")


def columns(table, alias):
    types = {"INTEGER": "BIGINT", "TEXT": "VARCHAR", "BLOB": "BLOB"}
    return ", ".join(f'CAST({alias}."{name}" AS {types[kind]}) AS "{name}"' for name, kind in table["columns"])


def entries(request):
    """Every entry with its harvest. A harvest's entries are a range of sequence numbers: DuckDB joins ranges by sorting, and
    equal numbers of blocks without it."""
    times = "CAST(t.ts_ns AS BIGINT)" if request["exactTimes"] else "h.ts_ns"
    exact = "JOIN r.entry_time AS t ON t.seq = e.seq" if request["exactTimes"] else ""
    return f"""
        SELECT
            CAST(e.seq AS BIGINT) AS seq, h.iteration, h.source, h.vcpu, h.since_ns, {times} AS ts_ns,
            CAST(e.gfn AS BIGINT) AS gfn,
            CAST(e.seq >= h.first_seq + h.entry_count - h.provisional_count AS BIGINT) AS provisional
        FROM (SELECT seq, gfn FROM r.dirty_entry LIMIT {int(request["entries"]) + 1}) AS e
        JOIN (
            SELECT *, unnest(range(first_seq >> {BLOCK_BITS}, ((first_seq + entry_count - 1) >> {BLOCK_BITS}) + 1)) AS block
            FROM read_parquet('harvest.parquet')
            WHERE entry_count > 0
        ) AS h ON h.block = e.seq >> {BLOCK_BITS} AND e.seq >= h.first_seq AND e.seq < h.first_seq + h.entry_count
        {exact}"""


def export(request):
    """Writes the recording `source.db` of the working folder as one Parquet file a table, and says what these hold."""
    session = duckdb_session(EXPORT_SETTINGS)
    load_sqlite(session)
    import duckdb
    to = "(FORMAT parquet, COMPRESSION zstd)"
    try:
        session.execute("ATTACH 'source.db' AS r (TYPE sqlite, READ_ONLY)")
        rows = {}
        for table in request["tables"]:
            name, most = table["name"], int(table["rows"]) + 1
            source = f"SELECT * FROM r.{name} LIMIT {most}"
            if table["absent"]:
                source = "SELECT " + ", ".join(f'NULL AS "{column}"' for column, _ in table["columns"]) + " WHERE false"
            session.execute(f"COPY (SELECT {columns(table, 's')} FROM ({source}) AS s) "
                            f"TO '{name}.parquet' {to}")
            rows[name] = count(session, name, "count(*)")
        session.execute(f"COPY ({entries(request)}) TO 'dirty.parquet' {to}")
        rows["dirty"] = count(session, "dirty", "count(*)")
        answer(rows=rows, gfnSum=str(count(session, "dirty", "coalesce(sum(gfn), 0)")))
    except duckdb.Error as error:
        fail("failed", error)


def count(session, table, what):
    return session.execute(f"SELECT {what} FROM read_parquet('{table}.parquet')").fetchone()[0]


def plain(value):
    if isinstance(value, float):
        return {"real": value} if math.isfinite(value) else None
    if value is None or isinstance(value, (int, str)):
        return value
    return str(value)


def report(names, pieces):
    answer(columns=list(names))
    for piece in pieces:
        for row in piece:
            answer(row=[plain(value) for value in row])
    answer(end=True)


def present(tables):
    """Tables that some partition has: those of an older export may lack what came later."""
    return [table for table in tables if glob.glob(f"recording=*/{table}.parquet")]


def query_duckdb(request):
    with tempfile.TemporaryDirectory(prefix="dirtyrec-") as spill:
        session = duckdb_session({"temp_directory": spill})
        import duckdb
        try:
            for table in present(request["tables"]):
                session.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('recording=*/{table}.parquet', "
                                "hive_partitioning = true, hive_types_autocast = false)")
            for query in request["queries"]:
                parameters = query["parameters"] or NO_PARAMETERS
                fields = ", ".join(f'"{p["name"]}" {DUCKDB_TYPES[p["type"]]}' for p in parameters)
                session.execute(f"CREATE OR REPLACE TEMP TABLE parameters({fields})")
                session.execute(f"INSERT INTO parameters VALUES ({', '.join('?' for _ in parameters)})",
                                [p["value"] for p in parameters])
                result = session.execute(query["sql"])
                report([column[0] for column in result.description], iter(lambda: result.fetchmany(PIECE), []))
        except duckdb.Error as error:
            fail("failed", error)


def query_spark(request):
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        fail("missing", f"PySpark ({error})")
    builder = SparkSession.builder.appName("dirtyrec fleet").master(request["master"])
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        **request["settings"],
    }.items():
        builder = builder.config(name, value)
    folder = os.getcwd()
    try:
        session = builder.getOrCreate()
    except Exception as error:
        fail("failed", f"Spark does not start: {first_line(error)}")
    try:
        session.sparkContext.setLogLevel("OFF")
        for table in present(request["tables"]):
            reader = session.read.option("basePath", f"file://{folder}")
            reader.parquet(f"file://{folder}/recording=*/{table}.parquet").createOrReplaceTempView(table)
        for query in request["queries"]:
            parameters = query["parameters"] or NO_PARAMETERS
            fields = ", ".join(f'CAST(:{p["name"]} AS {SPARK_TYPES[p["type"]]}) AS `{p["name"]}`' for p in parameters)
            row = session.sql(f"SELECT {fields}", args={p["name"]: p["value"] for p in parameters})
            row.createOrReplaceTempView("parameters")
            result = session.sql(query["sql"].rstrip().rstrip(";"))
            report(result.columns, [result.collect()])
    except Exception as error:
        fail("failed", first_line(error))
    finally:
        session.stop()


def first_line(error):
    return str(error).strip().split("\n")[0] or type(error).__name__


# Whoever asked may lose interest: what was spilled is removed on the way out. It may have started us with signals blocked.
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
request = json.load(sys.stdin)
try:
    os.chdir(request["folder"])
except OSError as error:
    fail("failed", error)
{"export": export, "duckdb": query_duckdb, "spark": query_spark}[request["do"]](request)
