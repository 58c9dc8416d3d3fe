"""The Python package against the tool: every answer equals what `dirtyrec sql` says of the same file.

    python3 python/tests/test_dirtyrec.py BINARY [EXTENSION]
"""
import csv
import io
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import dirtyrec  # noqa: E402

BINARY = ".build/release/dirtyrec"
EXTENSION = None

TRACE = """dirtyrec-text 1
vcpus   2
slot    id=0 base=0x0 pages=65536 name=ram
harvest iteration=1 vcpu=0 ts=100ms : 0x100 0x101 0x200-0x20f
harvest iteration=1 vcpu=1 ts=101ms : 0x100
harvest iteration=2 vcpu=1 ts=200ms : 0x100 0x300
end     ts=250ms reason=duration
"""


def run(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def cells(row):
    """A row as the tool's CSV shows it."""
    return ["" if value is None else value if isinstance(value, str) else value for value in row]


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        base = pathlib.Path(cls.folder.name)
        cls.synthetic, cls.imported, cls.bare = base / "synth.db", base / "import ed?#.db", base / "bare.db"
        run("synth", "-o", cls.synthetic, "--vcpus", 2, "--workload", "zipf:size=1MiB,region=shared", "--duration", "1s")
        (base / "trace.txt").write_text(TRACE)
        run("import", base / "trace.txt", "-o", cls.imported)
        run("import", base / "trace.txt", "-o", cls.bare, "--no-rows")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def assertSameRows(self, table, text):
        rows = list(csv.reader(io.StringIO(text)))
        self.assertEqual(table.names, rows[0])
        self.assertEqual(len(table), len(rows) - 1)
        for ours, theirs in zip(table, rows[1:]):
            for value, shown in zip(cells(ours), theirs):
                if isinstance(value, float):
                    self.assertAlmostEqual(value, float(shown), delta=abs(value) * 1e-9 + 1e-12)
                else:
                    self.assertEqual(str(value), shown)

    def test_every_named_query_answers_as_the_tool_does(self):
        listed = {line.split()[0] for line in run("sql", "--list").splitlines() if "/" in line.split(" ")[0]}
        self.assertEqual(set(dirtyrec.named_queries()), listed)
        for path in self.synthetic, self.imported:
            with dirtyrec.open(path) as recording:
                for name in sorted(listed):
                    with self.subTest(query=name, recording=path.name):
                        self.assertSameRows(recording.query(name), run("sql", path, "--query", name, "--csv"))

    def test_settings_with_units_are_those_of_the_tool(self):
        with dirtyrec.open(self.synthetic) as recording:
            ours = recording.queries.convergence.link(bandwidth="1.25GB/s", downtime="50ms")
            theirs = run("sql", self.synthetic, "--query", "convergence/link", "--set", "bandwidth=1.25GB/s",
                         "--set", "downtime=50ms", "--csv")
            self.assertSameRows(ours, theirs)

    def test_functions_are_documented_and_refuse_what_they_do_not_know(self):
        with dirtyrec.open(self.imported) as recording:
            function = recording.queries.pages.hottest
            self.assertIn("limit (integer, 20)", function.__doc__)
            self.assertIn("gfn: Guest frame number.", function.__doc__)
            with self.assertRaisesRegex(TypeError, "has no parameter 'limits'"):
                function(limits=3)
            with self.assertRaisesRegex(ValueError, "cannot be 'many'"):
                function(limit="many")
            with self.assertRaisesRegex(dirtyrec.RecordingError, "there is no query"):
                recording.query("pages/coldest")

    def test_entries_by_vcpu_and_iteration(self):
        with dirtyrec.open(self.imported) as recording:
            self.assertEqual(len(recording.entries()), 21)
            self.assertEqual(list(recording.entries(vcpu=1)["gfn"]), [0x100, 0x100, 0x300])
            self.assertEqual(list(recording.entries(iterations=(2, 2), columns=("gfn", "slot"))), [(0x100, 0), (0x300, 0)])
            with self.assertRaisesRegex(dirtyrec.RecordingError, "no column 'page'"):
                recording.entries(columns=("page",))
            self.assertEqual(recording.iterations()["entries"][0], 19)
            self.assertEqual(len(recording.pages()), 19)
            self.assertEqual(len(recording.losses()), 0)

    def test_packed_entries_need_the_extension_and_say_so(self):
        with dirtyrec.open(self.bare) as recording:
            if recording._has_rows:
                self.assertEqual(list(recording.entries(vcpu=1)["gfn"]), [0x100, 0x100, 0x300])
            else:
                with self.assertRaisesRegex(dirtyrec.RecordingError, "dirtyrec rows"):
                    recording.entries()
        if EXTENSION and hasattr(sqlite3.connect(":memory:"), "enable_load_extension"):
            with dirtyrec.open(self.bare, extension=EXTENSION) as recording:
                self.assertEqual(list(recording.entries(vcpu=1)["gfn"]), [0x100, 0x100, 0x300])

    def test_a_file_that_is_no_recording_is_an_error_and_a_recording_cannot_be_written(self):
        base = pathlib.Path(self.folder.name)
        (base / "text").write_text("no database" * 100)
        sqlite3.connect(base / "other.db").execute("CREATE TABLE t(x)").connection.close()
        for name, reason in (("text", "cannot be read"), ("other.db", "no recording"), ("missing", "does not exist")):
            with self.subTest(name), self.assertRaisesRegex(dirtyrec.RecordingError, reason):
                dirtyrec.open(base / name)
        with dirtyrec.open(self.imported) as recording:
            for statement in "DELETE FROM recording", "CREATE TABLE t(x)", "PRAGMA user_version = 7":
                with self.subTest(statement), self.assertRaises(dirtyrec.RecordingError):
                    recording.sql(statement)
                    raise dirtyrec.RecordingError("written") if recording.sql("PRAGMA user_version")["user_version"][0] == 7 \
                        else dirtyrec.RecordingError("refused")

    def test_views_of_a_hostile_file_never_run(self):
        base = pathlib.Path(self.folder.name)
        hostile = base / "hostile.db"
        hostile.write_bytes(self.imported.read_bytes())
        with sqlite3.connect(hostile) as database:
            database.execute("DROP VIEW dirty")
            database.execute("CREATE VIEW dirty AS SELECT 'evil' AS gfn")
        with dirtyrec.open(hostile) as recording:
            self.assertEqual(len(recording.entries()), 21)

    def test_columns_are_typed_and_nulls_stay_nulls(self):
        table = dirtyrec.Table(["a", "b", "c", "d"])
        table.extend([(1, None, "x", 1), (2, 5, None, 2)])
        table.extend([(3, 7, "y", 2.5)])
        self.assertEqual(list(table), [(1, None, "x", 1.0), (2, 5, None, 2.0), (3, 7, "y", 2.5)])
        self.assertEqual(table["a"].typecode, "q")
        self.assertEqual(table["d"].typecode, "d")
        with self.assertRaises(KeyError):
            table["e"]
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        arrays = table.to_numpy()
        self.assertEqual(arrays["a"].tolist(), [1, 2, 3])
        self.assertIsInstance(arrays["b"], numpy.ma.MaskedArray)
        self.assertEqual(arrays["b"].tolist(), [None, 5, 7])

    def test_arrow_and_pandas(self):
        table = dirtyrec.Table(["a", "b", "c"])
        table.extend([(1, None, "x"), (2, 5, None)])
        for module in "pyarrow", "pandas":
            with self.subTest(module):
                try:
                    __import__(module)
                except ImportError:
                    self.skipTest(f"{module} is not installed")
                if module == "pyarrow":
                    self.assertEqual(table.to_arrow().to_pylist(), [{"a": 1, "b": None, "c": "x"}, {"a": 2, "b": 5, "c": None}])
                else:
                    frame = table.to_pandas()
                    self.assertEqual(str(frame.dtypes["b"]), "Int64")
                    self.assertEqual(frame["a"].sum(), 3)


if __name__ == "__main__":
    BINARY = sys.argv[1] if len(sys.argv) > 1 else BINARY
    EXTENSION = sys.argv[2] if len(sys.argv) > 2 else None
    unittest.main(argv=sys.argv[:1])
